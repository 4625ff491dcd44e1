"""From a tool's JSON Schema to the regular language of its arguments.

What the language accepts always satisfies the schema; where a schema cannot be compiled, or only by
accepting more than it allows, that is said by name. Objects are closed unless
`additionalProperties` says otherwise, their keys stand in the schema's order. This module knows
bytes and schemas, not tokens.
"""

import math
from collections.abc import Mapping
from decimal import Decimal
from itertools import combinations
from typing import Any

from jsonschema import Draft202012Validator
from referencing.exceptions import Unresolvable

from edgetune_export.grammar.formats import FORMATS
from edgetune_export.grammar.json_numbers import integer, number
from edgetune_export.grammar.json_text import constant, string, string_except, string_matching
from edgetune_export.grammar.order import followed
from edgetune_export.grammar.regular import (
    NOTHING,
    Either,
    Literal,
    Members,
    Node,
    Repeat,
    Sequence,
    minimal,
)
from edgetune_export.grammar.tables import disjoint
from edgetune_runtime.calls import Tool
from edgetune_runtime.errors import GrammarError

FREE_DEPTH = 2
"""How many objects and arrays may be nested in a value that the schema leaves free."""

REFERENCE_DEPTH = 3
"""How often a `$ref` may stand inside itself."""

LONGEST_STRING = 512
LONGEST_ARRAY = 32
"""Larger `maxLength` and `maxItems` are held to these: the automaton counts in its states, and no
call's token budget reaches further."""

LARGEST = 5000
"""Parts of a schema, references followed, beyond which its automaton would take minutes."""

_TYPES = ("object", "array", "string", "integer", "number", "boolean", "null")
_ANNOTATIONS = {
    "title",
    "description",
    "default",
    "examples",
    "deprecated",
    "readOnly",
    "writeOnly",
    "nullable",
    "$schema",
    "$id",
    "$comment",
    "$defs",
    "definitions",
    "contentEncoding",
    "contentMediaType",
    # OpenAPI's
    "discriminator",
    "example",
    "externalDocs",
    "xml",
}
_BY_TYPE = {
    "object": {"properties", "required", "additionalProperties"},
    "array": {"items", "minItems", "maxItems", "prefixItems"},
    "string": {"minLength", "maxLength", "pattern"},
    "integer": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"},
    "number": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"},
    "boolean": set[str](),
    "null": set[str](),
}
_COMBINED = ("$ref", "anyOf", "oneOf", "allOf")
_UNDERSTOOD = {"type", "enum", "const", "format", *_COMBINED}.union(*_BY_TYPE.values())


def _is_annotation(keyword: str) -> bool:
    return keyword in _ANNOTATIONS or keyword.startswith("x-")


def arguments_language(tool: Tool) -> Node:
    """The texts of `tool`'s arguments. Raises GrammarError naming the tool and the field."""
    schema = {"type": "object", **tool.parameters}
    return _Compiler(tool, schema).value(schema, "parameters", 0)


class _Compiler:
    """One tool's schema on its way to a language; `field` is the path for error messages."""

    def __init__(self, tool: Tool, root: Mapping[str, Any]) -> None:
        self._tool = tool
        self._root = root
        self._inside: list[str] = []
        self._parts = 0

    def value(self, schema: Any, field: str, depth: int) -> Node:
        """The texts of the values that satisfy `schema`; `depth` counts nested free values."""
        self._parts += 1
        if self._parts > LARGEST:
            raise self._error(field, f"has more than {LARGEST} parts with its references followed")
        if schema is True or schema == {}:
            return self._free(depth)
        if schema is False:
            return NOTHING
        if not isinstance(schema, Mapping):
            raise self._error(field, f"is {schema!r}, which is no JSON Schema")
        for keyword in schema:
            if keyword not in _UNDERSTOOD and not _is_annotation(keyword):
                if keyword == "uniqueItems" and not schema[keyword]:
                    continue
                if keyword == "propertyNames" and schema[keyword] in (True, {}, {"type": "string"}):
                    continue
                raise self._error(field, f"uses '{keyword}'")
        if ("enum" in schema or "const" in schema) and "$ref" not in schema:
            return self._listed(schema, field)
        for keyword in _COMBINED:
            if keyword in schema:
                rest = {k: v for k, v in schema.items() if k != keyword and not _is_annotation(k)}
                return self._combined(keyword, schema[keyword], rest, field, depth)
        return Either(tuple(self._typed(t, schema, field, depth) for t in _types(schema)))

    def _typed(self, kind: str, schema: Mapping[str, Any], field: str, depth: int) -> Node:
        match kind:
            case "object":
                return self._object(schema, field, depth)
            case "array":
                return self._array(schema, field, depth)
            case "string":
                return self._string(schema, field)
            case "integer" | "number":
                return self._number(kind, schema, field)
            case "boolean":
                return Either((Literal(b"true"), Literal(b"false")))
            case "null":
                return Literal(b"null")
        raise self._error(field, f"has type {kind!r}")

    def _listed(self, schema: Mapping[str, Any], field: str) -> Node:
        """The values of `enum` or `const` that the rest of the schema allows too."""
        values = schema.get("enum", [schema.get("const")])
        checker = Draft202012Validator({**_definitions(self._root), **schema})
        try:
            kept = [constant(value) for value in values if checker.is_valid(value)]
        except Unresolvable as error:
            raise self._error(field, f"refers to something that is not there ({error})") from error
        if not kept:
            raise self._error(field, "lists no value that the rest of it allows")
        return Either(tuple(kept))

    def _combined(
        self, keyword: str, parts: Any, rest: dict[str, Any], field: str, depth: int
    ) -> Node:
        """`$ref`, `anyOf`, `oneOf`, `allOf`, each merged with the keywords beside it."""
        if keyword == "$ref":
            if self._inside.count(parts) >= REFERENCE_DEPTH:
                return NOTHING
            target = self._merged(self._resolved(parts, field), rest, field)
            self._inside.append(parts)
            try:
                return self.value(target, field, depth)
            finally:
                self._inside.pop()
        if keyword == "allOf":
            before = len(self._inside)
            for part in parts:
                rest = self._merged(self._followed(part, field), rest, field)
            try:
                return self.value(rest, field, depth)
            finally:
                del self._inside[before:]
        schemas = [self._merged(part, rest, field) for part in parts]
        nodes = [self.value(schema, f"{field}.{keyword}", depth) for schema in schemas]
        if keyword == "oneOf":
            self._check_apart(schemas, nodes, field)
        return Either(tuple(nodes))

    def _followed(self, part: Any, field: str) -> Any:
        """`part` of an `allOf` with a reference at its top replaced by what it names, so that the
        parts' properties stay in their order; within `_inside` until the caller is done."""
        while isinstance(part, Mapping) and "$ref" in part:
            reference = part["$ref"]
            if self._inside.count(reference) >= REFERENCE_DEPTH:
                return False
            self._inside.append(reference)
            rest = {k: v for k, v in part.items() if k != "$ref" and not _is_annotation(k)}
            part = self._merged(self._resolved(reference, field), rest, field)
        return part

    def _merged(self, part: Any, rest: Mapping[str, Any], field: str) -> Any:
        """One schema that asks for both; refused where both say something about the same."""
        if not rest or part is False:
            return part
        if part is True:
            return dict(rest)
        merged = {k: v for k, v in part.items() if not _is_annotation(k)}
        if _closes(merged, rest) or _closes(rest, merged):
            raise self._error(field, "combines two objects of which one closes itself")
        for key, value in rest.items():
            if key not in merged or merged[key] == value:
                merged[key] = value
            elif key == "required":
                merged[key] = list(dict.fromkeys([*value, *merged[key]]))
            elif key == "properties" and not set(value) & set(merged[key]):
                merged[key] = {**value, **merged[key]}
            else:
                raise self._error(field, f"combines two schemas that both say '{key}'")
        return merged

    def _check_apart(self, schemas: list[Any], nodes: list[Node], field: str) -> None:
        """Raise where a value could satisfy two alternatives of a `oneOf`."""
        tables = [minimal(node) for node in nodes]
        for (a, left), (b, right) in combinations(zip(schemas, tables, strict=True), 2):
            both_objects = all("object" in _types(self._plain(s)) for s in (a, b))
            apart = disjoint(left, right)
            if not apart or (both_objects and not _objects_apart(self._plain(a), self._plain(b))):
                raise self._error(
                    field, "has a 'oneOf' whose alternatives are not clearly apart (use 'anyOf')"
                )

    def _plain(self, schema: Any) -> Mapping[str, Any]:
        """`schema` with a reference at its top followed."""
        while isinstance(schema, Mapping) and "$ref" in schema:
            schema = self._resolved(schema["$ref"], "")
        return schema if isinstance(schema, Mapping) else {}

    def _resolved(self, reference: str, field: str) -> Any:
        if not reference.startswith("#"):
            raise self._error(field, f"refers to '{reference}' outside the schema")
        if reference[1:2] not in ("", "/"):
            raise self._error(field, f"refers to the anchor '{reference}' instead of a path")
        try:
            return followed(reference, self._root)
        except LookupError as error:
            raise self._error(field, f"refers to '{reference}', which is not there") from error

    def _object(self, schema: Mapping[str, Any], field: str, depth: int) -> Node:
        properties = dict(schema.get("properties", {}))
        required = schema.get("required", [])
        additional = schema.get("additionalProperties", "properties" not in schema)
        for key in required:
            if key not in properties:
                if additional is False:
                    raise self._error(field, f"requires '{key}', which it does not allow")
                properties[key] = additional
        members = []
        for key, child in properties.items():
            value = self.value(child, f"{field}.{key}", depth)
            name = Sequence((constant(key), Literal(b": ")))
            members.append((Sequence((name, value)), key in required))
        extra = None
        if additional is not False and not (additional is True and depth >= FREE_DEPTH):
            value = self.value(additional, f"{field}.additionalProperties", depth + 1)
            extra = Sequence((string_except(properties), Literal(b": "), value))
        return Sequence((Literal(b"{"), Members(tuple(members), extra, b", "), Literal(b"}")))

    def _array(self, schema: Mapping[str, Any], field: str, depth: int) -> Node:
        least, most = schema.get("minItems", 0), schema.get("maxItems")
        first = schema.get("prefixItems", [])
        items = schema.get("items", not first)
        if most is not None:
            most = min(most, max(LONGEST_ARRAY, least))
        if first:
            if least > len(first) or items is not False:
                raise self._error(field, "has 'prefixItems' that do not fix its length")
            parts = [self.value(item, f"{field}[{n}]", depth) for n, item in enumerate(first)]
            longest = len(parts) if most is None else min(most, len(parts))
            inside: Node = Either(
                tuple(
                    Members(tuple((part, True) for part in parts[:count]), None, b", ")
                    for count in range(least, longest + 1)
                )
            )
        elif items is True and depth >= FREE_DEPTH:
            inside = NOTHING if least else Literal(b"")
        else:
            item = self.value(items, f"{field}[]", depth + (items is True))
            inside = Repeat(item, least, most, b", ")
        return Sequence((Literal(b"["), inside, Literal(b"]")))

    def _string(self, schema: Mapping[str, Any], field: str) -> Node:
        least, most = schema.get("minLength", 0), schema.get("maxLength")
        if most is not None:
            most = min(most, max(LONGEST_STRING, least))
        pattern, form = schema.get("pattern"), FORMATS.get(schema.get("format", ""))
        if pattern is not None and form is not None:
            raise self._error(field, "has both 'pattern' and 'format'")
        if pattern is None and form is None:
            return string(least, most)
        try:
            return string_matching(pattern or form or "", least, most)
        except ValueError as error:
            raise self._error(field, f"cannot be compiled: {error}") from error

    def _number(self, kind: str, schema: Mapping[str, Any], field: str) -> Node:
        def bound(name: str) -> Decimal | None:
            value = schema.get(name)
            if isinstance(value, bool) or not isinstance(value, int | float | None):
                raise self._error(field, f"has {name} {value!r}, which is no number")
            return None if value is None else Decimal(repr(value))

        low, above = _tighter(bound("minimum"), bound("exclusiveMinimum"), max)
        high, below = _tighter(bound("maximum"), bound("exclusiveMaximum"), min)
        if kind == "number":
            return number(low, high, above, below)
        least = None if low is None else math.ceil(low) + (above and low == math.ceil(low))
        most = None if high is None else math.floor(high) - (below and high == math.floor(high))
        return integer(least, most)

    def _free(self, depth: int) -> Node:
        """Any value, with objects and arrays down to FREE_DEPTH."""
        scalars = (string(), number(), Literal(b"true"), Literal(b"false"), Literal(b"null"))
        if depth >= FREE_DEPTH:
            return Either(scalars)
        return Either((*scalars, self._object({}, "", depth), self._array({}, "", depth)))

    def _error(self, field: str, what: str) -> GrammarError:
        return GrammarError(
            f"tool '{self._tool.name}', {field}: the schema {what}, which no grammar can hold to; "
            "describe the parameter in a simpler way."
        )


def _types(schema: Mapping[str, Any]) -> tuple[str, ...]:
    """The types that a schema allows, guessed from its keywords where it names none."""
    named = schema.get("type")
    if isinstance(named, str):
        return (named,)
    if named:
        # An integer is a number too: one of the two is enough.
        return tuple(kind for kind in named if kind != "integer" or "number" not in named)
    for kind, keywords in _BY_TYPE.items():
        if keywords & set(schema) and kind != "integer":
            return (kind,)
    return tuple(kind for kind in _TYPES if kind != "integer")


def _closes(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """True where `one` has a say about keys that it does not name and `other` does."""
    known = one.get("properties", {})
    speaks = one.get("additionalProperties", True) not in (True, {})
    return speaks and bool(set(other.get("properties", {})) - set(known))


def _definitions(root: Mapping[str, Any]) -> dict[str, Any]:
    return {key: root[key] for key in ("$defs", "definitions") if key in root}


def _objects_apart(left: Mapping[str, Any], right: Mapping[str, Any]) -> bool:
    """True where a required key tells two object schemas apart, whatever else an object holds."""
    for a, b in ((left, right), (right, left)):
        required, known = set(a.get("required", [])), b.get("properties", {})
        if b.get("additionalProperties") is False and required - set(known):
            return True
    for key in set(left.get("required", [])) & set(right.get("required", [])):
        values = [_constants(schema.get("properties", {}).get(key, {})) for schema in (left, right)]
        if all(values) and not any(value in values[1] for value in values[0]):
            return True
    return False


def _constants(schema: Any) -> list[Any]:
    if not isinstance(schema, Mapping):
        return []
    return [schema["const"]] if "const" in schema else list(schema.get("enum", []))


def _tighter(
    bound: Decimal | None, exclusive: Decimal | None, choose: Any
) -> tuple[Decimal | None, bool]:
    """The bound that says more, and whether it is itself left out."""
    if exclusive is None or (bound is not None and choose(bound, exclusive) != exclusive):
        return bound, False
    return exclusive, True
