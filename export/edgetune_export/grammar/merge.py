"""Two schemas as the one that asks for both, and a schema as the one that asks for the opposite.

Merged keyword by keyword; where a keyword cannot be merged it is named. This module knows schemas,
neither languages nor where a schema comes from.
"""

import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from itertools import product
from math import lcm
from typing import Any

TYPES = ("object", "array", "string", "integer", "number", "boolean", "null")
MOST_BRANCHES = 64
"""Alternatives that two lists of alternatives may have together."""

CONSTRAINTS = {
    "object": {
        "properties",
        "required",
        "additionalProperties",
        "unevaluatedProperties",
        "patternProperties",
        "propertyNames",
        "minProperties",
        "maxProperties",
        "dependentRequired",
        "dependentSchemas",
    },
    "array": {
        "items",
        "minItems",
        "maxItems",
        "prefixItems",
        "uniqueItems",
        "contains",
        "minContains",
        "maxContains",
        "unevaluatedItems",
    },
    "string": {"minLength", "maxLength", "pattern", "format"},
    "integer": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"},
    "number": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"},
    "boolean": set[str](),
    "null": set[str](),
}
"""The keywords that say something about values of each type."""
CONDITIONS = {"if", "then", "else", "not"}
COMBINED = ("$ref", "anyOf", "oneOf", "allOf")
"""In the order in which they are followed, which is that of their properties (see `order`)."""
_UNDERSTOOD = {"type", "enum", "const", *COMBINED, *CONDITIONS}.union(*CONSTRAINTS.values())
_DYNAMIC = {"$dynamicRef", "$recursiveRef"}
_LARGER = ("minLength", "minItems", "minProperties", "minimum", "exclusiveMinimum", "minContains")
_SMALLER = ("maxLength", "maxItems", "maxProperties", "maximum", "exclusiveMaximum", "maxContains")

Valid = Callable[[Any, Any], bool]
"""Whether a schema allows a value."""


class Unmergeable(ValueError):
    """Two schemas, or the opposite of one, that cannot be written as one."""


def constraints(schema: Mapping[str, Any]) -> dict[str, Any]:
    """`schema` without annotations: what is no keyword says nothing, as JSON Schema has it."""
    return {k: v for k, v in schema.items() if k in _UNDERSTOOD or k in _DYNAMIC}


def merged(one: Any, other: Any, valid: Valid) -> Any:
    """The schema of what both allow; its properties stand in the order of `one`, then of `other`.

    Raises Unmergeable naming the keyword.
    """
    if one is False or other is False:
        return False
    if one is True or one == {}:
        return other
    if other is True or other == {}:
        return one
    one, other = constraints(one), constraints(other)
    if not one or not other:
        return one or other
    if any(key in part for part in (one, other) for key in ("enum", "const")):
        return _listed(one, other, valid)
    found = _members(one, other) | _places(one, other)
    for key in [*one, *other]:
        if key in found:
            continue
        if key not in one or key not in other or one[key] == other[key]:
            found[key] = one.get(key, other.get(key))
        else:
            found[key] = _both(key, one[key], other[key], valid)
    return False if found.get("type") == [] else found


def as_part(schema: Any, alone: bool) -> Any:
    """`schema` as a part of a larger one, whose other parts it does not see.

    What it leaves unevaluated is what it does not name, where it combines nothing itself; else it
    has to stand `alone`. Raises Unmergeable.
    """
    if not isinstance(schema, Mapping) or alone:
        return schema
    part = dict(schema)
    combines = {*COMBINED, *CONDITIONS, "dependentSchemas", "contains"} & part.keys()
    for keyword, closed in (
        ("unevaluatedProperties", "additionalProperties"),
        ("unevaluatedItems", "items"),
    ):
        if part.pop(keyword, True) is not True:
            if combines:
                raise Unmergeable(f"combines a schema that has '{keyword}'")
            part.setdefault(closed, schema[keyword])
    return part


def _listed(one: Mapping[str, Any], other: Mapping[str, Any], valid: Valid) -> Any:
    source = next(part for part in (one, other) if "enum" in part or "const" in part)
    values = source["enum"] if "enum" in source else [source["const"]]
    kept = [value for value in values if valid(one, value) and valid(other, value)]
    return {"enum": kept} if kept else False


def _both(key: str, one: Any, other: Any, valid: Valid) -> Any:
    if key in _LARGER:
        return max(one, other)
    if key in _SMALLER:
        return min(one, other)
    match key:
        case "type":
            return _common_types(one, other)
        case "required":
            return list(dict.fromkeys([*one, *other]))
        case "pattern" | "format":
            return (*_several(one), *_several(other))
        case "multipleOf":
            a, b = Fraction(str(one)), Fraction(str(other))
            unit = lcm(a.denominator, b.denominator)
            both = Fraction(lcm(int(a * unit), int(b * unit)), unit)
            return int(both) if both.denominator == 1 else float(both)
        case "uniqueItems":
            return True
        case "propertyNames":
            return {"allOf": [one, other]}
        case "allOf":
            return [*one, *other]
        case "not":
            return {"anyOf": [one, other]}
        case "anyOf" | "oneOf":
            if len(one) * len(other) > MOST_BRANCHES:
                raise Unmergeable(f"combines over {MOST_BRANCHES} alternatives of '{key}'")
            return [{"allOf": [a, b]} for a, b in product(one, other)]
        case "dependentRequired":
            keys = [*one, *(key for key in other if key not in one)]
            return {key: [*one.get(key, []), *other.get(key, [])] for key in keys}
    raise Unmergeable(f"combines two schemas that both say '{key}'")


def _several(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def _common_types(one: Any, other: Any) -> list[str]:
    left, right = (
        {*t, *(["integer"] if "number" in t else [])}
        for t in (
            [one] if isinstance(one, str) else one,
            [other] if isinstance(other, str) else other,
        )
    )
    common = left & right
    return [t for t in TYPES if t in common and not (t == "integer" and "number" in common)]


def _members(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """What both say about keys. A part that closes itself refuses what the other alone names."""
    keywords = ("properties", "patternProperties", "additionalProperties")
    if not any(key in part for part in (one, other) for key in keywords):
        return {}
    both = [one, other]
    patterns = [part.get("patternProperties", {}) for part in both]
    if patterns[0] != patterns[1] and any(
        part.get("additionalProperties", True) not in (True, {}) for part in both
    ):
        raise Unmergeable("combines 'patternProperties' with another schema's closed object")
    found: dict[str, Any] = {}
    names = dict.fromkeys(key for part in both for key in part.get("properties", {}))
    properties = {}
    for name in names:
        said = [_about(part, name) for part in both]
        said = [each for each in said if each is not True]
        properties[name] = said[0] if len(said) == 1 else {"allOf": said} if said else True
    if any("properties" in part for part in both):
        found["properties"] = properties
    more = [part["additionalProperties"] for part in both if "additionalProperties" in part]
    if more:
        alike = len(more) == 1 or more[0] == more[1]
        found["additionalProperties"] = (
            more[0] if alike else False if False in more else {"allOf": more}
        )
    if any(patterns):
        found["patternProperties"] = {**patterns[0]}
        for pattern, schema in patterns[1].items():
            known = patterns[0].get(pattern, schema)
            found["patternProperties"][pattern] = (
                schema if known == schema else {"allOf": [known, schema]}
            )
    return found


def _places(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """What both say about items, place by place."""
    if not all(part.keys() & {"items", "prefixItems"} for part in (one, other)):
        return {}
    first = [part.get("prefixItems", []) for part in (one, other)]
    rest = [part.get("items", True) for part in (one, other)]
    found: dict[str, Any] = {"items": {"allOf": rest}}
    if any(first):
        found["prefixItems"] = [
            {
                "allOf": [
                    known[n] if n < len(known) else more
                    for known, more in zip(first, rest, strict=True)
                ]
            }
            for n in range(max(map(len, first)))
        ]
    if rest == [True, True]:
        del found["items"]
    return found


def _about(part: Mapping[str, Any], name: str) -> Any:
    """What `part` says about the value of the key `name`; True where it says nothing."""
    if name in part.get("properties", {}):
        return part["properties"][name]
    if any(re.search(pattern, name) for pattern in part.get("patternProperties", {})):
        return True  # the pattern is asked when the whole object is made
    return part.get("additionalProperties", True)


def opposite(schema: Any) -> Any:
    """A schema of values that `schema` refuses: of all of them, or of less. Raises Unmergeable."""
    if isinstance(schema, bool):
        return not schema
    said = constraints(schema)
    if "required" in said and "type" in said and said["type"] == "object":
        del said["type"]  # asked of objects
    ways = [way for key, value in said.items() for way in _opposite(key, value, said)]
    return ways[0] if len(ways) == 1 else {"anyOf": ways} if ways else False


def _opposite(key: str, value: Any, said: Mapping[str, Any]) -> list[Any]:
    match key:
        case "type":
            named = {value} if isinstance(value, str) else set(value)
            numbers = {"integer", "number"} if named & {"integer", "number"} else set()
            return [{"type": [t for t in TYPES if t not in named | numbers]}]
        case "const" | "enum":
            return [{"not": {"enum": [value] if key == "const" else value}}]
        case "pattern":
            return [{"type": "string", "not": {"pattern": value}}]
        case "required":
            return [{"type": "object", "properties": {name: False}} for name in value]
        case "properties":
            return [
                {"type": "object", "properties": {name: opposite(part)}, "required": [name]}
                for name, part in value.items()
                if part is False or (part is not True and constraints(part))
            ]
        case "anyOf":
            return [{"allOf": [opposite(part) for part in value]}]
        case "allOf":
            return [opposite(part) for part in value]
        case "not":
            return [value]
        case "minimum":
            return [{"type": "number", "exclusiveMaximum": value}]
        case "maximum":
            return [{"type": "number", "exclusiveMinimum": value}]
        case "exclusiveMinimum":
            return [{"type": "number", "maximum": value}]
        case "exclusiveMaximum":
            return [{"type": "number", "minimum": value}]
        case "minLength" if value:
            return [{"type": "string", "maxLength": value - 1}]
        case "maxLength":
            return [{"type": "string", "minLength": value + 1}]
        case "minItems" if value:
            return [{"type": "array", "maxItems": value - 1}]
        case "maxItems":
            return [{"type": "array", "minItems": value + 1}]
        case "minLength" | "minItems":
            return []
    raise Unmergeable(f"uses 'not' with '{key}'")


def plainly_refused(schema: Any) -> list[tuple[str, Any]] | None:
    """Of a `not` of constants and patterns: each `("const", value)` and `("pattern", text)`."""
    said = constraints(schema) if isinstance(schema, Mapping) else {}
    if len(said) != 1:
        return None
    ((keyword, value),) = said.items()
    match keyword:
        case "const" | "pattern" if not isinstance(value, tuple):
            return [(keyword, value)]
        case "enum":
            return [("const", each) for each in value]
        case "anyOf":
            parts = [plainly_refused(part) for part in value]
            if all(part is not None for part in parts):
                return [each for part in parts if part for each in part]
    return None
