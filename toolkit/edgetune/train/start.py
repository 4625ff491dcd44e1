"""Adapters of an earlier run as where those of this one start from.

Their base may have been quantized otherwise, if it was made of the same float checkpoint: what was
learnt on one rounding is a start on another. What is trained from there fits this run's base alone.
Here starts are found, compared and put into the run; what `train.start` may say is `settings`'.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from edgetune.bases.table import KNOWN
from edgetune.config import TrainConfig
from edgetune.settings import AdapterSettings
from edgetune.train.router import ROUTER
from edgetune_export.run import WEIGHTS
from edgetune_export.run_record import RUN, BaseRecord, RunRecord, read_run_record
from edgetune_export.weights.base import Base
from edgetune_export.weights.checkpoint import Checkpoint
from edgetune_runtime.calls import Toolset
from edgetune_runtime.errors import InputError
from edgetune_runtime.files import link
from edgetune_runtime.manifest import SKILL, Role

STARTS = "start"
"""The folder of a run that holds, by name, the weights that its adapters start from."""

_SHAPE = {
    "rank": "r",
    "alpha": "lora_alpha",
    "rslora": "use_rslora",
    "targets": "target_modules",
    "layers": "layers_to_transform",
}
"""Keys of `adapter` that a start must share, and what PEFT calls them."""


@dataclass(frozen=True)
class Start:
    """A trained adapter that another one starts from."""

    directory: Path
    """As PEFT saved it."""
    base: BaseRecord
    """What it was trained on."""
    shape: AdapterSettings
    """Of the adapter that starts from it."""


def find_starts(config: TrainConfig, toolsets: Sequence[Toolset]) -> dict[str, Start]:
    """Adapter name to where it starts from, of those that have a start.

    A tool skill is where all start that name it. Raises InputError where `train.start` is no run
    that is finished and no adapter of one, or none of a run's adapters is called as one of these.
    """
    found: dict[str, Start] = {}
    wanted = adapter_names(config, toolsets)
    for given in {config.train_of(*who).start: None for who in wanted.values()}:
        if given is None:
            continue
        path = shipped_skill(given) or config.locate(given, "train.start")
        run = path if (path / RUN).is_file() else path.absolute().parent.parent
        record = finished_run(run, path, "train.start")
        by_name = {entry.name: run / entry.directory for entry in record.adapters}
        skill = by_name[SKILL] if by_name.keys() == {SKILL} else None
        if run != path and path.absolute() not in by_name.values():
            raise InputError(
                f"train.start: {path} is no adapter of the run {run}, so that nothing tells which "
                "base it was trained on; give a run, or an adapter's directory in one."
            )
        assert record.base is not None
        mine = {name: who for name, who in wanted.items() if config.train_of(*who).start == given}
        for name, (role, _) in mine.items():
            directory = path if run != path else skill or by_name.get(name)
            if directory is not None:
                if not (directory / WEIGHTS).is_file():
                    raise InputError(f"train.start: {directory / WEIGHTS} is missing; put it back.")
                found[name] = Start(directory, record.base, config.adapter_of(role))
        if not found.keys() & mine.keys():
            raise InputError(
                f"train.start: {path} has none of the adapters {', '.join(mine)} (it has "
                f"{', '.join(by_name)}); give another run, or one adapter's directory in it."
            )
    return found


def shipped_skill(name: str) -> Path | None:
    """The skill that ships with edgetune for the base of that name, None where there is none."""
    shipped = Path(str(resources.files("edgetune.skill"))) / "shipped" / name
    return shipped if name in KNOWN and shipped.is_dir() else None


def check_starts(starts: Mapping[str, Start], base: Base | Checkpoint, name: str) -> None:
    """Raise InputError for a start of another float checkpoint than `base` (called `name`) is made
    of, or of another shape than the adapter has."""
    for adapter, start in starts.items():
        check_base(start, base, name, "train.start")
        _check_shape(adapter, start, base.config.num_hidden_layers)


def check_base(start: Start, base: Base | Checkpoint, name: str, key: str) -> None:
    """Raise InputError, naming the recipe's `key`, for a start of another float checkpoint than
    `base` (called `name`) is made of."""
    ours = base.checkpoint_sha256 if isinstance(base, Base) else base.sha256
    codes = base.weights_sha256 if isinstance(base, Base) else None
    theirs = start.base.checkpoint_sha256
    if start.base.weights_sha256 == codes:
        return
    if ours is None or theirs is None:
        without = name if ours is None else start.base.name
        raise InputError(
            f"{key}: {start.directory} was trained on the base {_hash(start.base)}, not "
            f"on '{name}' itself, and '{without}' does not say which float checkpoint it is "
            "made of, as an older edgetune made it; make that anew, or train on the same base."
        )
    if ours != theirs:
        raise InputError(
            f"{key}: {start.directory} was trained on '{start.base.name}' of the float "
            f"checkpoint {theirs[:12]}…, but '{name}' is made of {ours[:12]}…; start from "
            "an adapter of the same checkpoint."
        )


def keep_starts(starts: Mapping[str, Start], run: Path) -> None:
    """Put the weights into the run, which holds all that it is made of."""
    for name, start in starts.items():
        kept = run / STARTS / name / WEIGHTS
        kept.unlink(missing_ok=True)
        link(start.directory / WEIGHTS, kept)


def adapter_names(
    config: TrainConfig, toolsets: Sequence[Toolset]
) -> dict[str, tuple[Role, str | None]]:
    """Role and tool, by name, of every adapter that there may be but the common ones."""
    found: dict[str, tuple[Role, str | None]] = {}
    for toolset in toolsets:
        found[f"{toolset.name}.selector"] = "selector", None
        for tool in toolset.tools:
            if tool.has_parameters:
                found[f"{toolset.name}.arguments.{tool.name}"] = "arguments", tool.name
        if config.monolithic.enabled:
            found[f"{toolset.name}.monolithic"] = "monolithic", None
    if config.routed:
        found[ROUTER] = "router", None
    return found


def finished_run(run: Path, given: Path, key: str) -> RunRecord:
    """The record of the run at `run`, which `given` says in the recipe's `key`.

    Raises InputError where it is no run, or not finished.
    """
    if not (run / RUN).is_file():
        raise InputError(
            f"{key}: {given} is neither a training run nor an adapter's directory in one "
            f"(there is no {run / RUN}); give what `edgetune train` wrote."
        )
    record = read_run_record(run)
    if not record.complete or record.base is None:
        raise InputError(
            f"{key}: {run} is not finished; run the command that began it again, or give another "
            "run."
        )
    return record


def _check_shape(adapter: str, start: Start, layers: int) -> None:
    path = start.directory / "adapter_config.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); give another train.start.") from error
    for key, theirs in _SHAPE.items():
        wanted, there = getattr(start.shape, key), found.get(theirs)
        if key == "layers":
            there = len(there or range(layers))
            wanted = wanted or layers
        elif key == "targets":
            wanted, there = sorted(wanted), sorted(there or ())
        if wanted != there:
            raise InputError(
                f"'adapter.{key}' is {_shown(wanted)} for {adapter}, but {start.directory}, from "
                f"which it is to start, has {_shown(there)}; make them alike, or remove "
                "'train.start'."
            )


def _shown(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)


def _hash(base: BaseRecord) -> str:
    return f"'{base.name}' ({base.weights_sha256[:12]}…)"
