"""The texts of values of one JSON type under the keywords that speak of it.

Each type's keywords become languages, and what has to hold together becomes their common words.
This module knows single types; how schemas are combined is `schema`'s, which it asks for the values
inside of objects and arrays.
"""

import json
import math
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import lru_cache
from itertools import combinations
from typing import TYPE_CHECKING, Any, Protocol

from edgetune_export.grammar.character_classes import EVERY
from edgetune_export.grammar.formats import FORMATS
from edgetune_export.grammar.json_numbers import integer, multiples, number
from edgetune_export.grammar.json_text import characters, constant, quoted, string, string_except
from edgetune_export.grammar.limits import Limits
from edgetune_export.grammar.merge import plainly_refused
from edgetune_export.grammar.patterns import matching
from edgetune_export.grammar.regular import (
    NOTHING,
    Both,
    Either,
    Except,
    Graph,
    Literal,
    Members,
    Node,
    Repeat,
    Sequence,
    minimal,
)
from edgetune_export.grammar.tables import Table, TooLarge

if TYPE_CHECKING:
    from edgetune_runtime.errors import GrammarError

MOST_PATTERNS = 4
"""Patterns of `patternProperties`: each set of them is a kind of key of its own."""
MOST_ORDERS = 12_000
"""Sets of distinct items times the bytes of all: more are written in the listed order alone."""
MOST_WORDS = 256
"""Items out of which distinct ones are picked."""

_SEPARATOR = b", "


class Schemas(Protocol):
    """What makes languages of whole schemas."""

    def value(self, schema: Any, field: str, depth: int) -> Node: ...
    def valid(self, schema: Any, value: Any) -> bool: ...
    def merged(self, one: Any, other: Any, field: str) -> Any: ...
    def is_too_deep(self, schema: Any, depth: int) -> bool: ...
    def error(self, field: str, what: str) -> "GrammarError": ...


class Typed:
    """Values of one type; `field` is the path for error messages, `depth` counts free values."""

    def __init__(self, schemas: Schemas, limits: Limits) -> None:
        self._schemas = schemas
        self._limits = limits
        self.nested = 0
        """In how many arrays and sets of additional properties the value stands."""
        self.counts = False
        """Whether a counter was met that smaller limits would hold to less."""

    def value(self, kind: str, schema: Mapping[str, Any], field: str, depth: int) -> Node:
        """The texts of values of the type `kind` that satisfy `schema`. Raises GrammarError."""
        match kind:
            case "object":
                return self._object(schema, field, depth)
            case "array":
                return self._array(schema, field, depth)
            case "string":
                node = self._string(schema, field)
            case "integer" | "number":
                node = self._number(kind, schema, field)
            case "boolean":
                node = Either((Literal(b"true"), Literal(b"false")))
            case "null":
                node = Literal(b"null")
            case _:
                raise self._schemas.error(field, f"has type {kind!r}")
        return self._refused(node, kind, schema, field)

    def _refused(self, node: Node, kind: str, schema: Mapping[str, Any], field: str) -> Node:
        """`node` without what `not` lists."""
        without: list[Node] = []
        for keyword, value in _refused(schema):
            if keyword == "pattern" and kind == "string":
                without.append(quoted(self._matching(value, field, generous=True)))
            elif keyword == "const" and isinstance(value, int | float) and kind == "number":
                if not isinstance(value, bool):
                    raise self._schemas.error(field, "uses 'not' with a number")
            elif keyword == "const":
                without.append(constant(value))
        return Except(node, Either(tuple(without))) if without else node

    def _object(self, schema: Mapping[str, Any], field: str, depth: int) -> Node:
        if any(isinstance(value, Mapping) for _, value in _refused(schema)):
            raise self._schemas.error(field, "uses 'not' with an object")
        patterns = schema.get("patternProperties", {})
        if len(patterns) > MOST_PATTERNS:
            raise self._schemas.error(field, f"has over {MOST_PATTERNS} 'patternProperties'")
        names = schema.get("propertyNames", True)
        required = schema.get("required", [])
        additional = schema.get(
            "additionalProperties",
            schema.get(
                "unevaluatedProperties",
                "properties" not in schema and "patternProperties" not in schema,
            ),
        )
        properties = dict(schema.get("properties", {}))
        for key in required:
            if key not in properties and not any(self._fits(key, each, field) for each in patterns):
                if additional is False:
                    raise self._schemas.error(field, f"requires '{key}', which it does not allow")
                properties[key] = additional
            properties.setdefault(key, True)
        members: list[tuple[Node, bool]] = []
        for key, child in properties.items():
            for pattern, more in patterns.items():
                if self._fits(key, pattern, field):
                    child = {"allOf": [child, more]}
            if names is not True and not self._schemas.valid(names, key):
                child = False
            value = self._schemas.value(child, f"{field}.{key}", depth)
            name = Sequence((constant(key), Literal(b": ")))
            members.append((Sequence((name, value)), key in required))
        self.nested += 1
        extra = Either(tuple(self._extras(schema, additional, properties, field, depth)))
        self.nested -= 1
        return self._members(schema, members, extra if extra.parts else None)

    def _members(
        self, schema: Mapping[str, Any], members: list[tuple[Node, bool]], extra: Node | None
    ) -> Node:
        least, most = schema.get("minProperties", 0), schema.get("maxProperties")
        if most is not None:
            self.counts = True
            most = min(int(most), max(self._limits.items, len(members) + 1, int(least)))
            if extra is None and most >= len(members):
                most = None
        least = 0 if least <= sum(needed for _, needed in members) else int(least)
        inside = Members(tuple(members), extra, _SEPARATOR, least, most)
        return Sequence((Literal(b"{"), inside, Literal(b"}")))

    def _extras(
        self,
        schema: Mapping[str, Any],
        additional: Any,
        properties: Mapping[str, Any],
        field: str,
        depth: int,
    ) -> Iterator[Node]:
        """Members whose keys the schema does not name, by the patterns that their keys match."""
        patterns = schema.get("patternProperties", {})
        keys: Node = string_except(properties)
        if "propertyNames" in schema and schema["propertyNames"] is not True:
            named = self._schemas.value(schema["propertyNames"], f"{field}.propertyNames", depth)
            keys = Both((keys, named))
        for count in range(len(patterns) + 1):
            for chosen in combinations(patterns, count):
                parts = [patterns[pattern] for pattern in chosen]
                child: Any = {"allOf": parts} if len(parts) > 1 else (*parts, additional)[0]
                if child is False or self._schemas.is_too_deep(child, depth):
                    continue
                kind = keys
                for pattern in patterns:
                    matched = quoted(self._matching(pattern, field, pattern not in chosen))
                    kind = Both((kind, matched)) if pattern in chosen else Except(kind, matched)
                place = f"{field}.{'patternProperties' if chosen else 'additionalProperties'}"
                value = self._schemas.value(child, place, depth + 1)
                yield Sequence((kind, Literal(b": "), value))

    def _fits(self, key: str, pattern: str, field: str) -> bool:
        """Whether some reader may find `pattern` in `key`."""
        return _minimal_of(quoted(self._matching(pattern, field, generous=True))).accepts(
            _text(key)
        )

    def _array(self, schema: Mapping[str, Any], field: str, depth: int) -> Node:
        if any(isinstance(value, list) for _, value in _refused(schema)):
            raise self._schemas.error(field, "uses 'not' with an array")
        least, most = int(schema.get("minItems", 0)), schema.get("maxItems")
        first = schema.get("prefixItems", [])
        items = schema.get("items", schema.get("unevaluatedItems", not first))
        if most is not None:
            self.counts = True
            most = min(int(most), max(self._limits.items, least))
        if schema.get("uniqueItems") and (most is None or most > 1):
            if not first and items is not False and "contains" not in schema:
                return _list(self._distinct(items, least, most, field, depth))
            if len(first) > 1 or items is not False:
                raise self._unique(field)
        self.nested += 1
        parts = [self._schemas.value(item, f"{field}[{n}]", depth) for n, item in enumerate(first)]
        inside: list[Node] = [
            Members(tuple((part, True) for part in parts[:count]), None, _SEPARATOR)
            for count in range(least, min(len(parts), len(parts) if most is None else most) + 1)
        ]
        room = most is None or most > len(parts)
        if items is not False and room and not self._schemas.is_too_deep(items, depth):
            free = items is True or items == {}
            item = self._schemas.value(items, f"{field}[]", depth + free)
            left = None if most is None else most - len(parts)
            if not parts:
                inside = [Repeat(item, least, left, _SEPARATOR)]
            else:
                more = Repeat(item, max(1, least - len(parts)), left, _SEPARATOR)
                inside.append(
                    Members((*((part, True) for part in parts), (more, True)), None, _SEPARATOR)
                )
        elif not parts and least == 0:
            inside = [Literal(b"")]
        if "contains" in schema and schema.get("minContains", 1):
            inside = [Both((Either(tuple(inside)), self._containing(schema, items, field, depth)))]
        if "maxContains" in schema and "contains" in schema:
            raise self._schemas.error(field, "uses 'maxContains'")
        self.nested -= 1
        return _list(Either(tuple(inside)))

    def _containing(self, schema: Mapping[str, Any], items: Any, field: str, depth: int) -> Node:
        """Lists of which at least `minContains` items are what `contains` says."""
        if "prefixItems" in schema:
            raise self._schemas.error(field, "uses 'contains' beside 'prefixItems'")
        free = items is True or items == {}
        item = self._schemas.value(items, f"{field}[]", depth + free)
        wanted = self._schemas.value(
            self._schemas.merged(items, schema["contains"], field), f"{field}.contains", depth + 1
        )
        count = int(schema.get("minContains", 1))
        separated = Sequence((Literal(_SEPARATOR), item))
        before = Repeat(Sequence((item, Literal(_SEPARATOR))), 0, None)
        # Each wanted one, whatever stands between it and the next.
        found: list[Node] = [before, wanted]
        for _ in range(count - 1):
            found += [Repeat(separated, 0, None), Literal(_SEPARATOR), wanted]
        return Sequence((*found, Repeat(separated, 0, None)))

    def _distinct(self, items: Any, least: int, most: int | None, field: str, depth: int) -> Node:
        """Lists of distinct items out of a few: in any order, of many in the listed order."""
        texts = _words(minimal(self._schemas.value(items, f"{field}[]", depth)))
        if texts is None:
            raise self._unique(field)
        listed = items.get("enum", ()) if isinstance(items, Mapping) else ()
        order = {_text(value): n for n, value in enumerate(listed)}
        texts = sorted(_different(texts), key=lambda text: order.get(text, len(order)))
        if least > len(texts):
            return NOTHING
        most = len(texts) if most is None else min(most, len(texts))
        sets = sum(math.comb(len(texts), count) for count in range(most + 1))
        if sets * sum(map(len, texts)) > MOST_ORDERS:
            return Members(tuple((Literal(t), False) for t in texts), None, _SEPARATOR, least, most)
        chosen = [
            frozenset(each)
            for count in range(most + 1)
            for each in combinations(range(len(texts)), count)
        ]
        place = {each: n for n, each in enumerate(chosen)}
        edges = tuple(
            tuple(
                (Literal((_SEPARATOR if each else b"") + text), place[each | {n}])
                for n, text in enumerate(texts)
                if n not in each and len(each) < most
            )
            for each in chosen
        )
        return Graph(edges, frozenset(n for each, n in place.items() if len(each) >= least))

    def _unique(self, field: str) -> "GrammarError":
        return self._schemas.error(
            field, "uses 'uniqueItems' for items that no 'enum', 'const' or 'boolean' lists"
        )

    def _string(self, schema: Mapping[str, Any], field: str) -> Node:
        least, most = int(schema.get("minLength", 0)), schema.get("maxLength")
        longest = self._limits.nested if self.nested else self._limits.string
        if most is not None:
            self.counts = True
            most = min(int(most), max(longest, least))
        patterns = [*_several(schema.get("pattern"))]
        patterns += [FORMATS[form] for form in _several(schema.get("format")) if form in FORMATS]
        if not patterns:
            return string(least, most)
        parts = [self._matching(pattern, field) for pattern in patterns]
        if least or most is not None:
            parts.append(Repeat(characters(EVERY), least, most))
        return quoted(Both(tuple(parts)))

    def _matching(self, pattern: str, field: str, generous: bool = False) -> Node:
        longest = self._limits.nested if self.nested else self._limits.string
        self.counts |= "{" in pattern
        try:
            return matching(pattern, longest, generous)
        except TooLarge:
            raise
        except ValueError as error:
            raise self._schemas.error(field, f"cannot be compiled: {error}") from error

    def _number(self, kind: str, schema: Mapping[str, Any], field: str) -> Node:
        def bound(name: str) -> Decimal | None:
            value = schema.get(name)
            if isinstance(value, bool) or not isinstance(value, int | float | None):
                raise self._schemas.error(field, f"has {name} {value!r}, which is no number")
            return None if value is None else Decimal(repr(value))

        low, above = _tighter(bound("minimum"), bound("exclusiveMinimum"), max)
        high, below = _tighter(bound("maximum"), bound("exclusiveMaximum"), min)
        step = bound("multipleOf")
        if kind == "number":
            node = number(low, high, above, below)
        else:
            least = None if low is None else math.ceil(low) + (above and low == math.ceil(low))
            most = None if high is None else math.floor(high) - (below and high == math.floor(high))
            node = integer(least, most)
        if step is None:
            return node
        try:
            return Both((node, multiples(step, kind)))
        except ValueError as error:
            raise self._schemas.error(field, str(error)) from error


_minimal_of = lru_cache(maxsize=256)(minimal)


def _refused(schema: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return plainly_refused(schema.get("not")) or []


def _text(key: str) -> bytes:
    """The JSON text of a key."""
    node = constant(key)
    assert isinstance(node, Literal)
    return node.text


def _list(inside: Node) -> Node:
    return Sequence((Literal(b"["), inside, Literal(b"]")))


def _several(value: Any) -> tuple[Any, ...]:
    return () if value is None else value if isinstance(value, tuple) else (value,)


def _words(table: Table) -> list[bytes] | None:
    """All words of a language, in order; None where they are too many."""
    found: list[bytes] = []
    waiting = [(table.start, b"")]
    while waiting:
        state, text = waiting.pop()
        if table.final[state]:
            found.append(text)
        ways = table.transitions[state].nonzero()[0].tolist()
        waiting += [
            (int(table.transitions[state, byte]), text + bytes([byte])) for byte in reversed(ways)
        ]
        if len(found) + len(waiting) > MOST_WORDS or len(text) > 4 * MOST_WORDS:
            return None
    return found


def _different(texts: list[bytes]) -> list[bytes]:
    """`texts` without those of a value that another text has too, such as 1 and 1.0."""
    seen: list[Any] = []
    kept = []
    for text in texts:
        value = json.loads(text)
        if any(
            value == other and isinstance(value, bool) == isinstance(other, bool) for other in seen
        ):
            continue
        seen.append(value)
        kept.append(text)
    return kept


def _tighter(
    bound: Decimal | None, exclusive: Decimal | None, choose: Any
) -> tuple[Decimal | None, bool]:
    """The bound that says more, and whether it is itself left out."""
    if exclusive is None or (bound is not None and choose(bound, exclusive) != exclusive):
        return bound, False
    return exclusive, True
