"""Values of any JSON Schema, each as a request says it and as the call has it.

Typed makers where the schema says enough, a walk through its automaton where it does not: a value
satisfies its schema, always. Knows one parameter: nothing of sentences or tools.
"""

import json
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from edgetune.data.arbitrary import arbitrary_arguments
from edgetune.data.guess import TYPES, concepts_of, split_words
from edgetune.invent.codes import email, url
from edgetune.invent.concepts import CONCEPTS, Concept
from edgetune.invent.words import number_word, pseudo_stem
from edgetune.tools.schema import arguments_problem
from edgetune_export.grammar.order import followed
from edgetune_runtime.calls import Tool

Spoken = tuple[str, Any]
"""A value as a request says it, and as the call has it."""
Speak = Callable[[Random], Spoken]

TRIES = 20
"""Draws of a typed value that the schema may refuse, before the automaton makes one."""
LARGEST = 10**9
"""The largest number that a request says, where a schema allows larger ones."""
_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
DEEPEST = 4
"""Objects within objects that are made by type; a schema may contain itself."""
_DEFINITIONS = ("$defs", "definitions")
_GENERIC = ("unknown", "title", "message")
"""Concepts for a string of which nothing is known."""


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


def speaker(tool: Tool, name: str) -> Speak:
    """Makes values of the parameter `name` of `tool`, all of which satisfy its schema."""
    schema = plain_schema(tool.properties[name], tool.parameters)
    named = {key: tool.parameters[key] for key in _DEFINITIONS if key in tool.parameters}
    properties = {name: tool.properties[name]}
    if any(f"#/{key}" in json.dumps(tool.parameters) for key in ("properties", "items")):
        properties |= tool.properties  # some are defined by others
    only = {"type": "object", "properties": properties, "required": [name]}
    alone = Tool(f"{tool.name}.{name}", parameters={**named, **only})
    typed = _typed(schema, split_words(name), tool.parameters)

    def speak(rng: Random) -> Spoken:
        for _ in range(TRIES if typed else 0):
            text, value = typed(rng)  # type: ignore[misc]
            if arguments_problem(alone, {name: value}) is None:
                return text, value
        for _ in range(TRIES):
            value = arbitrary_arguments(alone, rng)[name]
            if _is_sayable(as_text(value)):
                break
        return as_text(value), value

    return speak


def _is_sayable(value: Any) -> bool:
    """Whether `value` is a text that stands in a request as it is: on one line, singly spaced."""
    return isinstance(value, str) and " ".join(value.split()) == value


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
    schema: Mapping[str, Any], words: str, root: Mapping[str, Any], depth: int = 0
) -> Speak | None:
    """Makes values that mostly satisfy `schema`; None where it says too little to know how."""
    kind = schema.get("type")
    if "const" in schema:
        return lambda rng: ("", schema["const"])
    if "enum" in schema:
        members = [member for member in schema["enum"] if member is not None]
        return (lambda rng: _member(rng.choice(members))) if members else None
    if "pattern" in schema:
        return None
    if kind == "boolean":
        return lambda rng: _member(rng.random() < 0.5)
    if kind in ("integer", "number") and _bounds(schema) is not None:
        numbers = concepts_of(words, schema.get("description", ""), TYPES[kind])
        return lambda rng: _number(rng, schema, numbers)
    if kind == "array" and isinstance(schema.get("items"), Mapping):
        item = _typed(plain_schema(schema["items"], root), words, root, depth)
        return item and (lambda rng: _array(rng, schema, item))
    if kind == "object" and schema.get("properties") and depth < DEEPEST:
        return _object(schema, root, depth + 1)
    if kind == "string":
        strings = concepts_of(words, schema.get("description", ""), TYPES[kind])
        return lambda rng: _string(rng, schema, strings)
    return None


def _member(member: Any) -> Spoken:
    return as_text(member).replace("_", " "), member


def _string(rng: Random, schema: Mapping[str, Any], concepts: list[Concept]) -> Spoken:
    examples = [entry for entry in schema.get("examples", ()) if _is_sayable(entry)]
    make = _FORMATS.get(schema.get("format", ""))
    if make is None and examples and rng.random() < 0.3:
        text = rng.choice(examples)
    else:
        pool = concepts or [CONCEPTS[key] for key in _GENERIC]
        text = (make or rng.choice(pool).make)(rng)
    return text, text


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


def _number(rng: Random, schema: Mapping[str, Any], concepts: list[Concept]) -> Spoken:
    bounded = any(key in schema for key in _BOUNDS)
    value: float
    if concepts and not bounded:
        value = float(rng.choice(concepts).make(rng))
    else:
        low, high = _bounds(schema) or (0, 100)
        value = round(rng.uniform(low, high), rng.choice((0, 0, 1, 2)))
    if value != int(value) and schema["type"] == "number":
        return str(value), value
    number = int(value)
    spelt = 1 <= number <= 20 and rng.random() < 0.3
    return number_word(number) if spelt else str(number), number


def _array(rng: Random, schema: Mapping[str, Any], item: Speak) -> Spoken:
    least = schema.get("minItems", 1)
    most = max(least, min(schema.get("maxItems", 3), least + 2))
    spoken = [item(rng) for _ in range(rng.randint(least, most))]
    if any(isinstance(value, str) and "," in value for _, value in spoken):
        spoken = spoken[:1] if least <= 1 else spoken
    return _listed([text for text, _ in spoken]), [value for _, value in spoken]


def _object(schema: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> Speak | None:
    required = schema.get("required", ())
    parts = {}
    for name, inner in schema["properties"].items():
        part = _typed(plain_schema(inner, root), split_words(name), root, depth)
        if part is not None:
            parts[name] = part
        elif name in required:
            return None

    def speak(rng: Random) -> Spoken:
        chosen = [name for name in parts if name in required or rng.random() < 0.5]
        spoken = {name: parts[name](rng) for name in chosen or list(parts)[:1]}
        said = [f"{split_words(name)} {text}" for name, (text, _) in spoken.items()]
        return _listed(said), {name: value for name, (_, value) in spoken.items()}

    return speak if parts else None


def _listed(texts: list[str]) -> str:
    return " and ".join([", ".join(texts[:-1]), texts[-1]]) if len(texts) > 1 else "".join(texts)


def _day(rng: Random) -> str:
    return f"{rng.randint(1990, 2040)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}"


def _time(rng: Random) -> str:
    return f"{rng.randint(0, 23):02d}:{rng.randint(0, 59):02d}:00Z"


def _hex(rng: Random, digits: int) -> str:
    return f"{rng.getrandbits(4 * digits):0{digits}x}"


_FORMATS: dict[str, Callable[[Random], str]] = {
    "date": _day,
    "time": _time,
    "date-time": lambda rng: f"{_day(rng)}T{_time(rng)}",
    "email": email,
    "uri": lambda rng: "https://" + url(rng).removeprefix("https://").removeprefix("http://"),
    "hostname": lambda rng: f"{pseudo_stem(rng, (1, 2))}.{rng.choice(('com', 'org', 'net'))}",
    "ipv4": lambda rng: ".".join(str(rng.randint(0, 255)) for _ in range(4)),
    "uuid": lambda rng: "-".join(_hex(rng, digits) for digits in (8, 4, 4, 4, 12)),
}
