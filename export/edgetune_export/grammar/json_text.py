"""The texts of JSON strings and constants as regular languages: how characters become bytes.

Every value has one text here, the one that `json.dumps(value, ensure_ascii=False)` writes. Control
characters other than tab and line breaks are left out: no call's arguments need them. This module
knows nothing of schemas or tokens; numbers are `json_numbers`'.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from interegular import InvalidSyntax, Unsupported, parse_pattern
from interegular.fsm import FSM, anything_else

from edgetune_export.grammar.patterns import anchored
from edgetune_export.grammar.regular import (
    Either,
    Graph,
    Literal,
    Node,
    OneOf,
    Repeat,
    Sequence,
)

Ranges = tuple[tuple[int, int], ...]

_UNICODE_END = 0x10FFFF
_ESCAPED = {ord('"'): b'\\"', ord("\\"): b"\\\\", 9: b"\\t", 10: b"\\n", 13: b"\\r"}
_UTF8_ENDS = (0x7F, 0x7FF, 0xFFFF, _UNICODE_END)

ANY_CHARACTER: Ranges = ((0, _UNICODE_END),)


def constant(value: Any) -> Node:
    """The text of one value."""
    return Literal(json.dumps(value, ensure_ascii=False).encode())


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
    return _quoted(Repeat(characters(ANY_CHARACTER), least, most))


def string_matching(pattern: str, least: int = 0, most: int | None = None) -> Node:
    """A string in which `pattern` (ECMA 262, as JSON Schema has it) matches somewhere.

    Raises ValueError with the reason where the pattern is not regular or not supported.
    """
    try:
        # Nothing may follow that is not the pattern's: a lookahead that reaches further is refused.
        machine = parse_pattern(anchored(pattern)).to_fsm(prefix_postfix=(0, 0))
        if least or most is not None:
            bound = "" if most is None else str(most)
            machine &= parse_pattern(f"(?:.|\n){{{least},{bound}}}").to_fsm()
    except (Unsupported, InvalidSyntax) as error:
        raise ValueError(f"the pattern {pattern!r} is not supported ({error})") from error
    return _quoted(_graph(machine.reduce()))


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
            (characters(_complement(map(ord, row))), elsewhere),
        )
        for row in tree
    ]
    edges.append(((characters(ANY_CHARACTER), elsewhere),))
    return _quoted(Graph(tuple(edges), frozenset(range(elsewhere + 1)) - ends))


def _quoted(content: Node) -> Node:
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


def _complement(codes: Iterable[int]) -> Ranges:
    ranges, low = [], 0
    for code in sorted(codes):
        if low < code:
            ranges.append((low, code - 1))
        low = code + 1
    return (*ranges, (low, _UNICODE_END))


def _ranges(codes: Iterable[int]) -> Ranges:
    """`codes` as ranges: one edge of the automaton each, so that their number counts."""
    ranges: list[tuple[int, int]] = []
    for code in sorted(codes):
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1] = (ranges[-1][0], code)
        else:
            ranges.append((code, code))
    return tuple(ranges)


def _graph(machine: FSM) -> Node:
    """A character automaton of interegular as a graph of byte expressions."""
    symbols: Mapping[int, list[Any]] = machine.alphabet.by_transition
    listed = [ord(s) for group in symbols.values() for s in group if s is not anything_else]
    ranges = {}
    for key, group in symbols.items():
        plain = _ranges(ord(s) for s in group if s is not anything_else)
        ranges[key] = plain + (_complement(listed) if anything_else in group else ())
    order = [machine.initial, *sorted(set(machine.states) - {machine.initial})]
    place = {state: index for index, state in enumerate(order)}
    edges = tuple(
        tuple(
            (characters(ranges[key]), place[target])
            for key, target in machine.map.get(state, {}).items()
            if machine.islive(target)
        )
        for state in order
    )
    return Graph(edges, frozenset(place[state] for state in machine.finals))
