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
from edgetune_runtime.progress import stage

if TYPE_CHECKING:
    from edgetune_export.base import Base

Options = dict[str, str | int | float | bool]


@dataclass(frozen=True)
class Lowering:
    """One target."""

    silicon: str
    """What its artifact runs on."""
    packages: tuple[str, ...]
    """What must be installed to make it."""
    model: str
    """Its graph or program in the target's own folder."""
    lower: Callable[["Base", Path, int], Options]
    """Writes the artifact of a base into a folder, for adapters of this rank at the most; returns
    the options that describe it."""
    verified: str
    """What was executed, and where."""

    @property
    def missing(self) -> list[str]:
        """The packages that are not installed here."""
        return [package for package in self.packages if find_spec(package) is None]


def _onnx(base: "Base", directory: Path, _largest_rank: int) -> Options:
    from edgetune_export.onnx import export_onnx

    with stage("Lowering the base to ONNX"):
        return export_onnx(base, directory)


def _executorch(base: "Base", directory: Path, largest_rank: int) -> Options:
    from edgetune_export.executorch import MAX_RANK, export_executorch

    return export_executorch(base, directory, max_rank=max(MAX_RANK, largest_rank))


LOWERINGS: Mapping[str, Lowering] = {
    "onnx": Lowering(
        silicon="CPUs, by ONNX Runtime",
        packages=("torch", "onnx", "onnx_ir", "onnxruntime", "onnxruntime_genai"),
        model="model.onnx",
        lower=_onnx,
        verified="verify and eval on x86-64; stock onnxruntime-genai",
    ),
    "executorch": Lowering(
        silicon="phone CPUs, by ExecuTorch and XNNPACK",
        packages=("torch", "executorch", "torchao"),
        model="model.pte",
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
