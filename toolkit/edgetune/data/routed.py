"""Records of several toolsets: which toolset each step of a conversation belongs to.

A call says it by its tool's name. Where two toolsets have a tool of that name, the record says it
with a key `toolset` beside its `messages`. What picks the toolset at run time is not known here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgetune.data.lines import numbered_lines
from edgetune.data.readers import find_reader
from edgetune.data.records import Example, Record, fitted, parse_record, record_problem
from edgetune_runtime.calls import RESPOND_CALL, Call, Toolset
from edgetune_runtime.errors import InputError


@dataclass(frozen=True)
class RoutedStep:
    """One step of a conversation and the toolset that serves it."""

    example: Example
    toolset: str | None
    """None for `respond`, which the selector of any toolset may say."""


def read_routed(path: Path, toolsets: Mapping[str, Toolset]) -> list[list[RoutedStep]]:
    """The steps of every record of a JSONL file, each call valid against its tool's schema.

    Raises InputError at the first line that is not, or whose toolset cannot be told.
    """
    records = []
    format = find_reader(path)
    for number, text in numbered_lines(path):
        try:
            records.append(_steps(parse_record(number, text, format), toolsets))
        except InputError as error:
            raise InputError(f"{path}:{number}: {error}") from error
    if not records:
        raise InputError(f"{path}: holds no records; give a JSONL file with one a line.")
    return records


def _steps(record: Record, toolsets: Mapping[str, Toolset]) -> list[RoutedStep]:
    own = record.source.get("toolset")
    if own is not None and (not isinstance(own, str) or own not in toolsets):
        raise InputError(
            f"'toolset' is {own!r}, expected one of {', '.join(toolsets)}; correct it."
        )
    served = toolsets.values() if own is None else (toolsets[own],)
    together = Toolset(
        " + ".join(toolset.name for toolset in served),
        "",
        tuple(tool for toolset in served for tool in toolset.tools),
    )
    record = fitted(record, together)
    owners = [_owner(call, tuple(served)) for call in record.taught_calls]
    problem = record_problem(record, together)
    if problem:
        raise InputError(problem)
    return [
        RoutedStep(example, owner)
        for example, owner in zip(record.steps(together), owners, strict=True)
    ]


def _owner(call: Call, toolsets: Sequence[Toolset]) -> str | None:
    found = [toolset.name for toolset in toolsets if call.tool in toolset]
    if call == RESPOND_CALL or not found:
        return None
    if len(found) > 1:
        raise InputError(
            f"'{call.tool}' is a tool of {' and of '.join(found)}; say which one by a key "
            "'toolset' in the record."
        )
    return found[0]
