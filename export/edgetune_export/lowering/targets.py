"""What a base can be lowered to: the one table of targets, with what each needs.

A target is listed once it has been lowered and verified on some machine; `docs/targets.md` says
where and with what figures. A new target is a file of its own and an entry here. The file is
imported when it is asked for, so that what is missing can be said; this module imports nothing
heavy, so that a command line can list the names.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgetune_export.lowering.chips import Chip
from edgetune_export.lowering.requirements import (
    Described,
    Requirement,
    drawn_activation,
    known_rope,
    rows_of_four,
    silu,
)
from edgetune_runtime.errors import InputError, unknown

if TYPE_CHECKING:
    from edgetune_export.weights.base import Base
    from edgetune_runtime.manifest import Manifest, Target


@dataclass(frozen=True)
class Wishes:
    """What a lowering must serve."""

    largest_rank: int
    """Of the adapters that will be bound; 0 where there is none."""
    chips: Mapping[str, Chip]
    """What to compile for, where a target is made for each chip apart."""
    int8_activations: bool | None = None
    """Where a target leaves the choice: round activations to int8, for speed; None: if the base is
    large (`base_size`)."""


@dataclass(frozen=True)
class Lowering:
    """One target."""

    module: str
    """Has functions `settings`, `lower` and, where no engine runs the target, `check`."""
    silicon: str
    """What its artifact runs on."""
    extra: str
    """edgetune's extra that brings its packages."""
    packages: tuple[str, ...]
    """What must be installed to make it."""
    verified: str
    """What was executed, and where."""
    requires: tuple[Requirement, ...] = (known_rope, silu)
    """What a base must be for the artifact to compute what transformers does."""

    @property
    def missing(self) -> list[str]:
        """The packages that are not installed here."""
        return [package for package in self.packages if find_spec(package) is None]

    def refusal(self, base: Described) -> str | None:
        """What the target cannot take of `base`, told from its configuration; None if it takes it.

        Nothing is imported for it, and the target's packages need not be here.
        """
        return next(filter(None, (wrong(base.config) for wrong in self.requires)), None)

    def accept(self, base: Described) -> None:
        """Raise InputError for a `base` that the target refuses, naming its configuration."""
        if (why := self.refusal(base)) is not None:
            raise InputError(
                f"{base.directory / 'config.json'}: {why}; choose another base or another target."
            )

    def settings(self, base: "Base", wishes: Wishes) -> Mapping[str, Any]:
        """What the artifact depends on beside `base`: the target's own terms for what is wished.

        They can be written as JSON.
        """
        found: Mapping[str, Any] = import_module(self.module).settings(base, wishes)
        return found

    def lower(self, base: "Base", bundle: Path, settings: Mapping[str, Any]) -> "Target":
        """Write the artifact of `base` into the folder of the target's name in `bundle`.

        Returns its entry in the manifest. Raises InputError for a base that would not be computed
        faithfully. `cache` does it where it has not been done before.
        """
        lowered: Target = import_module(self.module).lower(base, bundle, settings)
        return lowered

    def check(self, model: Path, manifest: "Manifest") -> str:
        """What can be told of the artifact at `model` without running it.

        Raises BundleError naming what is not as `lower` makes it.
        """
        found: str = import_module(self.module).check(model, manifest)
        return found


TARGETS: Mapping[str, Lowering] = {
    "onnx": Lowering(
        module="edgetune_export.lowering.onnx",
        silicon="CPUs, by ONNX Runtime",
        extra="onnx",
        packages=("torch", "onnx", "onnx_ir", "onnxruntime", "onnxruntime_genai"),
        verified="verify and eval on x86-64, calls on emulated ARM; stock onnxruntime-genai",
        requires=(known_rope, drawn_activation),
    ),
    "executorch": Lowering(
        module="edgetune_export.lowering.executorch",
        silicon="phone CPUs, by ExecuTorch and XNNPACK",
        extra="executorch",
        packages=("torch", "executorch", "torchao"),
        verified="verify and eval on x86-64, calls on emulated ARM",
    ),
    "qnn": Lowering(
        module="edgetune_export.lowering.qnn",
        silicon="Snapdragon NPUs (--soc), by ONNX Runtime's QNN provider",
        extra="qnn",
        packages=("torch", "onnx", "onnxruntime", "onnxruntime_qnn"),
        verified="verify and eval by emulation on x86-64; on no phone",
    ),
    "coreml": Lowering(
        module="edgetune_export.lowering.coreml",
        silicon="iPhones (iOS 18), by ExecuTorch and Core ML",
        extra="executorch",
        packages=("torch", "executorch", "torchao", "coremltools"),
        verified="structure alone: one delegate a method; not executed",
    ),
    "vulkan": Lowering(
        module="edgetune_export.lowering.vulkan",
        silicon="phone GPUs, by ExecuTorch and Vulkan",
        extra="executorch",
        packages=("torch", "executorch", "torchao"),
        verified="structure alone: one delegate a method; not executed",
        requires=(known_rope, silu, rows_of_four),
    ),
}
"""By the name that options, folders and the manifest use."""


def find_lowering(name: str) -> Lowering:
    """The target `name`. Raises InputError where there is none, or its packages are missing."""
    if name not in TARGETS:
        raise unknown("--target", name, TARGETS)
    found = TARGETS[name]
    if found.missing:
        raise InputError(
            f"--target {name}: {', '.join(found.missing)} is not installed; run "
            f"'pip install edgetune[export,{found.extra}]'."
        )
    return found


def refusals(base: Described) -> dict[str, str]:
    """By the name of each target that refuses `base`, what it cannot take of it.

    Raises InputError where no target takes it: it could leave this machine in no form.
    """
    found = {name: why for name, each in TARGETS.items() if (why := each.refusal(base)) is not None}
    if len(found) == len(TARGETS):
        raise InputError(
            f"{base.directory / 'config.json'}: no target takes this base: "
            f"{', '.join(dict.fromkeys(found.values()))}; choose another base."
        )
    return found
