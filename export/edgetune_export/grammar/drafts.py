"""Drafts 4 to 7 of JSON Schema in the words of 2020-12, their patterns as Python reads them.

Knows keywords and where schemas stand in schemas; what they mean is others' to know.
"""

import re
from collections.abc import Mapping
from typing import Any

from edgetune_export.grammar.character_classes import Ranges, category, complement

_CLASS = re.compile(r"\\([pP])\{([^}]*)\}")
_GROUP = re.compile(r"\(\?<(?![=!])")
_OF_SCHEMAS = ("allOf", "anyOf", "oneOf", "prefixItems")
_BY_NAME = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
_ONE = (
    "items",
    "additionalProperties",
    "additionalItems",
    "unevaluatedProperties",
    "unevaluatedItems",
    "contains",
    "propertyNames",
    "not",
    "if",
    "then",
    "else",
)


def modern(schema: Any) -> Any:
    """`schema` in the words of 2020-12; what is none of a schema's stays as it is."""
    if not isinstance(schema, Mapping):
        return schema
    # The library would judge a part that names another draft by that one's words.
    found = {key: value for key, value in schema.items() if key != "$schema"}
    if isinstance(found.get("items"), list):
        found["prefixItems"] = found.pop("items")
        if "additionalItems" in found:
            found["items"] = found["additionalItems"]
    found.pop("additionalItems", None)
    _modern_dependencies(found)
    for bound, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if isinstance(found.get(exclusive), bool) and bound in found:
            if found.pop(exclusive):
                found[exclusive] = found.pop(bound)
        elif isinstance(found.get(exclusive), bool):
            del found[exclusive]
    if isinstance(found.get("pattern"), str):
        found["pattern"] = python_pattern(found["pattern"])
    for keyword in _OF_SCHEMAS:
        if isinstance(found.get(keyword), list):
            found[keyword] = [modern(part) for part in found[keyword]]
    for keyword in _BY_NAME:
        if isinstance(found.get(keyword), Mapping):
            named = keyword == "patternProperties"
            found[keyword] = {
                python_pattern(name) if named else name: modern(part)
                for name, part in found[keyword].items()
            }
    for keyword in _ONE:
        if keyword in found:
            found[keyword] = modern(found[keyword])
    return found


def _modern_dependencies(schema: dict[str, Any]) -> None:
    dependencies = schema.get("dependencies")
    if not isinstance(dependencies, Mapping):
        return
    del schema["dependencies"]
    for key, needed in dependencies.items():
        keyword = "dependentRequired" if isinstance(needed, list) else "dependentSchemas"
        schema[keyword] = {**schema.get(keyword, {}), key: needed}


def python_pattern(pattern: str) -> str:
    """`pattern` with `(?<name>…)` as Python has it and `\\p{…}` written out.

    What is not known here stays as it is.
    """
    written, in_class, place = "", False, 0
    while place < len(pattern):
        found = _CLASS.match(pattern, place)
        if found:
            ranges = _class_of(found)
            text = "".join(map(_as_range, ranges)) if ranges else found[0]
            written += text if in_class or not ranges else f"[{text}]"
            place = found.end()
            continue
        group = _GROUP.match(pattern, place)
        if group and not in_class:
            written += "(?P<"
            place = group.end()
            continue
        length = 2 if pattern[place] == "\\" else 1
        if pattern[place] in "[]":
            in_class = pattern[place] == "["
        written += pattern[place : place + length]
        place += length
    return written


def _class_of(found: re.Match[str]) -> Ranges:
    try:
        ranges = category(found[2])
    except ValueError:
        return ()
    # Surrogates are no characters of their own.
    taken = ranges if found[1] == "p" else complement((*ranges, *category("Cn")))
    return tuple((low, high) for low, high in taken if not 0xD800 <= low <= 0xDFFF)


def _as_range(ends: tuple[int, int]) -> str:
    low, high = (re.escape(chr(end)) for end in ends)
    return low if low == high else f"{low}-{high}"
