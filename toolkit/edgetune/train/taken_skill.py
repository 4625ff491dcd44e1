"""Puts a finished skill into a training run, so that the run's bundle serves other tools, too."""

import shutil
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from edgetune.bases.table import KNOWN
from edgetune.config import TrainConfig
from edgetune.settings import AdapterSettings
from edgetune.train.done import add_adapter, read_metrics
from edgetune.train.start import Start, check_base, finished_run
from edgetune_export.run import WEIGHTS
from edgetune_export.run_record import AdapterRecord
from edgetune_export.weights.base import Base
from edgetune_export.weights.checkpoint import Checkpoint
from edgetune_runtime.errors import InputError
from edgetune_runtime.files import replaced_directory
from edgetune_runtime.manifest import SKILL


def find_skill(config: TrainConfig) -> Path | None:
    """The directory of the recipe's `skill`, None where it has none: one that ships with edgetune
    is called as its base is.

    Raises InputError where that is no finished skill.
    """
    if config.skill is None:
        return None
    shipped = Path(str(resources.files("edgetune.skill"))) / "shipped" / config.skill
    path = shipped if config.skill in KNOWN and shipped.is_dir() else None
    path = path or config.locate(config.skill, SKILL)
    entry = _entry(path)
    if not (path / entry.directory / WEIGHTS).is_file():
        raise InputError(f"{SKILL}: {path / entry.directory / WEIGHTS} is missing; put it back.")
    return path


def check_skill(skill: Path, base: Base | Checkpoint, name: str) -> None:
    """Raise InputError where the skill is of another checkpoint than `base` (called `name`)."""
    check_base(_start(skill), base, name, SKILL)


def take_skill(skill: Path, output: Path, base: Base, names: Sequence[str]) -> dict[str, Any]:
    """Copy the skill into the run at `output`, whose adapters are `names`; its metrics."""
    entry, start = _entry(skill), _start(skill)
    metrics = {**read_metrics(skill)[SKILL], "origin": "kept"}
    place = f"adapters/{SKILL}"
    with replaced_directory(output / place) as fresh:
        shutil.copytree(start.directory, fresh, dirs_exist_ok=True)
    began = start.base.weights_sha256
    changes = {
        "directory": place,
        "origin": "kept",
        "start_base_sha256": None if began == base.weights_sha256 else began,
    }
    add_adapter(output, entry.model_copy(update=changes), metrics, names)
    return metrics


def _entry(skill: Path) -> AdapterRecord:
    entries = [each for each in finished_run(skill, skill, SKILL).adapters if each.role == SKILL]
    if not entries:
        raise InputError(
            f"{SKILL}: {skill} is a training run without a skill; give what `edgetune skill make` "
            "wrote."
        )
    return entries[0]


def _start(skill: Path) -> Start:
    record = finished_run(skill, skill, SKILL)
    assert record.base is not None
    return Start(skill / _entry(skill).directory, record.base, AdapterSettings())
