"""Puts a finished skill into a training run, so that the run's bundle serves other tools, too."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edgetune.config import TrainConfig
from edgetune.settings import AdapterSettings
from edgetune.train.done import add_adapter, read_metrics
from edgetune.train.start import Start, check_base, finished_run, shipped_skill
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
    path = shipped_skill(config.skill) or config.locate(config.skill, SKILL)
    skill_start(path, SKILL)
    return path


def skill_start(skill: Path, key: str) -> Start:
    """The skill in the directory `skill`, which `key` names, as what another one starts from.

    Raises InputError where that is no finished skill.
    """
    record = finished_run(skill, skill, key)
    assert record.base is not None
    start = Start(skill / _entry(skill, key).directory, record.base, AdapterSettings())
    if not (start.directory / WEIGHTS).is_file():
        raise InputError(f"{key}: {start.directory / WEIGHTS} is missing; put it back.")
    return start


def check_skill(skill: Path, base: Base | Checkpoint, name: str) -> None:
    """Raise InputError where the skill is of another checkpoint than `base` (called `name`)."""
    check_base(skill_start(skill, SKILL), base, name, SKILL)


def take_skill(skill: Path, output: Path, base: Base, names: Sequence[str]) -> dict[str, Any]:
    """Copy the skill into the run at `output`, whose adapters are `names`; its metrics."""
    entry, start = _entry(skill, SKILL), skill_start(skill, SKILL)
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


def _entry(skill: Path, key: str) -> AdapterRecord:
    entries = [each for each in finished_run(skill, skill, key).adapters if each.role == SKILL]
    if not entries:
        raise InputError(
            f"{key}: {skill} is a training run without a skill; give what `edgetune skill make` "
            "wrote."
        )
    return entries[0]
