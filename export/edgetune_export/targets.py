"""What a base can be lowered to: for each target what it needs, and how it is made.

A target is listed once it has been lowered and verified on some machine; `docs/targets.md` says
where and with what figures. A new target is a file of its own and an entry here; it is imported
when it is asked for, so that what is missing can be said.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from edgetune_runtime.errors import InputError
from edgetune_runtime.manifest import Target
from edgetune_runtime.progress import stage

if TYPE_CHECKING:
    from edgetune_export.base import Base


@dataclass(frozen=True)
class Lowering:
    """One target."""

    silicon: str
    """What its artifact runs on."""
    packages: tuple[str, ...]
    """What must be installed to make it."""
    lower: Callable[["Base", Path, int], Target]
    """Writes the artifact of a base into a folder of its own in a bundle, for adapters of this rank
    at the most; returns its entry in the manifest."""
    verified: str
    """What was executed, and where."""

    @property
    def missing(self) -> list[str]:
        """The packages that are not installed here."""
        return [package for package in self.packages if find_spec(package) is None]


def _onnx(base: "Base", bundle: Path, _largest_rank: int) -> Target:
    from edgetune_export.onnx import export_onnx
    from edgetune_export.onnx_graph import MODEL

    with stage("Lowering the base to ONNX"):
        options = export_onnx(base, bundle / "onnx")
    return Target(name="onnx", model=f"onnx/{MODEL}", options=options)


def _executorch(base: "Base", bundle: Path, largest_rank: int) -> Target:
    from edgetune_export.executorch import MAX_RANK, MODEL, export_executorch

    rank = max(MAX_RANK, largest_rank)
    options = export_executorch(base, bundle / "executorch", max_rank=rank)
    return Target(name="executorch", model=f"executorch/{MODEL}", options=options)


LOWERINGS: Mapping[str, Lowering] = {
    "onnx": Lowering(
        silicon="CPUs, by ONNX Runtime",
        packages=("torch", "onnx", "onnx_ir", "onnxruntime", "onnxruntime_genai"),
        lower=_onnx,
        verified="verify and eval on x86-64; stock onnxruntime-genai",
    ),
    "executorch": Lowering(
        silicon="phone CPUs, by ExecuTorch and XNNPACK",
        packages=("torch", "executorch", "torchao"),
        lower=_executorch,
        verified="verify and eval on x86-64",
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
            f"'pip install edgetune[export,{name}]'."
        )
    return found
