"""Tools, toolsets and calls: the values that data, training, export and the runtime share.

Nothing here knows how a call is rendered for a model (`prompt`) or how it is decoded (`decode`).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain, repeat
from typing import Any
from urllib.parse import unquote

RESPOND = "respond"
"""Reserved tool name: no tool is needed, the assistant answers in words."""

RESPOND_DESCRIPTION = "No tool fits: answer in words."


_HOLDS_PARAMETERS = ("properties", "patternProperties", "$ref", "allOf", "anyOf", "oneOf")
"""Keywords of a JSON Schema by which an object may have keys."""


@dataclass(frozen=True)
class Tool:
    """A function that the model may call; `parameters` is a JSON Schema of type object."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def properties(self) -> Mapping[str, Any]:
        """The schema of each parameter, in the schema's order."""
        return self.parameters.get("properties", {})

    @property
    def has_parameters(self) -> bool:
        """False where the arguments can only be `{}`: no adapter and no decoding is needed."""
        more = self.parameters.get("additionalProperties", False)
        return more is not False or any(self.parameters.get(key) for key in _HOLDS_PARAMETERS)

    def as_openai(self) -> dict[str, Any]:
        """This tool in the OpenAI function format."""
        function = {"name": self.name, "description": self.description}
        if self.parameters:
            return {"type": "function", "function": {**function, "parameters": self.parameters}}
        return {"type": "function", "function": function}


RESPOND_TOOL = Tool(RESPOND, RESPOND_DESCRIPTION)


@dataclass(frozen=True)
class Toolset:
    """The tools of one source (one MCP server, one app), which one selector chooses among."""

    name: str
    description: str
    tools: tuple[Tool, ...]

    def __getitem__(self, name: str) -> Tool:
        for tool in self.tools:
            if tool.name == name:
                return tool
        raise KeyError(name)

    @property
    def names(self) -> tuple[str, ...]:
        """What a selector chooses among: every tool's name, then `respond`."""
        return (*(tool.name for tool in self.tools), RESPOND)


@dataclass(frozen=True)
class Call:
    """One call: a tool's name and its arguments; `respond` with no arguments means no tool."""

    tool: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


RESPOND_CALL = Call(RESPOND)


def order_arguments(tool: Tool, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """`arguments` in the order of the schema's properties; unknown keys last, as they stand.

    Objects inside them too. Properties of what a schema refers to or combines follow its own.
    """
    return _ordered(tool.parameters, arguments, tool.parameters)


def _ordered(schema: Any, value: Any, root: Mapping[str, Any]) -> Any:
    parts = list(_parts(schema, value, root))
    if isinstance(value, Mapping):
        properties = _properties(parts)
        ordered = {
            key: _ordered(properties[key], value[key], root) for key in properties if key in value
        }
        more = _first(parts, "additionalProperties", {})
        return ordered | {k: _ordered(more, v, root) for k, v in value.items() if k not in ordered}
    if isinstance(value, list):
        wanted = chain(_first(parts, "prefixItems", ()), repeat(_first(parts, "items", {})))
        return [_ordered(each, item, root) for each, item in zip(wanted, value, strict=False)]
    return value


def _first(parts: Sequence[Mapping[str, Any]], keyword: str, otherwise: Any) -> Any:
    return next((part[keyword] for part in parts if keyword in part), otherwise)


def _properties(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in parts:
        found |= {k: v for k, v in part.get("properties", {}).items() if k not in found}
    return found


def _parts(
    schema: Any, value: Any, root: Mapping[str, Any], depth: int = 8
) -> Iterator[Mapping[str, Any]]:
    """`schema`, then what it refers to and combines, of alternatives first those that `value` fits;
    references are paths within `root`."""
    if not isinstance(schema, Mapping) or not depth:
        return
    yield schema
    reference = schema.get("$ref")
    if isinstance(reference, str):
        with suppress(LookupError):
            yield from _parts(followed(reference, root), value, root, depth - 1)
    for keyword in ("anyOf", "oneOf"):
        branches = schema.get(keyword, [])
        for part in sorted(branches, key=lambda part: not _fits(part, value, root, depth - 1)):
            yield from _parts(part, value, root, depth - 1)
    for part in schema.get("allOf", []):
        yield from _parts(part, value, root, depth - 1)


def _fits(schema: Any, value: Any, root: Mapping[str, Any], depth: int) -> bool:
    """Whether an object has the keys of `schema`, and what it fixes them to."""
    if not isinstance(value, Mapping):
        return True
    parts = list(_parts(schema, value, root, depth))
    properties = _properties(parts)
    fixed = {
        key: child.get("enum", [child["const"]] if "const" in child else [value[key]])
        for key, child in properties.items()
        if key in value and isinstance(child, Mapping)
    }
    return (
        (value.keys() <= properties.keys() or bool(_first(parts, "additionalProperties", False)))
        and all(key in value for part in parts for key in part.get("required", ()))
        and all(value[key] in allowed for key, allowed in fixed.items())
    )


def followed(reference: str, root: Any) -> Any:
    """What `reference`, a path such as `#/$defs/place`, names in `root`. Raises LookupError."""
    found = root
    for part in unquote(reference).split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(found, list) and key.isdecimal():
            found = found[int(key)]
        elif isinstance(found, Mapping):
            found = found[key]
        else:
            raise LookupError(reference)
    return found


def arguments_json(tool: Tool, arguments: Mapping[str, Any]) -> str:
    """The JSON text of a call's arguments: schema order, `", "` and `": "`, no ASCII escapes."""
    return json.dumps(order_arguments(tool, arguments), ensure_ascii=False)
