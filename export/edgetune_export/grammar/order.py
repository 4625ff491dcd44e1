"""The order in which arguments are written: that of the schema's properties, the grammar's own.

Training records, foreign calls and scores come in any order; a phone never needs this, since it
keeps the text of each call as it was written. This module knows schemas and values, no bytes.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain, repeat
from typing import Any
from urllib.parse import unquote

from edgetune_runtime.calls import Tool


def order_arguments(tool: Tool, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """`arguments` in the order of the schema's properties; unknown keys last, as they stand.

    Objects inside them too. Properties of what a schema refers to or combines follow its own.
    """
    return _ordered(tool.parameters, arguments, tool.parameters)


def _ordered(schema: Any, value: Any, root: Mapping[str, Any]) -> Any:
    parts = list(_parts(schema, value, root))
    if isinstance(value, Mapping):
        properties = _properties(parts)
        ordered = {
            key: _ordered(properties[key], value[key], root) for key in properties if key in value
        }
        more = _first(parts, "additionalProperties", {})
        return ordered | {k: _ordered(more, v, root) for k, v in value.items() if k not in ordered}
    if isinstance(value, list):
        wanted = chain(_first(parts, "prefixItems", ()), repeat(_first(parts, "items", {})))
        return [_ordered(each, item, root) for each, item in zip(wanted, value, strict=False)]
    return value


def _first(parts: Sequence[Mapping[str, Any]], keyword: str, otherwise: Any) -> Any:
    return next((part[keyword] for part in parts if keyword in part), otherwise)


def _properties(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in parts:
        found |= {k: v for k, v in part.get("properties", {}).items() if k not in found}
    return found


def _parts(
    schema: Any, value: Any, root: Mapping[str, Any], depth: int = 8
) -> Iterator[Mapping[str, Any]]:
    """`schema`, then what it refers to and combines, of alternatives first those that `value` fits;
    references are paths within `root`."""
    if not isinstance(schema, Mapping) or not depth:
        return
    yield schema
    reference = schema.get("$ref")
    if isinstance(reference, str):
        with suppress(LookupError):
            yield from _parts(followed(reference, root), value, root, depth - 1)
    for keyword in ("anyOf", "oneOf"):
        branches = schema.get(keyword, [])
        for part in sorted(branches, key=lambda part: not _fits(part, value, root, depth - 1)):
            yield from _parts(part, value, root, depth - 1)
    for part in schema.get("allOf", []):
        yield from _parts(part, value, root, depth - 1)


def _fits(schema: Any, value: Any, root: Mapping[str, Any], depth: int) -> bool:
    """Whether an object has the keys of `schema`, and what it fixes them to."""
    if not isinstance(value, Mapping):
        return True
    parts = list(_parts(schema, value, root, depth))
    properties = _properties(parts)
    fixed = {
        key: child.get("enum", [child["const"]] if "const" in child else [value[key]])
        for key, child in properties.items()
        if key in value and isinstance(child, Mapping)
    }
    return (
        (value.keys() <= properties.keys() or bool(_first(parts, "additionalProperties", False)))
        and all(key in value for part in parts for key in part.get("required", ()))
        and all(value[key] in allowed for key, allowed in fixed.items())
    )


def followed(reference: str, root: Any) -> Any:
    """What `reference`, a path such as `#/$defs/place`, names in `root`. Raises LookupError."""
    found = root
    for part in unquote(reference).split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(found, list) and key.isdecimal():
            found = found[int(key)]
        elif isinstance(found, Mapping):
            found = found[key]
        else:
            raise LookupError(reference)
    return found


def arguments_json(tool: Tool, arguments: Mapping[str, Any]) -> str:
    """The JSON text of a call's arguments: schema order, `", "` and `": "`, no ASCII escapes."""
    return json.dumps(order_arguments(tool, arguments), ensure_ascii=False)


def schema_of_key(schema: Any, value: Mapping[str, Any], key: str, root: Mapping[str, Any]) -> Any:
    """The schema of `value[key]` within an object of `schema`; False where it may not be there."""
    parts = list(_parts(schema, value, root))
    properties = _properties(parts)
    return properties[key] if key in properties else _first(parts, "additionalProperties", False)


def schema_of_item(schema: Any, value: Sequence[Any], index: int, root: Mapping[str, Any]) -> Any:
    """The schema of `value[index]` within a list of `schema`."""
    parts = list(_parts(schema, value, root))
    before = _first(parts, "prefixItems", ())
    return before[index] if index < len(before) else _first(parts, "items", {})
