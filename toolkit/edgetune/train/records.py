"""A run's records: written into its directory when it starts, read from it when it trains.

    data/{train,dev,test}.jsonl  negatives.jsonl     of several toolsets: data/<toolset>/…

Which tools and what base a run has is `prepare`'s.
"""

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edgetune.config import TrainConfig
from edgetune.data.records import Example, Record, read_records, write_jsonl
from edgetune.data.swap import swapped_examples
from edgetune.generate.foreign import without_subjects_of
from edgetune.generate.grown import Source, grown_records
from edgetune.generate.negatives import missing_negatives, unserved_records
from edgetune.generate.phone_values import SPLITS
from edgetune.generate.write import generator_of
from edgetune.settings import DataSettings, GenerateSettings
from edgetune.train.earlier import Earlier
from edgetune_export.run import data_directory
from edgetune_runtime.calls import Toolset
from edgetune_runtime.prompt import User

NEGATIVES = "negatives.jsonl"
"""The generated requests that no tool serves, where the recipe asks for some."""


@dataclass(frozen=True)
class ToolsetRecords:
    """One toolset of a run and the steps of its records."""

    toolset: Toolset
    data: DataSettings
    """The recipe's settings for it."""
    train: list[Example]
    dev: list[Example]
    swapped: list[Example] = field(default_factory=list)
    """Variants of `train` with other values."""
    negatives: list[Example] = field(default_factory=list)
    """Generated requests that no tool serves."""


def write_records(
    config: TrainConfig, toolsets: Sequence[Toolset], output: Path, earlier: Earlier | None = None
) -> None:
    """Copy or generate the records of each toolset into the run at `output`.

    Where the run grows from an `earlier` one and asks for the same records to be generated, tools
    that are as they were keep those that they have there.
    """
    for index, toolset in enumerate(toolsets):
        directory = _directory(output, toolset, toolsets)
        directory.mkdir(parents=True, exist_ok=True)
        data = config.listed[index].data
        others = [other for other in toolsets if other is not toolset]
        if data.generate is not None:
            _generate(data.generate, toolset, others, directory, earlier)
        else:
            for split in ("train", "dev"):
                given = getattr(data, split)
                if given is not None:
                    source = config.locate(given, config.field(index, f"data.{split}"))
                    # Read here, in whatever format, so that a bad one is named where it stands.
                    records = read_records(source, toolset)
                    if split == "train" and data.per_tool is not None:
                        records = _few(records, data.per_tool, config.train.seed)
                    write_jsonl(directory / f"{split}.jsonl", (record.source for record in records))
        if data.negatives:
            _write_negatives(config, data, toolset, others, directory)


def read_run_records(
    config: TrainConfig, toolsets: Sequence[Toolset], output: Path
) -> list[ToolsetRecords]:
    """The records of each toolset of the run at `output`, with the variants that training adds."""
    return [
        _read(config, config.listed[index].data, toolset, _directory(output, toolset, toolsets))
        for index, toolset in enumerate(toolsets)
    ]


def require_records(config: TrainConfig, toolsets: Sequence[Toolset]) -> None:
    """Read the records that the recipe names where they stand, before a run has copies of them.

    Raises InputError for one that is not right, with the user's own file and line.
    """
    for index, toolset in enumerate(toolsets):
        for split in ("train", "dev"):
            given = getattr(config.listed[index].data, split)
            if given is not None:
                read_records(config.locate(given, config.field(index, f"data.{split}")), toolset)


def _directory(output: Path, toolset: Toolset, toolsets: Sequence[Toolset]) -> Path:
    return data_directory(output, toolset.name, [each.name for each in toolsets])


def _read(
    config: TrainConfig, data: DataSettings, toolset: Toolset, directory: Path
) -> ToolsetRecords:
    train = _examples(directory / "train.jsonl", toolset)
    return ToolsetRecords(
        toolset,
        data,
        train,
        _examples(directory / "dev.jsonl", toolset),
        swapped_examples(toolset, train, data.swap_values, config.train.seed),
        _examples(directory / NEGATIVES, toolset),
    )


def _few(records: Sequence[Record], most: int, seed: int) -> list[Record]:
    """At most `most` of the records that first call the same tool, in their order."""
    of_tool: dict[str, list[int]] = {}
    for index, record in enumerate(records):
        of_tool.setdefault(record.calls[0].tool, []).append(index)
    rng = random.Random(seed)
    kept = [sorted(rng.sample(found, min(most, len(found)))) for found in of_tool.values()]
    return [records[index] for index in sorted(itertools.chain.from_iterable(kept))]


def _generate(
    settings: GenerateSettings,
    toolset: Toolset,
    others: Sequence[Toolset],
    directory: Path,
    earlier: Earlier | None,
) -> None:
    generate = generator_of(toolset, settings.trajectories)
    before = earlier.generated(toolset.name, settings) if earlier else None
    for split in SPLITS:
        count = getattr(settings, split)
        if count:
            records: Sequence[Source] = generate(count, settings.seed, split)
            if earlier is not None and before is not None:
                had = [record.source for record in earlier.records(toolset.name, split)]
                records = grown_records(before, had, toolset, records)
            write_jsonl(directory / f"{split}.jsonl", without_subjects_of(others, records))


def _write_negatives(
    config: TrainConfig,
    data: DataSettings,
    toolset: Toolset,
    others: Sequence[Toolset],
    directory: Path,
) -> None:
    """The requests that no tool serves which lack; none is a request of this run's records."""
    records = _read(config, data, toolset, directory)
    count = missing_negatives(data.negatives, [*records.train, *records.swapped])
    known = [
        turn.text
        for part in sorted(directory.glob("*.jsonl"))
        if part.name != NEGATIVES  # of a start that stopped
        for record in read_records(part, toolset)
        for turn in record.turns
        if isinstance(turn, User)
    ]
    found = unserved_records(toolset, count, config.train.seed, known)
    write_jsonl(directory / NEGATIVES, without_subjects_of(others, found))


def _examples(path: Path, toolset: Toolset) -> list[Example]:
    """Every step of every record; none where there is no such file."""
    if not path.exists():
        return []
    return [step for record in read_records(path, toolset) for step in record.steps(toolset)]
