"""What this machine is good for: packages, what they are enough for, and what it computes with.

Imports none of the packages that it reports on, but torch where a GPU's driver is found. Works with
the runtime's core dependencies alone.
"""

import platform
import shutil
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from edgetune.machine.packages import Package, read_packages
from edgetune.machine.processor import free_disk, free_memory, read_processor
from edgetune_export.lowering.targets import TARGETS
from edgetune_runtime.engines import ENGINES

_TRAINING = {"train", "tools"}
"""Extras that training needs: the first brings the second."""

_SLOW = (
    "this processor has no bfloat16 instructions: training will be slow, in float32; take a GPU, "
    "or a small base and few records."
)


def survey() -> dict[str, Any]:
    """All of it as one JSON object; `ok` tells whether every installed package is one asked for.

    Raises InputError where edgetune is not installed, only importable.
    """
    packages = read_packages()
    processor = read_processor()
    gpus = _gpus()
    slow = processor.trains_in_bfloat16 is False and not gpus
    return {
        "ok": all(package.serves is not False for package in packages),
        "edgetune": version("edgetune"),
        "python": platform.python_version(),
        "packages": [_package(package) for package in packages],
        "abilities": list(_abilities(packages)),
        "processor": processor.as_json(),
        "gpus": gpus,
        "free_memory_bytes": free_memory(),
        "free_disk_bytes": free_disk(Path.cwd()),
        "notes": [_SLOW] if slow else [],
    }


def _package(package: Package) -> dict[str, Any]:
    return {
        "name": package.name,
        "installed": package.installed,
        "asked": str(package.asked),
        "serves": package.serves,
        "tested": package.tested,
        "is_tested": package.is_the_tested_one,
        "extras": package.extras,
    }


def _abilities(packages: Sequence[Package]) -> Iterator[dict[str, Any]]:
    """Training, every target and every engine, each with what is missing for it."""
    needed = [package for package in packages if _TRAINING & set(package.extras)]
    missing = [package.name for package in needed if package.installed is None]
    yield _ability("training", "", missing, "train")
    for name, lowering in TARGETS.items():
        yield _ability("target", name, lowering.missing, f"export,{lowering.extra}")
    for name, engine in ENGINES.items():
        missing = [package for package in engine.packages if find_spec(package) is None]
        yield _ability("engine", name, missing, name)


def _ability(kind: str, name: str, missing: list[str], extras: str) -> dict[str, Any]:
    install = f"pip install 'edgetune[{extras}]'"
    return {"kind": kind, "name": name, "missing": missing, "install": install}


def _gpus() -> list[str]:
    """The GPUs that torch sees; it takes seconds to import and is asked where there may be one."""
    has_driver = shutil.which("nvidia-smi") is not None or Path("/dev/kfd").exists()
    if not has_driver or find_spec("torch") is None:
        return []
    import torch

    return [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
