"""Finds the toolset that a file of records belongs to: named, beside it, or inside its records."""

from pathlib import Path
from typing import Any

from edgetune.data.inline_tools import inline_tools, name_of
from edgetune.data.lines import numbered_lines, parse_json
from edgetune.data.readers import find_reader
from edgetune.tools.reader import read_tools, tools_from_list
from edgetune_runtime.calls import Toolset
from edgetune_runtime.errors import InputError


def find_tools(data: Path, tools: Path | str | None = None) -> Toolset:
    """The toolset of the records in `data`.

    `tools` (a path or the name of a built-in toolset) where it is given, else `tools.json` beside
    `data`, else the union of the records' own `tools`. Raises InputError where there is none.
    """
    if tools is not None:
        return read_tools(tools)
    beside = data.parent / "tools.json"
    if beside.is_file():
        return read_tools(beside)
    return _inline_tools(data)


def _inline_tools(data: Path) -> Toolset:
    format = find_reader(data)
    found: dict[str, Any] = {}
    for number, text in numbered_lines(data):
        for tool in _tools_of(text, format):
            tool_name = name_of(tool)
            if found.setdefault(str(tool_name), tool) != tool:
                raise InputError(
                    f"{data}:{number}: tool '{tool_name}' differs from the one of that name in an "
                    "earlier record; put the tools into a tools.json beside the data."
                )
    if not found:
        raise InputError(
            f"{data}: no tools in its records and no tools.json beside it; say which tools file "
            "it belongs to."
        )
    return tools_from_list(list(found.values()), str(data), data.resolve().parent.name)


def _tools_of(text: str, format: str) -> list[Any]:
    # A broken line is no reason to stop here: the check names it.
    try:
        record = parse_json(text, "the line")
    except InputError:
        return []
    return inline_tools(record, format) if isinstance(record, dict) else []
