"""Tools, toolsets and calls: the values that data, training, export and the runtime share.

Nothing here knows how a call is rendered for a model (`prompt`) or how it is decoded (`decode`).
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

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
    if isinstance(value, Mapping):
        properties: dict[str, Any] = {}
        for part in _parts(schema, root):
            properties |= {
                k: v for k, v in part.get("properties", {}).items() if k not in properties
            }
        ordered = {
            key: _ordered(properties[key], value[key], root) for key in properties if key in value
        }
        return ordered | {key: value[key] for key in value if key not in ordered}
    if isinstance(value, list):
        items = [part["items"] for part in _parts(schema, root) if "items" in part]
        return [_ordered(items[0] if items else {}, item, root) for item in value]
    return value


def _parts(schema: Any, root: Mapping[str, Any], depth: int = 8) -> Iterator[Mapping[str, Any]]:
    """`schema`, then what it refers to and combines; references are paths within `root`."""
    if not isinstance(schema, Mapping) or not depth:
        return
    yield schema
    reference = schema.get("$ref")
    if isinstance(reference, str):
        target: Any = root
        for part in reference.split("/")[1:]:
            part = part.replace("~1", "/").replace("~0", "~")
            target = target.get(part) if isinstance(target, Mapping) else None
        yield from _parts(target, root, depth - 1)
    for keyword in ("allOf", "anyOf", "oneOf"):
        for part in schema.get(keyword, []):
            yield from _parts(part, root, depth - 1)


def arguments_json(tool: Tool, arguments: Mapping[str, Any]) -> str:
    """The JSON text of a call's arguments: schema order, `", "` and `": "`, no ASCII escapes."""
    return json.dumps(order_arguments(tool, arguments), ensure_ascii=False)
