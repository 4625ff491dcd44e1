"""The texts of JSON strings and constants as regular languages: how characters become bytes.

Every value has one text here, the one that `json.dumps(value, ensure_ascii=False)` writes. Control
characters other than tab and line breaks are left out: no call's arguments need them. This module
knows nothing of schemas or tokens; numbers are `json_numbers`'.
"""

import json
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from edgetune_export.grammar.character_classes import EVERY, LAST, Ranges, complement
from edgetune_export.grammar.regular import (
    Either,
    Graph,
    Literal,
    Node,
    OneOf,
    Repeat,
    Sequence,
)

_ESCAPED = {ord('"'): b'\\"', ord("\\"): b"\\\\", 9: b"\\t", 10: b"\\n", 13: b"\\r"}
_UTF8_ENDS = (0x7F, 0x7FF, 0xFFFF, LAST)


def constant(value: Any) -> Node:
    """The text of one value."""
    return Literal(json.dumps(value, ensure_ascii=False).encode())


@lru_cache(maxsize=4096)
def characters(ranges: Ranges) -> Node:
    """One character out of inclusive code point ranges, as it stands inside a JSON string.

    Surrogates and the control characters that need `\\u` escapes are left out.
    """
    parts: list[Node] = []
    for low, high in ranges:
        parts += [Literal(text) for code, text in _ESCAPED.items() if low <= code <= high]
        for first, last in _without(low, high):
            parts += [_bytes_between(a, b) for a, b in _utf8_blocks(first, last)]
    return Either(tuple(parts))


def string(least: int = 0, most: int | None = None) -> Node:
    """A string of `least` to `most` characters, quotes included."""
    return quoted(Repeat(characters(EVERY), least, most))


def string_except(words: Iterable[str]) -> Node:
    """Any string but `words`: a tree of their letters with a way out at every letter."""
    tree: list[dict[str, int]] = [{}]
    ends = set()
    for word in words:
        here = 0
        for letter in word:
            if letter not in tree[here]:
                tree[here][letter] = len(tree)
                tree.append({})
            here = tree[here][letter]
        ends.add(here)
    elsewhere = len(tree)
    edges = [
        (
            *((characters(((ord(letter), ord(letter)),)), child) for letter, child in row.items()),
            (characters(complement((ord(each), ord(each)) for each in row)), elsewhere),
        )
        for row in tree
    ]
    edges.append(((characters(EVERY), elsewhere),))
    return quoted(Graph(tuple(edges), frozenset(range(elsewhere + 1)) - ends))


def quoted(content: Node) -> Node:
    """`content` between quotes."""
    return Sequence((Literal(b'"'), content, Literal(b'"')))


def _without(low: int, high: int) -> Iterable[tuple[int, int]]:
    """`low` to `high` less what a JSON string cannot hold as it is, cut at UTF-8's lengths."""
    holes = ((0, 0x1F), (0x22, 0x22), (0x5C, 0x5C), (0x7F, 0x7F), (0xD800, 0xDFFF))
    pieces = []
    for first, last in holes:
        if low < first:
            pieces.append((low, min(high, first - 1)))
        low = max(low, last + 1)
    pieces.append((low, high))
    for first, last in pieces:
        for end in _UTF8_ENDS:
            if first <= min(last, end):
                yield first, min(last, end)
            first = max(first, end + 1)


def _utf8_blocks(low: int, high: int) -> Iterable[tuple[int, int]]:
    """Cut a range whose encodings are equally long where one byte's range is not a whole one.

    In each block, a byte after the first place where the ends differ runs over 0x80 to 0xBF.
    """
    for bits in (6, 12, 18):
        mask = (1 << bits) - 1
        if low & ~mask != high & ~mask:
            if low & mask:
                yield from _utf8_blocks(low, low | mask)
                yield from _utf8_blocks((low | mask) + 1, high)
                return
            if high & mask != mask:
                yield from _utf8_blocks(low, (high & ~mask) - 1)
                yield from _utf8_blocks(high & ~mask, high)
                return
    yield low, high


def _bytes_between(low: int, high: int) -> Node:
    pairs = zip(chr(low).encode(), chr(high).encode(), strict=True)
    return Sequence(tuple(OneOf((pair,)) for pair in pairs))
