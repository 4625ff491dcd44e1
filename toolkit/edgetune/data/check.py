"""`edgetune data check`: which records fit their tools, which are dropped, and why, line by line.

Never stops at a bad record: the reasons are its result. What a valid call is, `tools.schema` says.
"""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from edgetune.data.lines import numbered_lines
from edgetune.data.parts import write_part
from edgetune.data.readers import find_reader
from edgetune.data.records import Record, read_record
from edgetune_runtime.calls import Call, Toolset
from edgetune_runtime.errors import InputError


class Dropped(NamedTuple):
    """A line that is no valid record, and why, in one sentence."""

    line: int
    reason: str


class Duplicate(NamedTuple):
    """A line that says the same as an earlier one."""

    line: int
    first: int


@dataclass(frozen=True)
class CheckReport:
    """What a file of records holds; every line that is not blank is in exactly one of the lists."""

    path: Path
    format: str
    """The key in `readers.READERS` of the format that it is in."""
    kept: list[Record]
    dropped: list[Dropped]
    duplicates: list[Duplicate]
    per_tool: dict[str, int]
    """How many steps that the kept records teach call each tool of the toolset, `respond` last."""
    written: dict[str, int]
    """How many of their messages hold calls as text, by the form they are written in."""
    untaught: int
    """How many of their steps are history alone, since their weight is 0."""

    def as_json(self) -> dict[str, Any]:
        """The report as a JSON value."""
        return {
            "path": str(self.path),
            "format": self.format,
            "lines": len(self.kept) + len(self.dropped) + len(self.duplicates),
            "kept": len(self.kept),
            "dropped": [entry._asdict() for entry in self.dropped],
            "duplicates": [entry._asdict() for entry in self.duplicates],
            "per_tool": self.per_tool,
            "written": self.written,
            "untaught": self.untaught,
        }


def check_records(path: Path, toolset: Toolset) -> CheckReport:
    """Validate every record of a file, in whatever format, against the schemas of `toolset`.

    Raises InputError only where the file itself cannot be read: none of its records is of a format
    that is known, or there are none.
    """
    kept: list[Record] = []
    dropped: list[Dropped] = []
    duplicates: list[Duplicate] = []
    first_lines: dict[str, int] = {}
    format = find_reader(path)
    for line, text in numbered_lines(path):
        try:
            record = read_record(line, text, format, toolset)
        except InputError as error:
            dropped.append(Dropped(line, str(error)))
            continue
        first = first_lines.setdefault(conversation_key(record), line)
        if first == line:
            kept.append(record)
        else:
            duplicates.append(Duplicate(line, first))
    if not (kept or dropped):
        raise InputError(f"{path}: holds no records; give a JSONL file with one a line.")
    counts = Counter(toolset.resolve(call).tool for record in kept for call in record.taught_calls)
    written = sum((record.written for record in kept), Counter[str]())
    return CheckReport(
        path,
        format,
        kept,
        dropped,
        duplicates,
        {toolset.public_name(name): counts[name] for name in toolset.names},
        dict(written),
        sum(len(record.untaught) for record in kept),
    )


def write_checked(report: CheckReport, output: Path, *, force: bool = False) -> None:
    """Write the records that were kept, one a line, in the conversational format; whole or not at
    all.

    Raises InputError where no record was kept, or `output` holds something else and there is no
    `force`.
    """
    if not report.kept:
        raise InputError(
            f"{report.path}: no record was kept, so {output} was not written; see the reasons."
        )
    write_part(output, (record.source for record in report.kept), force=force)


def conversation_key(record: Record) -> str:
    """Equal for two records exactly where their turns, calls and results are equal, and as taught.

    The order of arguments doesn't count, since rendering puts them into the schema's order.
    """
    turns = [
        {"call": turn.tool, "arguments": turn.arguments}
        if isinstance(turn, Call)
        else {type(turn).__name__: turn.text}
        for turn in record.turns
    ]
    return json.dumps([turns, sorted(record.untaught)], sort_keys=True)
