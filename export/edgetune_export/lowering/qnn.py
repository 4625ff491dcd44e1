"""The QNN target: the base compiled for the NPU of Qualcomm's Snapdragon phones, without a phone.

For each system on a chip two graphs of fixed shapes, a chunk of a prompt and one token, become
context binaries of its Hexagon tensor processor (HTP): int4 weights, float16 arithmetic, so nothing
is calibrated. LoRA slots stay inputs. The compiler is ONNX Runtime's QNN provider. It knows the
base, not what adapters are for.
"""

import tempfile
from collections import Counter
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import onnx

from edgetune_export.lowering.chips import Chip, find_chips
from edgetune_export.lowering.static_graph import embedding_graph, static_graph
from edgetune_export.lowering.targets import TARGETS, Wishes
from edgetune_export.progress import console, stage
from edgetune_export.weights.base import Base
from edgetune_runtime.errors import InputError
from edgetune_runtime.manifest import Target
from edgetune_runtime.qnn_engine import DECODE, EMBEDDING, PREFILL
from edgetune_runtime.quiet import silent

CHUNK = 32
"""Tokens of a prompt that go through the NPU at once."""
CONTEXT_LENGTH = 1024
"""The most tokens of the K/V cache; each step reads all of it, used or not."""


def settings(base: Base, wishes: Wishes) -> dict[str, Any]:
    """`export_qnn`'s choices (`targets.Lowering.settings`)."""
    return {"socs": list(wishes.chips), "rank": max(1, wishes.largest_rank)}


def lower(base: Base, bundle: Path, settings: Mapping[str, Any]) -> Target:
    """The target `qnn` of a bundle (`targets.Lowering.lower`); the engine takes the first chip."""
    chips = find_chips(settings["socs"])
    options = export_qnn(base, bundle / "qnn", chips, rank=settings["rank"])
    return Target(
        name="qnn",
        model=f"qnn/{next(iter(chips))}/{DECODE}",
        context_length=min(CONTEXT_LENGTH, base.shape.context_length),
        options=options,
    )


def export_qnn(
    base: Base,
    directory: Path,
    chips: Mapping[str, Chip],
    *,
    rank: int,
    chunk: int = CHUNK,
    context_length: int = CONTEXT_LENGTH,
) -> dict[str, str | int | float | bool]:
    """Write `embedding.onnx` and, for each chip, its two graphs with their binaries.

    The graphs are those of `static_graph`, of `chunk` tokens and of one, for adapters up to `rank`.
    Prints what the compiler left to the CPU. Returns the options that describe them, for the
    manifest. Raises InputError for a kind of base that would not be computed faithfully, or one
    that the compiler refuses.
    """
    TARGETS["qnn"].accept(base)
    context_length = min(context_length, base.shape.context_length)
    directory.mkdir(parents=True)
    onnx.save(embedding_graph(base), directory / EMBEDDING)
    with tempfile.TemporaryDirectory(prefix=".static-", dir=directory.parent) as place:
        for file, length in ((PREFILL, chunk), (DECODE, 1)):
            graph = static_graph(base, length, context_length, rank)
            onnx.save(graph, Path(place) / file)
            for name, chip in chips.items():
                with stage(f"Compiling {file} for {name}, {chip.name}"):
                    target = directory / name / file
                    _compile(Path(place) / file, target, chip)
                _report(name, len(graph.graph.node), target)
    return {
        "onnxruntime_qnn": version("onnxruntime-qnn"),
        "socs": ",".join(chips),
        "chunk": chunk,
        "max_rank": rank,
        "activations": "float16",
    }


def _compile(source: Path, target: Path, chip: Chip) -> None:
    """`target`: a graph whose one node refers to the binary beside it, and whatever is left."""
    import onnxruntime as ort

    from edgetune_runtime.qnn_provider import add_provider

    target.parent.mkdir(exist_ok=True)
    options = ort.SessionOptions()
    for key, value in (("enable", "1"), ("embed_mode", "0"), ("file_path", str(target))):
        options.add_session_config_entry(f"ep.context_{key}", value)
    add_provider(options, soc_model=str(chip.model), htp_arch=str(chip.architecture))
    try:
        with silent():
            ort.InferenceSession(str(source), options)
    except Exception as error:
        raise InputError(
            f"--target qnn: the compiler refuses {source.name} for {chip.name} ({error}); choose "
            "another --soc or base."
        ) from error
    if not target.is_file():
        raise InputError(
            f"--target qnn: the compiler took nothing of {source.name} for {chip.name}; install "
            "the version of onnxruntime-qnn that constraints.txt names."
        )


def _report(soc: str, nodes: int, compiled: Path) -> None:
    """Say what goes where, by the number of nodes."""
    kinds = Counter(node.op_type for node in onnx.load(compiled).graph.node)
    on_npu = kinds.pop("EPContext", 0)
    left = ", ".join(f"{count} {kind}" for kind, count in kinds.items()) or "none"
    console.print(
        f"{soc}/{compiled.name}: {nodes - kinds.total()} of {nodes} nodes on the NPU, in {on_npu} "
        f"part{'s' if on_npu != 1 else ''}; left to the CPU: {left}",
        soft_wrap=True,
    )
