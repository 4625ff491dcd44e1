"""The formats that lists of tools come in: a row each, found by looking at an entry's keys.

MCP servers, the APIs of model providers and their SDKs say the same thing with other keys. What
comes out are tools as they are named there. Whether a name suits a prompt and a file
(`tool_names`), and whether a schema is a valid one, is not known here.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from edgetune_export.gemini_schema import json_schema
from edgetune_runtime.calls import Tool
from edgetune_runtime.errors import InputError
from edgetune_runtime.toolsets import ORIGINAL_NAME, parse_function

Entry = Mapping[str, Any]
"""One tool as it stands in a list, without the keys whose value is null."""


@dataclass(frozen=True)
class Format:
    """How one kind of entry is told from the others, and read."""

    title: str
    fits: Callable[[Entry], bool]
    read: Callable[[Entry], Entry]
    """Its `name`, `description` and `parameters`."""


def _function(source: Any, schema: str) -> Entry:
    """`source` with what it has under the key `schema` as its `parameters`."""
    if not isinstance(source, Mapping):
        return {}
    return {
        "name": source.get("name"),
        "description": source.get("description") or source.get("title") or "",
        "parameters": _without_nulls(source.get(schema) or {}),
    }


def _is_openai_flat(entry: Entry) -> bool:
    if "name" not in entry or entry.get("type", "function") != "function" or _is_gemini(entry):
        return False
    if "parameters" in entry:
        return True
    another = not entry.keys().isdisjoint(("inputSchema", "input_schema"))
    return not another and ("type" in entry or entry.keys() <= _OF_ANY_TOOL)


def _is_gemini(entry: Entry) -> bool:
    """Marked by the list that it stood in, or known by a schema of its own kind."""
    parameters = entry.get("parameters")
    kind = parameters.get("type") if isinstance(parameters, Mapping) else None
    in_capitals = isinstance(kind, str) and kind.isupper()
    return in_capitals or any(key in entry for key in (_DECLARATION, *_GEMINI_JSON_SCHEMA))


def _read_gemini(entry: Entry) -> Entry:
    declared = entry.get(_DECLARATION, entry)
    if not isinstance(declared, Mapping):
        return {}
    for key in _GEMINI_JSON_SCHEMA:
        if declared.get(key):
            return _function(declared, key)
    own = declared.get("parameters") or {}
    if isinstance(own, Mapping):
        own = json_schema({**own, "nullable": False})  # a call always has arguments
    return _function({**declared, "parameters": own}, "parameters")


def _read_bedrock(entry: Entry) -> Entry:
    spec = entry["toolSpec"]
    schema = spec.get("inputSchema") if isinstance(spec, Mapping) else None
    return _function({**spec, **schema}, "json") if isinstance(schema, Mapping) else {}


_OF_ANY_TOOL = {"name", "description", "title", "strict", "annotations"}
"""Keys that are enough for a tool without parameters."""

_GEMINI_JSON_SCHEMA = ("parametersJsonSchema", "parameters_json_schema")
_DECLARATIONS = ("functionDeclarations", "function_declarations")
_DECLARATION = "functionDeclaration"
"""The key under which an entry of Gemini's list stands here: alone, it may look like OpenAI's."""

FORMATS = (
    Format("OpenAI", lambda e: "function" in e, lambda e: _function(e["function"], "parameters")),
    Format("OpenAI Responses", _is_openai_flat, lambda e: _function(e, "parameters")),
    Format("MCP", lambda e: "inputSchema" in e, lambda e: _function(e, "inputSchema")),
    Format("Anthropic", lambda e: "input_schema" in e, lambda e: _function(e, "input_schema")),
    Format("Gemini", _is_gemini, _read_gemini),
    Format("Bedrock", lambda e: "toolSpec" in e, _read_bedrock),
)

LISTS = ("tools", "result", "functions", "toolConfig", *_DECLARATIONS)
"""Keys under which tools stand: in requests, in answers to `tools/list`, in Gemini's lists."""


def parse_tools(value: Any, where: str) -> tuple[Tool, ...]:
    """The tools in a JSON value, bare or under keys of LISTS, each in one of the FORMATS.

    `where` opens an error's sentence. Raises InputError for an entry that fits no format or two, or
    that lacks what a tool needs.
    """
    if not isinstance(value, (list, dict)):
        raise InputError(f"{where}: found {type(value).__name__}, {_expected()}")
    try:
        json.dumps(value, ensure_ascii=False).encode()  # half of a surrogate pair is no text
        return tuple(
            _tool(entry, f"{where}: {place}" if place else where)
            for place, entry in _entries(value, "tools" if isinstance(value, list) else "")
        )
    except RecursionError as error:
        raise InputError(f"{where}: nests too deeply for a list of tools; correct it.") from error
    except (TypeError, ValueError) as error:
        raise InputError(f"{where}: its tools are no JSON in UTF-8 ({error}).") from error


def _entries(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    """Each tool and where it stands; what holds no list is taken for a tool."""
    if isinstance(value, list):
        for index, each in enumerate(value):
            yield from _entries(each, f"{place}[{index}]")
        return
    entry = _filled(value)
    held = [key for key in LISTS if isinstance(entry.get(key), (list, dict))]
    if len(held) != 1 or _fitting(entry):
        yield place, value
        return
    key = held[0]
    inside = f"{place}.{key}" if place else key
    if key in _DECLARATIONS:
        for index, each in enumerate(entry[key]):
            yield f"{inside}[{index}]", {_DECLARATION: each}
    else:
        yield from _entries(entry[key], inside)


def _tool(value: Any, where: str) -> Tool:
    entry = _filled(value)
    fitting = _fitting(entry)
    if len(fitting) != 1:
        found = f"the keys {', '.join(map(repr, value))}" if entry else f"{value!r:.60}"
        fits = " and ".join(each.title for each in fitting) or "no format"
        raise InputError(f"{where}: found {found}, which fit {fits}; {_expected()}")
    place = f"{where}.function" if "function" in entry else where
    return parse_function(fitting[0].read(entry), place, entry.get(ORIGINAL_NAME))


def _filled(value: Any) -> Entry:
    """The keys of an object that have a value; exports of tables fill absent ones with null."""
    if not isinstance(value, Mapping):
        return {}
    return {key: each for key, each in value.items() if each is not None}


def _fitting(entry: Entry) -> list[Format]:
    return [each for each in FORMATS if each.fits(entry)]


def _expected() -> str:
    known = ", ".join(each.title for each in FORMATS)
    return f"expected a list of tools, each in one of the formats {known}."


_MAY_BE_NULL = ("default", "const", "example")
_DATA = (*_MAY_BE_NULL, "enum", "examples")
"""Keywords whose value is no schema: what is null in it means null."""


def _without_nulls(schema: Any) -> Any:
    """A schema without keywords and parameters that are null, which say nothing."""
    if isinstance(schema, list):
        return [_without_nulls(each) for each in schema]
    if not isinstance(schema, Mapping):
        return schema
    return {
        key: value if key in _DATA else _without_nulls(value)
        for key, value in schema.items()
        if value is not None or key in _MAY_BE_NULL
    }
