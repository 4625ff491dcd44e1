"""`tools.json`: toolsets in the OpenAI function format, read, written and hashed.

Checks the shape that the rest relies on. Whether a JSON Schema is a valid one is not known here
(`edgetune.tools` asks the jsonschema library before anything is trained).
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgetune_runtime.calls import RESPOND, Tool, Toolset
from edgetune_runtime.errors import InputError
from edgetune_runtime.files import sha256_bytes

ORIGINAL_NAME = "original_name"
"""Key of a tool beside `function`: what its server calls it, where that is another name."""


def read_toolsets(path: Path) -> dict[str, Toolset]:
    """The toolsets of `{"toolsets": [{"name", "description", "tools": [...]}]}`, by name.

    Raises InputError where the file is missing, is not JSON or has another shape.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read as JSON ({error}); give a tools file.") from error
    entries = value.get("toolsets") if isinstance(value, dict) else None
    if not isinstance(entries, list) or not entries:
        raise InputError(f'{path}: expected {{"toolsets": [...]}} with at least one toolset.')
    toolsets: dict[str, Toolset] = {}
    for index, entry in enumerate(entries):
        toolset = parse_toolset(entry, f"{path}: toolsets[{index}]")
        if toolset.name in toolsets:
            raise InputError(f"{path}: two toolsets are named '{toolset.name}'; rename one.")
        toolsets[toolset.name] = toolset
    return toolsets


def dump_toolsets(toolsets: Iterable[Toolset]) -> dict[str, Any]:
    """What `read_toolsets` reads, as a JSON value."""
    return {"toolsets": [dump_toolset(toolset) for toolset in toolsets]}


def dump_toolset(toolset: Toolset) -> dict[str, Any]:
    """One entry of `tools.json`."""
    return {
        "name": toolset.name,
        "description": toolset.description,
        "tools": [_dump_tool(tool) for tool in toolset.tools],
    }


def _dump_tool(tool: Tool) -> dict[str, Any]:
    entry = tool.as_openai()
    return entry if tool.original is None else {**entry, ORIGINAL_NAME: tool.original}


def toolset_sha256(toolset: Toolset) -> str:
    """Hash of a toolset's content; the order of properties counts, since prompts show it."""
    text = json.dumps(dump_toolset(toolset), ensure_ascii=False, separators=(",", ":"))
    return sha256_bytes(text.encode())


def parse_toolset(value: Any, where: str) -> Toolset:
    """One entry of `tools.json`; `where` names it in an InputError."""
    if not isinstance(value, dict) or not isinstance(value.get("tools"), list):
        raise InputError(f"{where}: expected an object with 'name', 'description' and 'tools'.")
    name = _text(value, "name", where)
    tools = tuple(
        parse_tool(tool, f"{where}.tools[{index}]") for index, tool in enumerate(value["tools"])
    )
    description = _text(value, "description", where, default="")
    return make_toolset(name, tools, description, where=where)


def make_toolset(name: str, tools: Sequence[Tool], description: str, *, where: str) -> Toolset:
    """A toolset whose names tell its tools apart. Raises InputError where they don't."""
    if any(tool.name == RESPOND for tool in tools):
        raise InputError(f"{where}: the tool name '{RESPOND}' is reserved; rename that tool.")
    # Whoever calls a tool may know it by either name.
    known = [{tool.original or tool.name, tool.name} for tool in tools]
    for known_as, times in Counter(each for own in known for each in own).items():
        if times > 1:
            raise InputError(f"{where}: two tools are named '{known_as}'; rename or remove one.")
    return Toolset(name, description, tuple(tools))


def parse_tool(value: Any, where: str) -> Tool:
    """`{"type": "function", "function": {...}}` as a Tool; `where` names it in an InputError."""
    function = value.get("function") if isinstance(value, dict) else None
    if not isinstance(function, dict) or value.get("type", "function") != "function":
        raise InputError(
            f'{where}: expected {{"type": "function", "function": {{"name": ..., "description": '
            '..., "parameters": ...}} (the OpenAI function format).'
        )
    return parse_function(function, f"{where}.function", value.get(ORIGINAL_NAME))


def parse_function(function: Mapping[str, Any], where: str, original: Any = None) -> Tool:
    """`{"name", "description", "parameters"}` as a Tool; `where` names it in an InputError.

    `original` is what its server calls it, where that is another name.
    """
    if original is not None and not (isinstance(original, str) and original):
        raise InputError(f"{where}: '{ORIGINAL_NAME}' is {original!r:.60}, expected a text.")
    name = _text(function, "name", where)
    parameters = function.get("parameters") or {}
    if not isinstance(parameters, dict) or parameters.get("type", "object") != "object":
        raise InputError(f"{where}.parameters: expected a JSON Schema of type object for '{name}'.")
    if not isinstance(parameters.get("properties", {}), dict):
        raise InputError(
            f"{where}.parameters.properties: expected an object that maps each parameter of "
            f"'{name}' to its schema."
        )
    description = _text(function, "description", where, default="")
    return Tool(name, description, dict(parameters), original)


def _text(value: Mapping[str, Any], key: str, where: str, default: str | None = None) -> str:
    found = value.get(key, default)
    if not isinstance(found, str) or (default is None and not found):
        raise InputError(f"{where}.{key}: found {found!r} where a text was expected; add it.")
    return found
