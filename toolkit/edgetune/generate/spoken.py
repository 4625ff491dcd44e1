"""Values of any JSON Schema, each as a request says it and as the call has it.

Typed makers where the schema says enough, a walk through its automaton where it does not: a value
satisfies its schema, always. Knows one parameter: nothing of sentences or tools.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from random import Random
from typing import Any

from edgetune.generate.about import About, Speak
from edgetune.generate.about_numbers import about_number
from edgetune.generate.about_strings import about_string, is_sayable, listed_connectors
from edgetune.generate.arbitrary import arbitrary_arguments
from edgetune.generate.guess import connectors_of, split_words
from edgetune.generate.kinds import role_of
from edgetune.generate.tool_values import MAKERS, Spoken
from edgetune.invent.words import pseudo_stem
from edgetune.tools.schema import arguments_problem
from edgetune_export.grammar.order import followed
from edgetune_runtime.calls import Tool

TRIES = 20
"""Draws of a typed value that the schema may refuse, before the automaton makes one."""
LARGEST = 10**9
"""The largest number that a request says, where a schema allows larger ones."""
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
DEEPEST = 4
"""Objects within objects that are made by type; a schema may contain itself."""
_PLACES = frozenset({"file", "files", "directory", "directories", "folder", "folders"})
_DEFINITIONS = ("$defs", "definitions")


def plain_schema(schema: Any, root: Mapping[str, Any], depth: int = 0) -> Mapping[str, Any]:
    """`schema` with its reference followed, the first of its alternatives taken, and one type."""
    if not isinstance(schema, Mapping) or depth > 8:
        return {}
    if isinstance(schema.get("$ref"), str):
        try:
            target = followed(schema["$ref"], root)
        except LookupError:
            return {}
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        named = target if isinstance(target, Mapping) else {}
        return plain_schema({**named, **rest}, root, depth + 1)
    for key in ("allOf", "anyOf", "oneOf"):
        branches = [b for b in schema.get(key, ()) if isinstance(b, Mapping)]
        branches = [branch for branch in branches if branch.get("type") != "null"]
        if branches:
            rest = {name: value for name, value in schema.items() if name != key}
            return plain_schema({**rest, **branches[0]}, root, depth + 1)
    if isinstance(schema.get("type"), list):
        return {**schema, "type": next((t for t in schema["type"] if t != "null"), "null")}
    return schema


def about_parameter(tool: Tool, name: str, *, checked: bool = True) -> About:
    """What `name` of `tool` is about, with values that satisfy its schema: all, where `checked`."""
    schema = plain_schema(tool.properties[name], tool.parameters)
    named = {key: tool.parameters[key] for key in _DEFINITIONS if key in tool.parameters}
    properties = {name: tool.properties[name]}
    if any(f"#/{key}" in json.dumps(tool.parameters) for key in ("properties", "items")):
        properties |= tool.properties  # some are defined by others
    only = {"type": "object", "properties": properties, "required": [name]}
    alone = Tool(f"{tool.name}.{name}", parameters={**named, **only})
    about = _typed(schema, split_words(name) or name, tool.parameters, words_of(tool))
    typed = about.make if about else None

    def speak(rng: Random) -> Spoken:
        for _ in range(TRIES if typed else 0):
            text, value = typed(rng)  # type: ignore[misc]
            if not checked or arguments_problem(alone, {name: value}) is None:
                return text, value
        for _ in range(TRIES):
            value = arbitrary_arguments(alone, rng)[name]
            if is_sayable(as_text(value)):
                break
        return as_text(value), value

    if about is None:
        about = About(connectors_of(split_words(name) or name, [], False), exact=True)
    return replace(about, make=speak)


def words_of(tool: Tool) -> frozenset[str]:
    """The words of its name, and of the first sentence of its description."""
    sentence = re.split(r"[.;\n]", tool.description, maxsplit=1)[0]
    name = frozenset(split_words(tool.original or tool.name).split())
    told = frozenset(split_words(sentence).split())
    # A name says more: `get_file_info` is about a file, though its description adds folders.
    return name | (told - _PLACES if name & _PLACES else told)


def as_text(value: Any) -> str:
    """How a request says a value of which nothing more is known."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{split_words(k)} {as_text(v)}" for k, v in value.items())
    if isinstance(value, list):
        return _listed([as_text(entry) for entry in value])
    return "nothing" if value is None else str(value)


def _typed(
    schema: Mapping[str, Any],
    words: str,
    root: Mapping[str, Any],
    tool: frozenset[str],
    depth: int = 0,
) -> About | None:
    """What `schema` is about, with values that mostly satisfy it; None where it says too little."""
    kind = schema.get("type")
    if "const" in schema:
        return About(("{v}",), lambda rng: ("", schema["const"]), exact=True)
    if "enum" in schema:
        members = [member for member in schema["enum"] if member is not None]
        led = listed_connectors(words)
        return About(led, lambda rng: _member(rng.choice(members)), exact=True) if members else None
    if kind == "boolean":
        return About((f"{words} {{v}}",), lambda rng: _member(rng.random() < 0.5), exact=True)
    if kind in ("integer", "number") and _bounds(schema) is not None:
        bounded = _bounds(schema) if any(key in schema for key in _BOUNDS) else None
        return about_number(words, schema, bounded)
    if kind == "array" and isinstance(schema.get("items"), Mapping):
        items = plain_schema(schema["items"], root)
        if "description" in schema and "description" not in items:
            items = {**items, "description": schema["description"]}
        about = _typed(items, words, root, tool, depth)
        return about and replace(
            about, make=_array(schema, about, "multiple" in tool), before=False
        )
    if kind == "object" and schema.get("properties") and depth < DEEPEST:
        return _object(schema, root, tool | set(words.split()), depth + 1)
    if kind == "string":
        about = about_string(words, schema, tool)
        if "pattern" in schema:
            return replace(about, make=None, exact=True)
        made = _FORMATS.get(schema.get("format", ""))
        if made:
            return replace(
                about, make=lambda rng: (lambda text: (text, text))(made(rng)), exact=True
            )
        return about
    return None


def _member(member: Any) -> Spoken:
    text = as_text(member)
    # "resourceLink" and "fast_food" are said in words, "ISO" and "New York" as they are.
    return (split_words(text) if re.search("_|[a-z][A-Z]", text) else text), member


def _bounds(schema: Mapping[str, Any]) -> tuple[float, float] | None:
    """Between what a number is drawn; None where nobody would say such numbers.

    Bounds may be those of a type, whose difference no float holds.
    """
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    low = low if low is not None else min(0, high - 100) if high is not None else 0
    high = high if high is not None else low + 100
    if low > LARGEST or high < -LARGEST:
        return None
    return max(low, -LARGEST), min(high, LARGEST)


def _array(schema: Mapping[str, Any], item: About, several: bool) -> Speak | None:
    make = item.make
    if make is None:
        return None
    least = schema.get("minItems", 1)
    most = max(least, min(schema.get("maxItems", 3), least + 2))
    least = min(max(least, 2), most) if several and item.key.endswith("file") else least

    def speak(rng: Random) -> Spoken:
        spoken: list[Spoken] = []
        for _ in range(min(rng.randint(least, most), rng.randint(least, most))):
            drawn = make(rng)
            if all(drawn[1] != value for _, value in spoken) or len(spoken) < least:
                spoken.append(drawn)
        if any("," in text or " and " in text for text, _ in spoken):
            spoken = spoken[:1] if least <= 1 else spoken
        return _listed([text for text, _ in spoken]), [value for _, value in spoken]

    return speak


def _object(
    schema: Mapping[str, Any], root: Mapping[str, Any], tool: frozenset[str], depth: int
) -> About | None:
    """An object is said by its parts: the first that may stand for it, then the others."""
    required = schema.get("required", ())
    parts: dict[str, About] = {}
    for name, inner in schema["properties"].items():
        part = _typed(plain_schema(inner, root), split_words(name) or name, root, tool, depth)
        if part is not None and part.make is not None:
            parts[name] = part
        elif name in required:
            return None
    heads = [name for name, part in parts.items() if part.head and name in required]
    paired = [name for name in parts if role_of(split_words(name)) in ("from", "to")]
    first = None if paired or not heads else _content_of(heads, parts)

    def speak(rng: Random) -> Spoken:
        chosen = [name for name in parts if name in required or rng.random() < 0.5]
        chosen = chosen or list(parts)[:1]
        spoken = {name: parts[name].make(rng) for name in chosen}  # type: ignore[misc]
        if len(paired) == 2 and len({str(spoken.get(name)) for name in paired}) == 1:
            spoken[paired[1]] = parts[paired[1]].make(rng)  # type: ignore[misc]
        keys = {parts[name].key: text.replace('"', "") for name, (text, _) in spoken.items()}
        if keys.keys() == {"entity", "fact"} and "add" in tool and rng.random() < 0.4:
            text = f"that {keys['entity']} {keys['fact']}"
            return text, {name: value for name, (_, value) in spoken.items()}
        said = [spoken[first][0]] if first in spoken else []
        for name, (text, _) in spoken.items():
            if name != first:
                led = rng.choice(parts[name].connectors)
                said.append(led.format(n=split_words(name) or name, v=text))
        return " ".join(said), {name: value for name, (_, value) in spoken.items()}

    if not parts:
        return None
    connectors = ("{v}",) if first or paired else ("with {v}", "{v}", "and {v}")
    nouns = tuple(noun for name in heads for noun in parts[name].nouns)
    return About(connectors, speak, bool(first or paired), nouns, bare=not paired, exact=True)


def _content_of(heads: list[str], parts: Mapping[str, About]) -> str:
    """What is added or deleted comes before what it is added to: "likes tea to Anna"."""
    led = {name: parts[name].connectors[0].split()[0] for name in heads}
    return next((name for name in heads if led[name] not in ("to", "from")), heads[0])


def _listed(texts: list[str]) -> str:
    return " and ".join([", ".join(texts[:-1]), texts[-1]]) if len(texts) > 1 else "".join(texts)


def _hex(rng: Random, digits: int) -> str:
    return f"{rng.getrandbits(4 * digits):0{digits}x}"


_FORMATS: dict[str, Callable[[Random], str]] = {
    "hostname": lambda rng: f"{pseudo_stem(rng, (1, 2))}.{rng.choice(('com', 'org', 'net'))}",
    "uri": MAKERS["url"],
    "ipv4": lambda rng: ".".join(str(rng.randint(0, 255)) for _ in range(4)),
    "uuid": lambda rng: "-".join(_hex(rng, digits) for digits in (8, 4, 4, 4, 12)),
}
"""Formats whose values no kind makes."""
