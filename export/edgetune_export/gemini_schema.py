"""Gemini's schemas (a part of OpenAPI's) as JSON Schema: types in capitals, `nullable`.

Knows nothing of tools. What JSON Schema has no word for stays, as an annotation.
"""

import re
from collections.abc import Mapping
from typing import Any

_COUNTS = (
    *("minItems", "maxItems", "minLength", "maxLength"),
    *("minProperties", "maxProperties"),
)
_SNAKE_CASE = {
    re.sub("[A-Z]", lambda capital: f"_{capital[0].lower()}", word): word
    for word in ("anyOf", "additionalProperties", "prefixItems", *_COUNTS)
}
"""What the Python SDK calls keywords."""

_SCHEMAS = ("items", "anyOf", "prefixItems", "additionalProperties")
_MAPS = ("properties", "$defs", "defs")


def json_schema(declared: Any) -> Any:
    """The JSON Schema of what a declaration has as `parameters`, or of a part of it.

    Counts may be texts, as protocol buffers write 64-bit integers. Whatever is no schema stays as
    it is.
    """
    if isinstance(declared, list):
        return [json_schema(each) for each in declared]
    if not isinstance(declared, Mapping):
        return declared
    named = {_SNAKE_CASE.get(key) or key: value for key, value in declared.items()}
    schema = {key: _value(key, value) for key, value in named.items() if key != "nullable"}
    if schema.get("type") == "type_unspecified":
        del schema["type"]
    if schema.get("format") == "enum":
        del schema["format"]
    return _or_null(schema) if named.get("nullable") is True else schema


def _value(key: str, value: Any) -> Any:
    if key == "type" and isinstance(value, str):
        return value.lower()
    if key in _COUNTS and isinstance(value, str) and value.isdecimal():
        return int(value)
    if key in _MAPS and isinstance(value, Mapping):
        return {name: json_schema(each) for name, each in value.items()}
    return json_schema(value) if key in _SCHEMAS else value


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    """`schema`, or null."""
    widened = dict(schema)
    if isinstance(schema.get("type"), str):
        widened["type"] = [schema["type"], "null"]
    if isinstance(schema.get("enum"), list):
        widened["enum"] = [*schema["enum"], None]
    if isinstance(schema.get("anyOf"), list):
        widened["anyOf"] = [*schema["anyOf"], {"type": "null"}]
    return widened
