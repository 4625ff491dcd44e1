"""Records that a teacher has given so far, on disk, so that a stopped run goes on where it was."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgetune_runtime.calls import Toolset
from edgetune_runtime.errors import InputError
from edgetune_runtime.files import sha256_bytes

UNFINISHED = "teacher.jsonl"
"""What is kept while records are missing: a line that says for what, then one a record."""

Quotas = Counter[tuple[str, str]]
"""By split and tool, a number of records."""


@dataclass
class Kept:
    """Records so far, a line each."""

    path: Path
    records: list[dict[str, Any]] = field(default_factory=list)

    def add(self, split: str, tool: str, record: Mapping[str, Any]) -> None:
        """Keep a record; it is on disk when this returns."""
        line = {"split": split, "tool": tool, "record": record}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
        self.records.append(line)

    @property
    def counts(self) -> Quotas:
        """How many of each."""
        return Counter((line["split"], line["tool"]) for line in self.records)

    def requests(self, tool: str | None = None) -> list[str]:
        """What people say in them, of one tool or all."""
        return [
            line["record"]["messages"][0]["content"]
            for line in self.records
            if tool in (None, line["tool"])
        ]

    def parts(self, splits: Mapping[str, int]) -> dict[str, list[dict[str, Any]]]:
        """The records of each split."""
        return {
            split: [line["record"] for line in self.records if line["split"] == split]
            for split in splits
        }


def quotas(names: Sequence[str], counts: Mapping[str, int]) -> Quotas:
    """How many records of each split and tool are wanted: as evenly as it goes."""
    return Counter(
        {
            (split, name): count // len(names) + (index < count % len(names))
            for split, count in counts.items()
            for index, name in enumerate(names)
        }
    )


def open_kept(path: Path, toolset: Toolset, about: Mapping[str, Any]) -> Kept:
    """What `path` holds of `toolset` by the teacher that `about` tells of, or an empty beginning.

    Raises InputError where it holds something else, or is damaged.
    """
    tools = json.dumps([tool.as_openai() for tool in toolset.tools], sort_keys=True)
    header = {"tools_sha256": sha256_bytes(tools.encode()), **about}
    kept = Kept(path)
    found = None
    if path.exists():
        # A line that was being written when the run was killed is asked for again.
        whole, ended, _ = path.read_bytes().rpartition(b"\n")
        path.write_bytes(whole + ended)
        try:
            lines = [json.loads(line) for line in whole.split(b"\n") if line]
            found = lines[0] if lines else None
            kept.records = [
                line for line in lines[1:] if {"split", "tool", "record"} <= line.keys()
            ]
        except (ValueError, AttributeError) as error:
            raise InputError(f"{path}: is damaged ({error}); remove it to start anew.") from error
    if kept.records and found != header:
        raise InputError(
            f"{path}: holds unfinished work for other tools or another model "
            f"({found and found.get('model')}); finish that, or choose another --output."
        )
    if not kept.records:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(header) + "\n", encoding="utf-8")
    return kept
