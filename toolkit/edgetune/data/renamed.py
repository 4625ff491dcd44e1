"""A toolset under other names: random letters for its tools and parameters, the same descriptions.

What is trained on such examples has to read what a tool does, since its name says nothing (function
masking, Hammer, arXiv:2410.04587). Knows tools and steps, neither prompts nor training.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from random import Random
from string import ascii_lowercase
from typing import Any

from edgetune.data.records import Example
from edgetune_export.grammar.order import arguments_json
from edgetune_runtime.calls import RESPOND, Call, Tool, Toolset
from edgetune_runtime.prompt import Called, Turn

LETTERS = (4, 8)
"""The fewest and the most letters of a name."""

_PLAIN = {
    *("type", "properties", "required", "additionalProperties", "title", "description"),
    *("$schema", "$defs", "definitions"),
}
"""Keywords beside `properties` under which a parameter's name means nothing but itself."""


@dataclass(frozen=True)
class Renamed:
    """A toolset with the same tools, in the same order, under other names."""

    toolset: Toolset
    tools: Mapping[str, str]
    """Each tool's first name to its other one."""
    parameters: Mapping[str, Mapping[str, str]]
    """By a tool's first name, each of its parameters' first names to the other one."""

    def example(self, example: Example) -> Example:
        """The same step: the user's words and results stay, its calls have the other names."""
        return Example(tuple(map(self._turn, example.turns)), self._call(example.call))

    def _turn(self, turn: Turn) -> Turn:
        if not isinstance(turn, Called):
            return turn
        call = self._call(Call(turn.tool, json.loads(turn.arguments)))
        return Called(call.tool, arguments_json(self.toolset[call.tool], call.arguments))

    def _call(self, call: Call) -> Call:
        if call.tool == RESPOND:
            return call
        names = self.parameters[call.tool]
        arguments = {names.get(key, key): value for key, value in call.arguments.items()}
        return Call(self.tools[call.tool], arguments)


def rename(toolset: Toolset, rng: Random, *, parameters: bool) -> Renamed:
    """`toolset` under names at random, with those of the top-level parameters where asked for.

    A tool whose schema refers to its parameters elsewhere (`dependentRequired`, a `$ref` to a
    property, combined schemas) keeps their names.
    """
    fresh = _fresh_names(rng)
    tools: list[Tool] = []
    of_parameters: dict[str, dict[str, str]] = {}
    for tool in toolset.tools:
        names = {}
        if parameters and _can_rename(tool.parameters):
            names = {key: next(fresh) for key in tool.properties}
        of_parameters[tool.name] = names
        tools.append(Tool(next(fresh), tool.description, _with_names(tool.parameters, names)))
    named = {old.name: new.name for old, new in zip(toolset.tools, tools, strict=True)}
    return Renamed(replace(toolset, tools=tuple(tools)), named, of_parameters)


def _with_names(schema: Mapping[str, Any], names: Mapping[str, str]) -> Mapping[str, Any]:
    if not names:
        return schema
    renamed = dict(schema)
    renamed["properties"] = {names[key]: value for key, value in schema["properties"].items()}
    if "required" in schema:
        renamed["required"] = [names.get(key, key) for key in schema["required"]]
    return renamed


def _can_rename(schema: Mapping[str, Any]) -> bool:
    return schema.keys() <= _PLAIN and '"#/properties/' not in json.dumps(schema)


def _fresh_names(rng: Random) -> Iterator[str]:
    """Names without end, none twice, none reserved."""
    seen = {RESPOND}
    while True:
        name = "".join(rng.choice(ascii_lowercase) for _ in range(rng.randint(*LETTERS)))
        if name not in seen:
            seen.add(name)
            yield name
