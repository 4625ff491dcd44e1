"""What a base can be lowered to: for each target what it needs, and how it is made.

A target is listed once it has been lowered and verified on some machine; `docs/targets.md` says
where and with what figures. A new target is a file of its own and an entry here; it is imported
when it is asked for, so that what is missing can be said.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from edgetune_export.lowering.chips import Chip
from edgetune_export.progress import stage
from edgetune_runtime.errors import InputError
from edgetune_runtime.manifest import Target

if TYPE_CHECKING:
    from edgetune_export.weights.base import Base


@dataclass(frozen=True)
class Wishes:
    """What a lowering must serve."""

    largest_rank: int
    """Of the adapters that will be bound; 0 where there is none."""
    chips: Mapping[str, Chip]
    """What to compile for, where a target is made for each chip apart."""


@dataclass(frozen=True)
class Lowering:
    """One target."""

    silicon: str
    """What its artifact runs on."""
    extra: str
    """edgetune's extra that brings its packages."""
    packages: tuple[str, ...]
    """What must be installed to make it."""
    lower: Callable[["Base", Path, Wishes], Target]
    """Writes the artifact of a base into a folder of its own in a bundle; returns its entry in the
    manifest."""
    verified: str
    """What was executed, and where."""

    @property
    def missing(self) -> list[str]:
        """The packages that are not installed here."""
        return [package for package in self.packages if find_spec(package) is None]


def _onnx(base: "Base", bundle: Path, _wishes: Wishes) -> Target:
    from edgetune_export.lowering.onnx import export_onnx
    from edgetune_export.lowering.onnx_graph import MODEL

    with stage("Lowering the base to ONNX"):
        options = export_onnx(base, bundle / "onnx")
    return Target(name="onnx", model=f"onnx/{MODEL}", options=options)


def _executorch(base: "Base", bundle: Path, wishes: Wishes) -> Target:
    from edgetune_export.lowering.executorch import MAX_RANK, MODEL, export_executorch

    rank = max(MAX_RANK, wishes.largest_rank)
    options = export_executorch(base, bundle / "executorch", max_rank=rank)
    return Target(name="executorch", model=f"executorch/{MODEL}", options=options)


def _qnn(base: "Base", bundle: Path, wishes: Wishes) -> Target:
    from edgetune_export.lowering.qnn import export_qnn
    from edgetune_runtime.qnn_engine import DECODE

    chips = wishes.chips
    options = export_qnn(base, bundle / "qnn", chips, rank=max(1, wishes.largest_rank))
    return Target(name="qnn", model=f"qnn/{next(iter(chips))}/{DECODE}", options=options)


def _delegate(name: Literal["coreml", "vulkan"]) -> Callable[["Base", Path, Wishes], Target]:
    def lower(base: "Base", bundle: Path, wishes: Wishes) -> Target:
        from edgetune_export.lowering.delegates import MODEL, export_delegate

        rank = max(1, wishes.largest_rank)
        options = export_delegate(base, bundle / name, name, rank=rank)
        return Target(name=name, model=f"{name}/{MODEL}", options=options)

    return lower


LOWERINGS: Mapping[str, Lowering] = {
    "onnx": Lowering(
        silicon="CPUs, by ONNX Runtime",
        extra="onnx",
        packages=("torch", "onnx", "onnx_ir", "onnxruntime", "onnxruntime_genai"),
        lower=_onnx,
        verified="verify and eval on x86-64, calls on emulated ARM; stock onnxruntime-genai",
    ),
    "executorch": Lowering(
        silicon="phone CPUs, by ExecuTorch and XNNPACK",
        extra="executorch",
        packages=("torch", "executorch", "torchao"),
        lower=_executorch,
        verified="verify and eval on x86-64, calls on emulated ARM",
    ),
    "qnn": Lowering(
        silicon="Snapdragon NPUs (--soc), by ONNX Runtime's QNN provider",
        extra="qnn",
        packages=("torch", "onnx", "onnxruntime", "onnxruntime_qnn"),
        lower=_qnn,
        verified="verify and eval by emulation on x86-64; on no phone",
    ),
    "coreml": Lowering(
        silicon="iPhones (iOS 18), by ExecuTorch and Core ML",
        extra="executorch",
        packages=("torch", "executorch", "torchao", "coremltools"),
        lower=_delegate("coreml"),
        verified="structure alone: one delegate a method; not executed",
    ),
    "vulkan": Lowering(
        silicon="phone GPUs, by ExecuTorch and Vulkan",
        extra="executorch",
        packages=("torch", "executorch", "torchao"),
        lower=_delegate("vulkan"),
        verified="structure alone: one delegate a method; not executed",
    ),
}


def find_lowering(name: str) -> Lowering:
    """The target `name`. Raises InputError where there is none, or its packages are missing."""
    if name not in LOWERINGS:
        raise InputError(f"--target {name}: unknown, expected one of {', '.join(LOWERINGS)}.")
    found = LOWERINGS[name]
    if found.missing:
        raise InputError(
            f"--target {name}: {', '.join(found.missing)} is not installed; run "
            f"'pip install edgetune[export,{found.extra}]'."
        )
    return found
