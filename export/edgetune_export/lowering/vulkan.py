"""The Vulkan target: phone GPUs, by ExecuTorch's Vulkan delegate (see `delegates`)."""

from typing import Any

from edgetune_export.lowering.delegates import Delegate


def _partitioner() -> Any:
    from executorch.backends.vulkan.partitioner.vulkan_partitioner import VulkanPartitioner

    return VulkanPartitioner({"force_fp16": True})


VULKAN = Delegate("vulkan", "VulkanBackend", _partitioner)

settings, lower, check = VULKAN.settings, VULKAN.lower, VULKAN.check
