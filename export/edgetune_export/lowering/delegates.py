"""Targets that ExecuTorch hands to another runtime whole: Core ML and Vulkan.

One `.pte` with two methods of fixed shapes, `prefill` for a chunk of a prompt and `decode` for one
token, each of which must be a single delegate with nothing left over. Such a program runs on its
own silicon alone, so its structure is what is checked here. It knows the base, not what adapters
are for.
"""

from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from edgetune_export.lowering.program_structure import METHODS, check_program
from edgetune_export.lowering.rope import check_rope
from edgetune_export.progress import stage
from edgetune_export.weights.base import Base
from edgetune_runtime.errors import InputError
from edgetune_runtime.files import write_bytes
from edgetune_runtime.quiet import silent

MODEL = "model.pte"
CHUNK = 32
"""Tokens of a prompt that are computed at once."""
CONTEXT_LENGTH = 1024
"""The most tokens of the K/V cache; each step reads all of it, used or not."""
VULKAN_ROWS = 4
"""Vulkan's int4 product takes outputs in multiples of this."""


def export_delegate(
    base: Base,
    directory: Path,
    target: str,
    *,
    rank: int,
    chunk: int = CHUNK,
    context_length: int = CONTEXT_LENGTH,
) -> dict[str, str | int | float | bool]:
    """Write `model.pte` for `target` (`coreml` or `vulkan`) into `directory`.

    The methods take and give what `StaticDecoder` does. Returns the options that describe the
    program, for the manifest. Raises InputError for a base that would not be computed faithfully;
    BundleError where something is left over.
    """
    check_rope(base)
    if target == "vulkan" and base.shape.vocab_size % VULKAN_ROWS:
        raise InputError(
            f"--target vulkan: base '{base.name}' has {base.shape.vocab_size} tokens, a multiple "
            f"of {VULKAN_ROWS} was expected; choose another target."
        )
    context_length = min(context_length, base.shape.context_length)
    traced = {}
    with stage(f"Tracing the base for {target}"), silent(), torch.no_grad():
        from edgetune_export.lowering.static_decoder import StaticDecoder

        for method, length in zip(METHODS, (chunk, 1), strict=True):
            model = StaticDecoder(base, length, context_length, rank).eval()
            traced[method] = torch.export.export(model, model.example, strict=False)
    with stage(f"Lowering the base to {target} (minutes)"), silent():
        content = _lower(traced, target)
    write_bytes(directory / MODEL, content)
    check_program(directory / MODEL, target, base.shape.layers, len(base.slots()))
    return {
        "executorch": version("executorch"),
        "context_length": context_length,
        "chunk": chunk,
        "max_rank": rank,
        "activations": "float16",
        "executed": False,
    }


def _lower(traced: Mapping[str, Any], target: str) -> bytes:
    from executorch.exir import (
        EdgeCompileConfig,
        ExecutorchBackendConfig,
        to_edge_transform_and_lower,
    )

    edge = to_edge_transform_and_lower(
        dict(traced),
        partitioner={method: [_PARTITIONERS[target]()] for method in traced},
        compile_config=EdgeCompileConfig(_check_ir_validity=False, _skip_dim_order=True),
    )
    program = edge.to_executorch(ExecutorchBackendConfig(extract_delegate_segments=True))
    return bytes(program.buffer)


def _coreml() -> Any:
    import coremltools
    from executorch.backends.apple.coreml.compiler import CoreMLBackend
    from executorch.backends.apple.coreml.partition import CoreMLPartitioner

    # From iOS 18 on Core ML has int4 weights in blocks.
    specs = CoreMLBackend.generate_compile_specs(minimum_deployment_target=coremltools.target.iOS18)
    return CoreMLPartitioner(compile_specs=specs)


def _vulkan() -> Any:
    from executorch.backends.vulkan.partitioner.vulkan_partitioner import VulkanPartitioner

    return VulkanPartitioner({"force_fp16": True})


_PARTITIONERS: Mapping[str, Callable[[], Any]] = {"coreml": _coreml, "vulkan": _vulkan}
