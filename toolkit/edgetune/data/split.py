"""`edgetune data split`: seeded train, dev and test parts, in which each tool has its share.

Knows nothing of files. Records that ask for the same thing stay together, so that no request of
the test part was seen in training.
"""

import random
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from edgetune.data.parts import write_parts
from edgetune.data.records import Record
from edgetune_runtime.calls import Toolset
from edgetune_runtime.errors import InputError
from edgetune_runtime.prompt import User
from edgetune_runtime.toolsets import dump_toolsets

FRACTIONS: Mapping[str, float] = {"train": 0.8, "dev": 0.1, "test": 0.1}
"""The split of the paper (arXiv:2510.00229)."""


def split_records(
    records: Sequence[Record], *, seed: int = 0, fractions: Mapping[str, float] = FRACTIONS
) -> dict[str, list[Record]]:
    """Parts of the given fractions, stratified by the first tool that a record calls.

    Records with the same first request (case, punctuation and spaces aside) are put into the same
    part. Each part keeps the order of `records`. A tool's first group of requests is spent on the
    largest part, so a tool with few records is missing from the small parts, not from training.
    Raises InputError where a fraction is not positive or they do not add up to 1.
    """
    if not fractions or any(not share > 0 for share in fractions.values()):
        raise InputError(f"the fractions {_shares(fractions)} must each be above 0.")
    if abs(sum(fractions.values()) - 1) > 1e-6:
        raise InputError(f"the fractions {_shares(fractions)} must add up to 1.")
    part_of = [""] * len(records)
    for tool, groups in sorted(_groups(records).items()):
        random.Random(f"{seed} {tool}").shuffle(groups)
        sizes = dict.fromkeys(fractions, 0)
        for group in groups:
            # Whoever is furthest behind its share takes the next group.
            total = sum(sizes.values()) + len(group)
            part = max(fractions, key=lambda name: fractions[name] * total - sizes[name])
            sizes[part] += len(group)
            for index in group:
                part_of[index] = part
    return {
        name: [record for record, part in zip(records, part_of, strict=True) if part == name]
        for name in fractions
    }


def write_split(
    parts: Mapping[str, Sequence[Record]],
    toolset: Toolset,
    directory: Path,
    *,
    force: bool = False,
) -> None:
    """Write each part as `<name>.jsonl` into `directory`, and their tools as `tools.json`.

    Raises InputError where something else is there and there is no `force`.
    """
    sources = {name: [record.source for record in records] for name, records in parts.items()}
    write_parts(directory, toolset, dump_toolsets([toolset]), sources, force=force)


def _groups(records: Sequence[Record]) -> dict[str, list[list[int]]]:
    """Per tool: indices of the records, those with the same request together."""
    groups: dict[str, list[int]] = {}
    for index, record in enumerate(records):
        groups.setdefault(_request(record), []).append(index)
    by_tool: dict[str, list[list[int]]] = {}
    for group in groups.values():
        by_tool.setdefault(records[group[0]].calls[0].tool, []).append(group)
    return by_tool


def _request(record: Record) -> str:
    """What the user asks first, without what would not make it another request."""
    text = next((turn.text for turn in record.turns if isinstance(turn, User)), "")
    return " ".join(re.findall(r"\w+", text.casefold()))


def _shares(fractions: Mapping[str, float]) -> str:
    return ", ".join(f"{name}={share}" for name, share in fractions.items()) or "(none)"
