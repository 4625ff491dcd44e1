"""A tool that is not made up, as nano's generator of requests sees one: its fields and openings.

Joins what a parameter is about (`guess`) with its values (`spoken`). Knows no whole requests.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from edgetune.generate.guess import split_words, switch_phrases
from edgetune.generate.spoken import about_parameter, plain_schema
from edgetune.invent.domains import ACTIONS
from edgetune.invent.gazetteer import english
from edgetune.invent.tools import Field, Invented
from edgetune_runtime.calls import Tool

_LETTERS_COUNT = {"const", "enum", "pattern", "format", "examples"}
"""Keywords of a string that is not put into lower case, however hastily a request is typed."""


def alternatives(tool: Tool) -> list[Tool]:
    """`tool` once for each alternative (`anyOf`, `oneOf`) of its whole arguments, each with the
    parameters of that one; the tool itself where there are none."""
    root = tool.parameters
    rest = {key: value for key, value in root.items() if key not in ("anyOf", "oneOf")}
    found = []
    for branch in (*root.get("anyOf", ()), *root.get("oneOf", ())):
        part = plain_schema(branch, root)
        properties = {**tool.properties, **part.get("properties", {})}
        required = [*root.get("required", ()), *part.get("required", ())]
        parameters = {**rest, "properties": properties, "required": list(dict.fromkeys(required))}
        if properties:
            found.append(replace(tool, parameters=parameters))
    return found or [tool]


def as_invented(tool: Tool) -> Invented:
    """`tool` with what is needed to make requests for it."""
    required = tool.parameters.get("required", ())
    fields = [_field(tool, name, name in required) for name in tool.properties]
    openings, objects = _openings(tool)
    return Invented(tool.as_openai(), "", objects, fields, False, openings)


def _field(tool: Tool, name: str, required: bool) -> Field:
    schema = plain_schema(tool.properties[name], tool.parameters)
    words = split_words(name) or name
    if schema.get("type") == "boolean" and not _LETTERS_COUNT & schema.keys():
        phrases = switch_phrases(words)
        return Field(words, {}, required, (), "bool", said=phrases, name=name)
    about = about_parameter(tool, name)
    text = schema.get("type") == "string" and not _LETTERS_COUNT & schema.keys()
    return Field(
        words,
        {},
        required,
        about.connectors,
        "concept" if text and not about.exact else "exact",
        before_object=about.before,
        after_verb=about.head,
        name=name,
        speak=about.make,
    )


def _openings(tool: Tool) -> tuple[Sequence[str], Sequence[str]]:
    """How requests for the tool begin, and the objects that they speak of."""
    words = split_words(tool.original or tool.name).split() or [tool.name]
    described = _described_object(tool.description)
    for action in ACTIONS.values():
        known = {split_words(name) for name in action.names}
        for cut in (2, 1):
            if " ".join(words[:cut]) in known:
                named = " ".join(words[cut:])
                objects = [each for each in (named, described) if each]
                return _fitting(action.openings, objects), objects or ["it"]
    if words[0] in english("verb") and len(words) > 1:
        verb, named = words[0], " ".join(words[1:])
        openings = (verb + " {o}", verb + " the {o}", f"{verb} a {{o}}", f"i want to {verb} {{o}}")
        return openings, [each for each in (named, described) if each]
    named = " ".join(words)
    return ACTIONS["get"].openings, [each for each in (named, described) if each]


def _fitting(openings: Sequence[str], objects: Sequence[str]) -> Sequence[str]:
    """Openings that need no object where there is none."""
    bare = [opening for opening in openings if "{o}" not in opening]
    return openings if objects or not bare else bare


def _described_object(description: str) -> str:
    """What the first sentence of a description speaks of: "Returns the forecast for a city."."""
    sentence = re.split(r"[.;:(\n]", description, maxsplit=1)[0]
    words = split_words(sentence).split()[1:]
    if words and words[0] in ("a", "an", "the", "all", "some", "new"):
        words = words[1:]
    stop = ("for", "in", "by", "with", "from", "to", "at", "on", "given", "based", "using", "that")
    cut = next((index for index, word in enumerate(words) if word in stop), len(words))
    return " ".join(words[:cut]) if cut <= 3 else ""
