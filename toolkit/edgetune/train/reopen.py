"""What an output directory holds already: nothing, this run as far as it got, or another's.

What is there is used again if it came from the same recipe and the same data, and refused if not.
How a run is made is `prepare`'s.
"""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from edgetune.config import TrainConfig
from edgetune.train.start import STARTS
from edgetune_export.run_record import RUN, read_run_record
from edgetune_runtime.errors import InputError

_WRITTEN = (RUN, "tools.json", "base", "data", STARTS)
"""What a run consists of before anything is trained."""


class OtherRun(InputError):
    """The output holds a run of another recipe, of other data or of another base."""


def reopen(
    output: Path, config: TrainConfig, sources: Mapping[str, str], paths: Sequence[Path]
) -> Literal["new", "begun", "stale", "started"]:
    """What `output` holds of this run: nothing, its beginning, that of another, or all it starts
    from. Raises InputError for something else, or another's run.

    `paths` are those that the recipe names.
    """
    if not output.exists() or (output.is_dir() and not any(output.iterdir())):
        return "new"
    if not (output / RUN).is_file():
        raise InputError(
            f"{output}: exists and is no training run (it has no {RUN}); choose another "
            "--output or remove it."
        )
    found = read_run_record(output)
    for what, ours, theirs in (
        ("recipe", config.model_dump(mode="json"), with_defaults(found.config)),
        ("data", dict(sources), found.sources),
    ):
        if ours != theirs and not found.adapters and not (output / "state").exists():
            # It stopped before anything was trained, over a mistake in a record for instance.
            for path in paths:
                if path.resolve().is_relative_to(output.resolve()):
                    raise InputError(
                        f"{path}: lies in {output}, which holds the beginning of a run of another "
                        f"{what} and would be made anew; move it, or choose another --output."
                    )
            return "stale"
        if ours != theirs:
            raise OtherRun(
                f"{output}: holds a run of another {what} ({difference(ours, theirs)}); choose "
                "another --output, or remove it to train afresh."
            )
    return "begun" if found.base is None else "started"


def clear(output: Path) -> None:
    """Remove what a run of another recipe began with."""
    for name in _WRITTEN:
        if (output / name).is_dir():
            shutil.rmtree(output / name)
        else:
            (output / name).unlink(missing_ok=True)


def with_defaults(recipe: Any) -> Any:
    """A run's recipe with the keys that edgetune has got since, as they are by default."""
    try:
        return TrainConfig.model_validate(recipe).model_dump(mode="json")
    except ValidationError:
        return recipe


def difference(ours: Any, theirs: Any, place: str = "") -> str:
    """The first place where two JSON values differ."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in [*ours, *(key for key in theirs if key not in ours)]:
            if ours.get(key) != theirs.get(key):
                inner = f"{place}.{key}" if place else key
                return difference(ours.get(key), theirs.get(key), inner)
    return f"'{place}' is {theirs!r:.80} there and {ours!r:.80} here"
