"""Reads toolsets: a `tools.json` in one of many formats, or one of the built-in toolsets.

What comes out of here is safe to train on: names fit files and prompts, and every schema is a
valid JSON Schema. Knows nothing of records, prompts or models.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

from edgetune.tools.schema import schema_problem
from edgetune_export.tool_formats import parse_tools
from edgetune_export.tool_names import SAFE_NAME, with_safe_names
from edgetune_runtime.calls import Toolset
from edgetune_runtime.errors import InputError
from edgetune_runtime.toolsets import make_toolset, parse_toolset

BUILT_IN = {"phone_actions": "Things that a phone does for its owner."}
"""Name and description of each toolset that ships beside this module."""


def read_tools(source: Path | str, name: str | None = None, description: str = "") -> Toolset:
    """The toolset at `source`: a path, or the name of a built-in toolset.

    The file holds tools in any of the known formats (`edgetune_export.tool_formats`), or
    `{"toolsets": [...]}` as in a run or a bundle, of which `name` picks one. Without a name, tools
    are called after their file, or after its folder where the file is just `tools.json`. Raises
    InputError.
    """
    if str(source) in BUILT_IN:
        return _described(builtin_tools(str(source)), description)
    path = Path(source)
    value = _read_json(path)
    if isinstance(value, dict) and "toolsets" in value:
        entry, where = _pick(value["toolsets"], name, path)
        own = parse_toolset({**entry, "tools": []}, where)
        return tools_from_list(entry.get("tools"), where, own.name, description or own.description)
    return tools_from_list(value, str(path), name or _name_of(path), description)


def read_all_tools(path: Path) -> list[Toolset]:
    """Every toolset of a tools file. Raises InputError as `read_tools` does."""
    value = _read_json(path)
    entries = value.get("toolsets") if isinstance(value, dict) else None
    if not isinstance(entries, list):
        return [read_tools(path)]
    names = [entry.get("name") if isinstance(entry, dict) else None for entry in entries]
    return [read_tools(path, str(name)) for name in names]


def _described(toolset: Toolset, description: str) -> Toolset:
    """`toolset` with `description` instead of its own, where there is one."""
    return replace(toolset, description=description) if description else toolset


def tools_from_list(value: Any, where: str, name: str, description: str = "") -> Toolset:
    """Tools in any of the known formats as a checked toolset; `where` opens an error's sentence."""
    tools = with_safe_names(parse_tools(value, where))
    toolset = make_toolset(name, tools, description, where=where)
    _check(toolset, where)
    return toolset


def builtin_tools(name: str) -> Toolset:
    """A toolset that ships with edgetune."""
    text = resources.files("edgetune.tools").joinpath(f"{name}.json").read_text(encoding="utf-8")
    return tools_from_list(json.loads(text), name, name, BUILT_IN[name])


def _read_json(path: Path) -> Any:
    try:
        value = json.loads(path.read_text(encoding="utf-8-sig"))
        json.dumps(value, ensure_ascii=False).encode()  # half of a surrogate pair is no text
        return value
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); give a tools.json or one of the built-in "
            f"toolsets ({', '.join(BUILT_IN)})."
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: is not JSON ({error}); give a tools.json.") from error


def _pick(entries: Any, name: str | None, path: Path) -> tuple[Any, str]:
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise InputError(f"{path}: 'toolsets' must be a list of objects.")
    names = [str(entry.get("name")) for entry in entries]
    if name is None and len(names) != 1:
        raise InputError(f"{path}: holds {_listed(names)}; say which toolset you mean.")
    if name is not None and name not in names:
        raise InputError(f"{path}: has no toolset '{name}', it holds {_listed(names)}.")
    index = names.index(name) if name is not None else 0
    return entries[index], f"{path}: toolsets[{index}]"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names) or "no toolset"


def _name_of(path: Path) -> str:
    stem = path.stem if path.stem != "tools" else path.resolve().parent.name
    return re.sub(r"[^A-Za-z0-9_-]+", "_", stem)[:64] or "tools"


def _check(toolset: Toolset, where: str) -> None:
    if not toolset.tools:
        raise InputError(f"{where}: toolset '{toolset.name}' has no tools; add at least one.")
    if not SAFE_NAME.fullmatch(toolset.name):
        raise InputError(
            f"{where}: the toolset's name '{toolset.name}' is not allowed; use 1 to 64 letters, "
            "digits, '_' or '-'."
        )
    for tool in toolset.tools:
        try:
            problem = schema_problem(tool)
        except RecursionError:
            problem = "its schema nests too deeply; make it flatter."
        if problem:
            raise InputError(f"{where}: tool '{tool.public_name}': {problem}")
