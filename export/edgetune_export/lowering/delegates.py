"""Targets that ExecuTorch hands to another runtime whole, such as Core ML and Vulkan.

One `.pte` with two methods of fixed shapes, `prefill` for a chunk of a prompt and `decode` for one
token, each of which must be a single delegate with nothing left over. Such a program runs on its
own silicon alone, so its structure is what is checked here. It knows the base, not what adapters
are for.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from edgetune_export.lowering.program_structure import METHODS, check_program
from edgetune_export.lowering.targets import TARGETS, Wishes
from edgetune_export.progress import stage
from edgetune_export.weights.base import Base
from edgetune_runtime.files import write_bytes
from edgetune_runtime.manifest import Manifest, Target
from edgetune_runtime.quiet import silent

MODEL = "model.pte"
CHUNK = 32
"""Tokens of a prompt that are computed at once."""
CONTEXT_LENGTH = 1024
"""The most tokens of the K/V cache; each step reads all of it, used or not."""


@dataclass(frozen=True)
class Delegate:
    """A target that is one delegate a method, and nothing else."""

    target: str
    """Its name, and its folder's."""
    id: str
    """What ExecuTorch calls the delegate."""
    partitioner: Callable[[], Any]
    """Makes ExecuTorch's partitioner; imports the delegate's package."""

    def settings(self, base: Base, wishes: Wishes) -> dict[str, int]:
        """`export_delegate`'s choice (`targets.Lowering.settings`)."""
        return {"rank": max(1, wishes.largest_rank)}

    def lower(self, base: Base, bundle: Path, settings: Mapping[str, Any]) -> Target:
        """The target of a bundle (`targets.Lowering.lower`)."""
        options = export_delegate(base, bundle / self.target, self, **settings)
        return Target(
            name=self.target,
            model=f"{self.target}/{MODEL}",
            context_length=min(CONTEXT_LENGTH, base.shape.context_length),
            options=options,
        )

    def check(self, model: Path, manifest: Manifest) -> str:
        """The program's structure (`targets.Lowering.check`)."""
        return check_program(model, self.id, manifest.base.layers, len(manifest.slots))


def export_delegate(
    base: Base,
    directory: Path,
    delegate: Delegate,
    *,
    rank: int,
    chunk: int = CHUNK,
    context_length: int = CONTEXT_LENGTH,
) -> dict[str, str | int | float | bool]:
    """Write `model.pte` for `delegate` into `directory`.

    The methods take and give what `StaticDecoder` does. Returns the options that describe the
    program, for the manifest. Raises InputError for a base that would not be computed faithfully;
    BundleError where something is left over.
    """
    TARGETS[delegate.target].accept(base)
    context_length = min(context_length, base.shape.context_length)
    traced = {}
    with stage(f"Tracing the base for {delegate.target}"), silent(), torch.no_grad():
        from edgetune_export.lowering.static_decoder import StaticDecoder

        for method, length in zip(METHODS, (chunk, 1), strict=True):
            model = StaticDecoder(base, length, context_length, rank).eval()
            traced[method] = torch.export.export(model, model.example, strict=False)
    with stage(f"Lowering the base to {delegate.target} (minutes)"), silent():
        content = _program(traced, delegate)
    write_bytes(directory / MODEL, content)
    check_program(directory / MODEL, delegate.id, base.shape.layers, len(base.slots()))
    return {
        "executorch": version("executorch"),
        "chunk": chunk,
        "max_rank": rank,
        "activations": "float16",
        "executed": False,
    }


def _program(traced: Mapping[str, Any], delegate: Delegate) -> bytes:
    from executorch.exir import (
        EdgeCompileConfig,
        ExecutorchBackendConfig,
        to_edge_transform_and_lower,
    )

    edge = to_edge_transform_and_lower(
        dict(traced),
        partitioner={method: [delegate.partitioner()] for method in traced},
        compile_config=EdgeCompileConfig(_check_ir_validity=False, _skip_dim_order=True),
    )
    program = edge.to_executorch(ExecutorchBackendConfig(extract_delegate_segments=True))
    return bytes(program.buffer)
