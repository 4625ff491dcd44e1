"""Tools, toolsets and calls: the values that data, training, export and the runtime share.

Nothing here knows how a call is rendered for a model (`prompt`) or how it is decoded (`decode`).
"""

from collections.abc import Mapping
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
