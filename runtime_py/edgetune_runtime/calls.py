"""Tools, toolsets and calls: the values that data, training, export and the runtime share.

Nothing here knows how a call is rendered for a model (`prompt`) or how it is decoded (`decode`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

RESPOND = "respond"
"""Reserved tool name: no tool is needed, the assistant answers in words."""

RESPOND_DESCRIPTION = "No tool fits: answer in words."


_HOLDS_PARAMETERS = ("properties", "patternProperties", "$ref", "allOf", "anyOf", "oneOf")
"""Keywords of a JSON Schema by which an object may have keys."""


@dataclass(frozen=True)
class Tool:
    """A function that the model may call; `parameters` is a JSON Schema of type object.

    `name` is what prompts, adapters and files call it.
    """

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    original: str | None = None
    """What its server calls it, where prompts and files can't (`files.read`)."""

    @property
    def public_name(self) -> str:
        """What records, steps and results call it: as its server does, unless that is `respond`,
        which says there that no tool is needed."""
        return self.name if self.original in (None, RESPOND) else self.original

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
        """The tool that is called so here, or by its server."""
        for tool in self.tools:
            if name in (tool.name, tool.original):
                return tool
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return any(name in (tool.name, tool.original) for tool in self.tools)

    @property
    def names(self) -> tuple[str, ...]:
        """What a selector chooses among: every tool's name, then `respond`."""
        return (*(tool.name for tool in self.tools), RESPOND)

    @property
    def public(self) -> "Toolset":
        """The same tools under their public names, as reports tell them."""
        tools = (replace(tool, name=tool.public_name) for tool in self.tools)
        return replace(self, tools=tuple(tools))

    def public_name(self, name: str) -> str:
        """The public name of one of `names`."""
        return name if name == RESPOND else self[name].public_name

    def resolve(self, call: "Call") -> "Call":
        """`call`, which may be by the server's name, by the one that prompts have.

        A call of `respond` without arguments is that of no tool. Raises KeyError for another tool.
        """
        return call if call == RESPOND_CALL else replace(call, tool=self[call.tool].name)


@dataclass(frozen=True)
class Call:
    """One call: a tool's name and its arguments; `respond` with no arguments means no tool."""

    tool: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


RESPOND_CALL = Call(RESPOND)
