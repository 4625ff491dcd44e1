"""Records written where a user said: a file, or a folder of parts with their `tools.json`.

What is there already is kept. Knows nothing of how records come about or what they mean.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from edgetune.data.records import jsonl
from edgetune.tools.reader import read_tools
from edgetune_runtime.calls import Toolset
from edgetune_runtime.errors import InputError
from edgetune_runtime.files import require_replaceable, write_bytes, write_json

Parts = Mapping[str, Iterable[Mapping[str, Any]]]
"""The records of each part, by its name."""


def write_parts(
    directory: Path, toolset: Toolset, tools: Any, parts: Parts, *, force: bool = False
) -> None:
    """Write each part as `<name>.jsonl` into `directory`, and `tools`, as JSON, as `tools.json`.

    A `tools.json` that says the same `toolset` in other words stays as it is. Raises InputError,
    before anything is written, where a file that is there holds other records or tools and there is
    no `force`.
    """
    contents = {directory / f"{name}.jsonl": jsonl(records) for name, records in parts.items()}
    for path, content in contents.items():
        _require_same(path, content, force)
    if not says_tools(directory, toolset, force=force):
        write_json(directory / "tools.json", tools)
    for path, content in contents.items():
        write_bytes(path, content)


def says_tools(directory: Path, toolset: Toolset, *, force: bool = False) -> bool:
    """Whether the `tools.json` of `directory` has the tools of `toolset` already.

    Raises InputError where it holds something else and there is no `force`.
    """
    path = directory / "tools.json"

    def same(found: Path) -> bool:
        try:
            return read_tools(found, toolset.name).tools == toolset.tools
        except InputError:
            return False

    require_replaceable(path, same, force=force)
    return path.is_file() and same(path)


def require_no_parts(directory: Path, names: Iterable[str], *, force: bool = False) -> None:
    """Raise InputError where a part is there already and there is no `force`."""
    for name in names:
        _require_same(directory / f"{name}.jsonl", b"", force)


def write_part(path: Path, records: Iterable[Mapping[str, Any]], *, force: bool = False) -> None:
    """Write records to the one file `path`, whole or not at all.

    Raises InputError where it holds something else and there is no `force`.
    """
    content = jsonl(records)
    _require_same(path, content, force)
    write_bytes(path, content)


def _require_same(path: Path, content: bytes, force: bool) -> None:
    require_replaceable(path, lambda found: found.read_bytes() == content, force=force)
