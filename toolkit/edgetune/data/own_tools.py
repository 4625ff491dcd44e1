"""Records that bring their own tools: every one is read by the tools that stand in it.

What a record's tools look like in the file is `inline_tools`' to know; here each record becomes
steps over a toolset of its own, so that two records may have different tools of one name.
"""

from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from edgetune.data.inline_tools import inline_tools
from edgetune.data.lines import numbered_lines
from edgetune.data.readers import find_reader
from edgetune.data.records import Example, fitted, parse_record, record_problem
from edgetune.tools.reader import tools_from_list
from edgetune_runtime.calls import Toolset
from edgetune_runtime.errors import GrammarError, InputError

OPEN = "open"
"""What the toolset of each record is called."""


@dataclass(frozen=True)
class OpenStep:
    """One step of a conversation and the tools that its record brings."""

    example: Example
    toolset: Toolset


def read_open(path: Path, limit: int | None = None) -> list[list[OpenStep]]:
    """The steps of each record of a file, or of its first `limit`, in whatever format.

    Each call is valid against the record's own tools. Raises InputError, in one sentence with the
    line's number, at the first that is not, for a record without tools, and where a call is of a
    tool that no grammar can hold.
    """
    records = []
    format = find_reader(path)
    for number, text in islice(numbered_lines(path), limit):
        try:
            records.append(_steps(number, text, format))
        except (InputError, GrammarError) as error:
            raise InputError(f"{path}:{number}: {error}") from error
    if not records:
        raise InputError(f"{path}: holds no records; give a JSONL file with one a line.")
    return records


def _steps(number: int, text: str, format: str) -> list[OpenStep]:
    record = parse_record(number, text, format)
    listed = inline_tools(record.source, "messages")
    if not listed:
        raise InputError(
            "the record brings no tools of its own; give it the key 'tools' with a list in the "
            "OpenAI format, or measure on a toolset that all records share, without --open."
        )
    toolset = tools_from_list(listed, "tools", OPEN)
    record = fitted(record, toolset)
    problem = record_problem(record, toolset)
    if problem:
        raise InputError(problem)
    return [OpenStep(example, toolset) for example in record.steps(toolset)]
