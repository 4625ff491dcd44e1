"""From a tool's JSON Schema to the regular language of its arguments.

What the language accepts always satisfies the schema; where a schema cannot be compiled, or only by
accepting more than it allows, that is said by name. Unknown keywords are annotations. Objects are
closed unless `additionalProperties` says otherwise, their keys stand in the schema's order. This
module knows how schemas are combined; what a single type may be is `typed`'s.
"""

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from itertools import combinations
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import UnknownType
from referencing import Registry
from referencing.exceptions import Unresolvable

from edgetune_export.grammar.drafts import modern
from edgetune_export.grammar.json_numbers import number
from edgetune_export.grammar.json_text import constant, string
from edgetune_export.grammar.limits import WORK, Limits
from edgetune_export.grammar.merge import (
    COMBINED,
    CONSTRAINTS,
    TYPES,
    Unmergeable,
    as_part,
    constraints,
    merged,
    opposite,
    plainly_refused,
)
from edgetune_export.grammar.order import followed
from edgetune_export.grammar.regular import NOTHING, Either, Literal, Node, minimal
from edgetune_export.grammar.tables import Room, Table, TooLarge, disjoint
from edgetune_export.grammar.typed import Typed
from edgetune_runtime.calls import Tool
from edgetune_runtime.errors import GrammarError

FREE_DEPTH = 2
"""How many objects and arrays may be nested in a value that the schema leaves free."""

LARGEST = 5000
"""Parts of a schema, references followed, beyond which its automaton would take minutes."""

_REFERENCE = re.compile(r'"\$ref": ("(?:[^"\\]|\\.)*")')
_UNSUPPORTED = ("$dynamicRef", "$recursiveRef")


class SchemaCompiler:
    """One tool's schema on its way to a language; `field` is the path for error messages."""

    def __init__(self, tool: Tool, limits: Limits, states: int) -> None:
        self._tool = tool
        self._root = modern({"type": "object", **tool.parameters})
        self.typed = Typed(self, limits)
        self._limits, self._room = limits, Room(states, WORK * states)
        self._inside: list[str] = []
        self._parts = 0
        self._known: dict[tuple[Any, ...], Node] = {}
        self._reachable = cache(self._references)

    def table(self) -> Table | None:
        """The language of the arguments; None where it needs more states than there is room for."""
        try:
            return minimal(self.value(self._root, "parameters", 0), self._room)
        except TooLarge:
            return None

    def value(self, schema: Any, field: str, depth: int) -> Node:
        """The texts of the values that satisfy `schema`; `depth` counts nested free values.

        What is asked for again is made minimal once and for all.
        """
        text = json.dumps(schema)
        inside = tuple(self._inside.count(each) for each in sorted(self._reachable(text)))
        key = (text, depth, self.typed.nested > 0, inside)
        known = self._known.get(key)
        self._known[key] = node = (
            self._value(schema, field, depth) if known is None else minimal(known, self._room)
        )
        return node

    def _references(self, text: str) -> set[str]:
        """The references in a schema's text, and those in what they name."""
        found: set[str] = set()
        waiting = [text]
        while waiting:
            for reference in map(json.loads, _REFERENCE.findall(waiting.pop())):
                if reference not in found:
                    found.add(reference)
                    with suppress(LookupError):
                        waiting.append(json.dumps(followed(reference, self._root)))
        return found

    def _value(self, schema: Any, field: str, depth: int) -> Node:
        self._parts += 1
        if self._parts > LARGEST:
            raise self.error(field, f"has more than {LARGEST} parts with its references followed")
        if schema is True:
            return self._free(depth)
        if schema is False:
            return NOTHING
        if not isinstance(schema, Mapping):
            raise self.error(field, f"is {schema!r}, which is no JSON Schema")
        said = constraints(schema)
        if not said:
            return self._free(depth)
        for keyword in _UNSUPPORTED:
            if keyword in said:
                raise self.error(field, f"uses '{keyword}'")
        if ("enum" in said or "const" in said) and "$ref" not in said:
            return self._listed(said, field)
        combines = {*COMBINED, "contains", *_REWRITTEN} & said.keys()
        if combines and said.get("unevaluatedItems", True) is not True:
            raise self.error(field, "uses 'unevaluatedItems'")
        conditions = self._conditions(said, field)
        if conditions:
            kept = {k: v for k, v in said.items() if k not in _REWRITTEN or k in conditions[0]}
            kept |= {"allOf": [*said.get("allOf", []), *conditions[1]]}
            said = kept
        for keyword in COMBINED:
            if keyword in said:
                rest = {k: v for k, v in said.items() if k != keyword}
                return self._combined(keyword, said[keyword], rest, field, depth)
        return Either(tuple(self.typed.value(kind, said, field, depth) for kind in _types(said)))

    def _conditions(
        self, said: Mapping[str, Any], field: str
    ) -> tuple[Mapping[str, Any], list[Any]] | None:
        """`if`, `not` and dependencies as alternatives to be added; None where there are none.

        With them what is kept as it is: a `not` of constants or patterns, which `typed` knows.
        """
        found: list[Any] = []
        kept: dict[str, Any] = {}
        try:
            if "if" in said and ("then" in said or "else" in said):
                holds = {"allOf": [said["if"], said.get("then", True)]}
                found.append(
                    {"anyOf": [holds, {"allOf": [opposite(said["if"]), said.get("else", True)]}]}
                )
            for key, needed in said.get("dependentRequired", {}).items():
                found.append(_unless_absent(key, {"required": [key, *needed]}))
            for key, needed in said.get("dependentSchemas", {}).items():
                found.append(_unless_absent(key, {"allOf": [{"required": [key]}, needed]}))
            if "not" in said:
                if plainly_refused(said["not"]) is not None:
                    kept["not"] = said["not"]
                else:
                    found.append(opposite(said["not"]))
        except Unmergeable as error:
            keyword = "if" if "if" in said else "not"
            why = str(error) if keyword == "not" else f"uses 'if' ({error})"
            raise self.error(field, why) from error
        if found and said.get("unevaluatedProperties", True) is not True:
            raise self.error(field, "uses 'unevaluatedProperties' beside conditions")
        if not found and not {"if", "then", "else"} & said.keys():
            return None
        if ("dependentRequired" in said or "dependentSchemas" in said) and not (
            {"properties", "patternProperties", "additionalProperties"} & said.keys()
        ):
            found.append({"additionalProperties": True})
        return kept, found

    def _listed(self, schema: Mapping[str, Any], field: str) -> Node:
        """The values of `enum` or `const` that the rest of the schema allows too."""
        values = schema["enum"] if "enum" in schema else [schema["const"]]
        kept = [constant(value) for value in values if self.valid(schema, value)]
        if not kept:
            raise self.error(field, "lists no value that the rest of it allows")
        return Either(tuple(kept))

    def valid(self, schema: Any, value: Any) -> bool:
        """Whether `schema`, a part of the tool's, allows `value`."""
        if isinstance(schema, Mapping) and isinstance(schema.get("pattern"), tuple):
            rest = {key: part for key, part in schema.items() if key != "pattern"}
            schema = {"allOf": [rest, *({"pattern": each} for each in schema["pattern"])]}
        checker = Draft202012Validator(self._root, registry=Registry()).evolve(schema=schema)
        try:
            return checker.is_valid(value)
        except Unresolvable as error:
            raise self.error(
                "parameters", f"refers to something that is not there ({error})"
            ) from error
        except UnknownType as error:
            raise self.error("parameters", f"has type {error.type!r}") from error

    def _combined(
        self, keyword: str, parts: Any, rest: dict[str, Any], field: str, depth: int
    ) -> Node:
        """`$ref`, `anyOf`, `oneOf`, `allOf`, each merged with the keywords beside it."""
        if keyword == "$ref":
            if self._is_too_far_inside(parts):
                return NOTHING
            target = self._joined(rest, self._resolved(parts, field), field)
            self._inside.append(parts)
            try:
                return self.value(target, field, depth)
            finally:
                self._inside.pop()
        if keyword == "allOf":
            before = len(self._inside)
            whole: Any = rest
            try:
                for part in parts:
                    alone = len(parts) == 1 and not rest
                    whole = self._joined(whole, self._followed(part, field), field, alone)
                self._check_open(whole, field)
                return self.value(whole, field, depth)
            finally:
                del self._inside[before:]
        schemas = [self._joined(rest, part, field) for part in parts]
        nodes = [self.value(schema, f"{field}.{keyword}", depth) for schema in schemas]
        if keyword == "oneOf":
            apart = self._are_apart(schemas, nodes)
            # Languages of patterns are narrower than what some reader takes: more may overlap.
            doubtful = "'pattern'" in str(parts) and "$ref" not in str(parts)
            if not apart or doubtful:
                try:
                    schemas = self._told_apart(parts, rest, field)
                    nodes = [self.value(schema, f"{field}.{keyword}", depth) for schema in schemas]
                except GrammarError:
                    if not apart:
                        raise
        return Either(tuple(nodes))

    def _check_open(self, whole: Any, field: str) -> None:
        """Raise where one part of an `allOf` requires a key that another does not allow."""
        if isinstance(whole, Mapping):
            for key in whole.get("required", []):
                if _is_refused(whole.get("properties", {}).get(key)):
                    raise self.error(field, "combines two objects of which one closes itself")

    def _followed(self, part: Any, field: str) -> Any:
        """`part` of an `allOf` with a reference at its top replaced by what it names, so that the
        parts' properties stay in their order; within `_inside` until the caller is done."""
        while isinstance(part, Mapping) and "$ref" in part:
            reference = part["$ref"]
            if self._is_too_far_inside(reference):
                return False
            self._inside.append(reference)
            rest = {k: v for k, v in constraints(part).items() if k != "$ref"}
            part = self._joined(rest, self._resolved(reference, field), field)
        return part

    def _is_too_far_inside(self, reference: str) -> bool:
        """Whether `reference` stands inside itself as often as it may."""
        is_too_far = self._inside.count(reference) >= self._limits.within
        self.typed.counts |= is_too_far
        return is_too_far

    def _joined(self, rest: Any, part: Any, field: str, alone: bool | None = None) -> Any:
        """`rest` with a part that was written apart from it."""
        try:
            part = as_part(part, not rest if alone is None else alone)
        except Unmergeable as error:
            raise self.error(field, str(error)) from error
        return self.merged(rest, part, field)

    def merged(self, one: Any, other: Any, field: str) -> Any:
        """One schema that asks for both."""
        try:
            return merged(one, other, self.valid)
        except Unmergeable as error:
            raise self.error(field, str(error)) from error

    def _are_apart(self, schemas: list[Any], nodes: list[Node]) -> bool:
        """Whether clearly no value satisfies two alternatives of a `oneOf`."""
        tables = [minimal(node, self._room) for node in nodes]
        for (a, left), (b, right) in combinations(zip(schemas, tables, strict=True), 2):
            both_objects = all("object" in _types(self._plain(s)) for s in (a, b))
            if not (left.start and right.start):
                continue
            apart = disjoint(left, right)
            if not apart or (both_objects and not _objects_apart(self._plain(a), self._plain(b))):
                return False
        return True

    def _told_apart(self, parts: list[Any], rest: dict[str, Any], field: str) -> list[Any]:
        """Each alternative with the opposites of the others."""
        if rest.get("unevaluatedProperties", True) is not True:
            raise self.error(field, "uses 'unevaluatedProperties' beside a 'oneOf' that overlaps")
        parts = [self._plain(part) if isinstance(part, Mapping) else part for part in parts]
        try:
            others = [opposite(part) for part in parts]
        except Unmergeable as error:
            raise self.error(
                field, "has a 'oneOf' whose alternatives are not clearly apart (use 'anyOf')"
            ) from error
        return [
            {"allOf": [rest, part, *others[:n], *others[n + 1 :]]} for n, part in enumerate(parts)
        ]

    def _plain(self, schema: Any) -> Mapping[str, Any]:
        """`schema` with a reference at its top followed."""
        while isinstance(schema, Mapping) and "$ref" in schema:
            schema = self._resolved(schema["$ref"], "")
        return schema if isinstance(schema, Mapping) else {}

    def _resolved(self, reference: str, field: str) -> Any:
        if not reference.startswith("#"):
            raise self.error(field, f"refers to '{reference}' outside the schema")
        if reference[1:2] not in ("", "/"):
            raise self.error(field, f"refers to the anchor '{reference}' instead of a path")
        try:
            return followed(reference, self._root)
        except LookupError as error:
            raise self.error(field, f"refers to '{reference}', which is not there") from error

    def _free(self, depth: int) -> Node:
        """Any value, with objects and arrays down to FREE_DEPTH."""
        scalars = (string(), number(), Literal(b"true"), Literal(b"false"), Literal(b"null"))
        if depth >= FREE_DEPTH:
            return Either(scalars)
        nested = (self.typed.value(kind, {}, "", depth) for kind in ("object", "array"))
        return Either((*scalars, *nested))

    def is_too_deep(self, schema: Any, depth: int) -> bool:
        """Whether another free value may not be nested here."""
        return (schema is True or schema == {}) and depth >= FREE_DEPTH

    def error(self, field: str, what: str) -> GrammarError:
        """The sentence for a schema that has, at `field`, something that no grammar holds."""
        return GrammarError(
            f"tool '{self._tool.name}', {field}: the schema {what}, which no grammar can hold to; "
            "describe the parameter in a simpler way."
        )


_REWRITTEN = ("if", "then", "else", "not", "dependentRequired", "dependentSchemas")


def _unless_absent(key: str, needed: Any) -> Any:
    return {"anyOf": [{"properties": {key: False}}, needed]}


def _is_refused(schema: Any) -> bool:
    if isinstance(schema, Mapping):
        return any(_is_refused(part) for part in schema.get("allOf", ()))
    return schema is False


def _types(schema: Mapping[str, Any]) -> tuple[str, ...]:
    """The types that a schema allows, guessed from its keywords where it names none."""
    named = schema.get("type")
    if isinstance(named, str):
        return (named,)
    if named:
        # An integer is a number too: one of the two is enough.
        return tuple(kind for kind in named if kind != "integer" or "number" not in named)
    for kind, keywords in CONSTRAINTS.items():
        if keywords & set(schema) and kind != "integer":
            return (kind,)
    return tuple(kind for kind in TYPES if kind != "integer")


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
