"""A run that grows from an earlier one: what stays as it is, what goes on, what is trained anew.

An adapter stays where its examples and its settings are those that it was trained on: its files are
copied. One that selects goes on from its weights where its examples alone are others; all else is
trained as in a run of its own. What the earlier run is, and whether it fits, is `earlier`'s.
"""

import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgetune.config import TrainConfig
from edgetune.train.adapter import Job
from edgetune.train.batches import plan_steps
from edgetune.train.done import add_adapter, read_metrics
from edgetune.train.earlier import Earlier
from edgetune.train.jobs import batch_size
from edgetune.train.reopen import difference
from edgetune.train.start import Start, keep_starts
from edgetune_export.progress import console
from edgetune_export.run import WEIGHTS
from edgetune_export.run_record import read_run_record
from edgetune_runtime.calls import RESPOND
from edgetune_runtime.errors import InputError
from edgetune_runtime.files import replaced_directory

SELECTING = ("selector", "router")
"""Roles whose adapters go on: what they knew of the old names is worth more than what is new."""

REPLAYED = 0.15
"""Share of a whole training's examples of the old names that an adapter which goes on sees again,
lest it forget them; those of a new name it sees as often as in a whole training."""


@dataclass(frozen=True)
class Fate:
    """What becomes of one adapter."""

    job: Job
    told: str | None
    """Why it is not kept, as it is told behind its name; None where it is."""
    continued: bool = False


def grow(jobs: Sequence[Job], earlier: Earlier, config: TrainConfig, output: Path) -> list[Job]:
    """Copy what stays of `earlier` into the run at `output`; the jobs of that run.

    A job whose adapter is there needs no training; one that goes on has its weights in the run's
    `start/` and fewer steps. Raises InputError where the earlier run is damaged.
    """
    fates = [_fate(job, earlier, config) for job in jobs]
    kept = [fate.job.data.name for fate in fates if fate.told is None]
    _tell(fates, earlier.path)
    _copy(kept, earlier, output, [job.data.name for job in jobs])
    grown = []
    for fate in fates:
        job, entry = fate.job, earlier.adapters.get(fate.job.data.name)
        if entry is not None and fate.told is None:
            # The common start's own examples would be others now, and it stays all the same.
            job = replace(job, data=replace(job.data, sha256=entry.data_sha256))
        elif entry is not None and fate.continued:
            assert earlier.record.base is not None
            directory = earlier.path / entry.directory
            keep_starts({entry.name: Start(directory, earlier.record.base, job.adapter)}, output)
            job = replace(
                job,
                plan=continued_plan(job, _known_names(job, earlier, kept)),
                continued=True,
                start_base_sha256=earlier.record.base.weights_sha256,
            )
        grown.append(job)
    return grown


def continued_plan(job: Job, known: Collection[str]) -> list[list[int]]:
    """The steps of an adapter that goes on and has learnt the names `known`.

    Of the job's own plan, the examples of other names, and `REPLAYED` of those of known ones.
    """
    drawn = [index for step in job.plan for index in step]
    old = [index for index in drawn if job.data.train[index].name in known]
    new = [index for index in drawn if job.data.train[index].name not in known]
    seen = [*new, *old[: max(1, round(REPLAYED * len(old)))]]
    lengths = [len(job.data.train[index].ids) for index in seen]
    plan = plan_steps(lengths, batch_size(job.train), job.train.seed, examples=len(seen))
    return [[seen[place] for place in step] for step in plan]


def _fate(job: Job, earlier: Earlier, config: TrainConfig) -> Fate:
    entry = earlier.adapters.get(job.data.name)
    if entry is None:
        return Fate(job, "is new")
    ours, theirs = _settings(job, config), _settings(job, earlier.config)
    if ours != theirs:
        return Fate(job, f"is trained anew: {difference(ours, theirs)}")
    if job.data.is_common:
        return Fate(job, None)  # a start only, and as good a one for one tool more
    if entry.data_sha256 != job.data.sha256:
        if job.data.role in SELECTING:
            return Fate(job, "goes on from there: its examples have changed", continued=True)
        return Fate(job, "is trained anew: its examples have changed")
    if job.data.role == "monolithic" and entry.steps != len(job.plan):
        return Fate(job, "is trained anew: the others draw another number of examples")
    return Fate(job, None)


def _settings(job: Job, config: TrainConfig) -> dict[str, Any]:
    """All of a recipe that decides what the adapter of `job` learns from its examples."""
    role = job.data.role
    settings = config.train if job.data.is_common else config.train_of(role, job.data.tool)
    found: dict[str, Any] = {
        "adapter": config.adapter_of(role).model_dump(mode="json"),
        "train": settings.model_dump(mode="json", exclude={"start"}),
    }
    if role == "arguments":
        found["arguments"] = {"common_epochs": config.arguments.common_epochs}
    elif role == "selector":
        found["selector"] = config.selector.model_dump(mode="json", include={"hard_negatives"})
    return found


def _known_names(job: Job, earlier: Earlier, kept: Collection[str]) -> set[str]:
    """The names that a selector or router has learnt and that still mean what they did: those of
    tools whose arguments adapters are kept, or that have none."""
    if job.data.toolset is None:
        return set(earlier.toolsets)
    prefix = f"{job.data.toolset}.arguments."
    tools = earlier.toolsets[job.data.toolset].tools
    known = {t.name for t in tools if not t.has_parameters or prefix + t.name in kept}
    return {*known, RESPOND}


def _copy(kept: Sequence[str], earlier: Earlier, output: Path, names: Sequence[str]) -> None:
    """Copy the adapters that the run lacks, each with what is known of it."""
    listed = {
        entry.name
        for entry in read_run_record(output).adapters
        if (output / "adapters" / entry.name / WEIGHTS).is_file()
    }
    lacking = [name for name in kept if name not in listed]
    metrics = read_metrics(earlier.path) if lacking else {}
    for name in lacking:
        if name not in metrics:
            raise InputError(
                f"{earlier.path / 'metrics.json'}: has no adapter '{name}', which run.json lists; "
                "put the file back, or train without --from."
            )
        entry, place = earlier.adapters[name], f"adapters/{name}"
        with replaced_directory(output / place) as fresh:
            # Copies: what is done to this run's files is never done to the earlier one's.
            shutil.copytree(earlier.path / entry.directory, fresh, dirs_exist_ok=True)
        entry = entry.model_copy(update={"directory": place, "origin": "kept"})
        add_adapter(output, entry, {**metrics[name], "origin": "kept"}, names)


def _tell(fates: Sequence[Fate], source: Path) -> None:
    kept = sum(fate.told is None for fate in fates)
    console.print(f"From {source}: {kept} of {len(fates)} adapters are kept", soft_wrap=True)
    for fate in fates:
        if fate.told is not None:
            console.print(f"{fate.job.data.name} {fate.told}", highlight=False, soft_wrap=True)
