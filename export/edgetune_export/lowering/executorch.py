"""The ExecuTorch target: one `.pte` for phone CPUs, prefill and decode in one method.

XNNPACK multiplies by the canonical int4 codes with activations rounded to int8; LoRA slots are
inputs of the program, so a swap passes other tensors. It knows the base, not what adapters are for.
"""

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch.export import Dim

from edgetune_export.lowering.targets import TARGETS, Wishes
from edgetune_export.progress import stage
from edgetune_export.weights.base import Base
from edgetune_runtime.files import write_bytes
from edgetune_runtime.manifest import Target
from edgetune_runtime.quiet import quiet

if TYPE_CHECKING:
    from edgetune_export.lowering.executorch_model import Decoder

MODEL = "model.pte"
CONTEXT_LENGTH = 2048
"""The most tokens of the K/V cache, which is part of the program's memory."""
MAX_RANK = 64
"""The largest rank that a program takes, unless an adapter needs more."""


def settings(base: Base, wishes: Wishes) -> dict[str, int]:
    """`export_executorch`'s choice (`targets.Lowering.settings`)."""
    return {"max_rank": max(MAX_RANK, wishes.largest_rank)}


def lower(base: Base, bundle: Path, settings: Mapping[str, Any]) -> Target:
    """The target `executorch` of a bundle (`targets.Lowering.lower`)."""
    options = export_executorch(base, bundle / "executorch", **settings)
    return Target(
        name="executorch",
        model=f"executorch/{MODEL}",
        context_length=min(CONTEXT_LENGTH, base.shape.context_length),
        options=options,
    )


def export_executorch(
    base: Base,
    directory: Path,
    *,
    slots: bool = True,
    context_length: int = CONTEXT_LENGTH,
    max_rank: int = MAX_RANK,
) -> dict[str, str | int | float | bool]:
    """Write `model.pte` into `directory`.

    Its one method, `forward`, takes ids `[1, S]`, the position of the first one `[1]` (both int64)
    and, with `slots`, each slot's A `[1, in, r]` and B `[1, r, out]` in the base's order, r from 1
    to `max_rank`, float32. It gives logits `[1, 1, vocab]` of the last position, and keeps K/V.
    Returns the options that describe the program, for the manifest. Raises InputError for a kind of
    base that it would not compute faithfully.
    """
    TARGETS["executorch"].accept(base)
    context_length = min(context_length, base.shape.context_length)
    with quiet():
        from edgetune_export.lowering.executorch_model import Decoder

        model = Decoder(base, context_length).eval()
        pairs = [
            (torch.zeros(1, slot.in_features, 2), torch.zeros(1, 2, slot.out_features))
            for slot in (base.slots() if slots else ())
        ]
        rank = Dim("rank", min=1, max=max_rank)
        content = lower_decoder(model, pairs, [({2: rank}, {1: rank}) for _ in pairs])
    write_bytes(directory / MODEL, content)
    return {
        "executorch": version("executorch"),
        "max_rank": max_rank,
        "activations": "int8",
        "slots": slots,
    }


def lower_decoder(model: "Decoder", slots: Any, dynamic: Any) -> bytes:
    """The program of `model`, for any number of tokens up to its context.

    `slots` is what `model` takes third, to trace with; `dynamic` its dynamic shapes.
    """
    length = Dim("length", min=1, max=model.context_length)
    with stage("Tracing the base for ExecuTorch"), torch.no_grad():
        traced = torch.export.export(
            model,
            (torch.zeros(1, 7, dtype=torch.int64), torch.tensor([3]), slots),
            dynamic_shapes=({1: length}, None, dynamic),
            strict=False,
        )
    return lower_traced({"forward": traced})


def lower_traced(methods: Mapping[str, torch.export.ExportedProgram]) -> bytes:
    """A program of `methods`, which share their mutable buffers of the same names."""
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import (
        EdgeCompileConfig,
        ExecutorchBackendConfig,
        to_edge_transform_and_lower,
    )
    from executorch.exir.passes import MemoryPlanningPass

    from edgetune_export.lowering.shared_constants import share_constants

    with stage("Lowering the base to XNNPACK (minutes)"):
        edge = to_edge_transform_and_lower(
            dict(methods),
            # One for all: to take the products by codes first, each as a delegate of its own, makes
            # three times as many delegates, and takes as long again for each that there is.
            partitioner=[XnnpackPartitioner()],
            compile_config=EdgeCompileConfig(_check_ir_validity=False, _skip_dim_order=True),
        )
    with stage("Writing the ExecuTorch program"):
        program = edge.to_executorch(
            ExecutorchBackendConfig(
                extract_delegate_segments=True,
                do_quant_fusion_and_const_prop=True,
                memory_planning_pass=MemoryPlanningPass(
                    alloc_graph_input=False,
                    alloc_graph_output=True,  # update_cache needs it
                    share_mutable_buffers=len(methods) > 1,
                ),
            )
        )
        return share_constants(bytes(program.buffer))
