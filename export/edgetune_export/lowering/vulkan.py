"""The Vulkan target: phone GPUs, by ExecuTorch's Vulkan delegate (see `delegates`)."""

from pathlib import Path
from typing import Any

from edgetune_export.lowering.delegates import Delegate
from edgetune_export.lowering.targets import Wishes
from edgetune_export.weights.base import Base
from edgetune_runtime.errors import InputError
from edgetune_runtime.manifest import Target

ROWS = 4
"""Vulkan's int4 product takes outputs in multiples of this."""


def lower(base: Base, bundle: Path, wishes: Wishes) -> Target:
    """The target `vulkan` of a bundle (`targets.Lowering.lower`)."""
    if base.shape.vocab_size % ROWS:
        raise InputError(
            f"--target vulkan: base '{base.name}' has {base.shape.vocab_size} tokens, a multiple "
            f"of {ROWS} was expected; choose another target."
        )
    return VULKAN.lower(base, bundle, wishes)


def _partitioner() -> Any:
    from executorch.backends.vulkan.partitioner.vulkan_partitioner import VulkanPartitioner

    return VulkanPartitioner({"force_fp16": True})


VULKAN = Delegate("vulkan", "VulkanBackend", _partitioner)

check = VULKAN.check
