"""Copied values: what a parameter takes word for word from the conversation.

A small model that writes a name letter by letter can slip from one that it read into one that it
knows. Where a parameter is known to be copied, its value may only go on as some span of whole
words goes on in what was said. This module knows texts and keys, neither token ids nor logits.
"""

import json
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from unicodedata import category

from edgetune_runtime.prompt import Result, Turn, User

_PARTS = re.compile(rb'[{}\[\],]|"((?:[^"\\]|\\.)*)("?)', re.DOTALL)
"""What structures a JSON text, down to a string that is still open."""


class Spans:
    """The spans of whole words in what was said in `turns`, as values of the parameters `keys`."""

    def __init__(self, turns: Sequence[Turn], keys: Collection[str]) -> None:
        self._sources = [
            _source(turn.text.rstrip()) for turn in turns if isinstance(turn, User | Result)
        ]
        self._keys = {json.dumps(key, ensure_ascii=False)[1:-1].encode() for key in keys}

    def holds(self, value: str) -> bool:
        """Whether `value` is a span."""
        return self._is_span(_inner_json(value), closed=True)

    def admits(self, written: bytes, token: bytes) -> bool:
        """Whether copied values stay spans, or beginnings of spans, when `token` is written.

        `written` is an arguments object's JSON text as far as it goes. A value that was no span
        before stays free, so that a schema that allows none is no dead end.
        """
        text = written + token
        for value in _values(text):
            if value.key in self._keys and value.end >= len(written):
                before = written[value.start :]
                allowed = self._is_span(text[value.start : value.end], value.closed)
                if not allowed and self._is_span(before, closed=False):
                    return False
        return True

    def _is_span(self, value: bytes, closed: bool) -> bool:
        return any(source.has(value, closed) for source in self._sources)


FREE = Spans((), ())
"""No value is copied."""


@dataclass(frozen=True)
class _Source:
    text: bytes
    """As it would stand in a JSON string."""
    starts: frozenset[int]
    ends: frozenset[int]

    def has(self, value: bytes, closed: bool) -> bool:
        """Whether a span is `value`, or begins with it where it is not closed."""
        if closed and not value:
            return False
        return any(
            start in self.starts and (not closed or start + len(value) in self.ends)
            for start in _occurrences(self.text, value)
        )


@dataclass(frozen=True)
class _Value:
    """A string value of the outermost object, between its quotes."""

    key: bytes
    start: int
    end: int
    closed: bool


def _source(text: str) -> _Source:
    """`text` with the places where spans may begin and end."""
    starts, ends, at = set(), set(), 0
    for index, character in enumerate(text):
        inside = index > 0 and _is_word(text[index - 1]) and _is_word(character)
        if index > 0 and not inside and not text[index - 1].isspace():
            ends.add(at)
        if not inside and not character.isspace():
            starts.add(at)
        at += len(_inner_json(character))
    return _Source(_inner_json(text), frozenset(starts), frozenset({*ends, at}))


def _is_word(character: str) -> bool:
    """Letters, digits, the underscore, and the marks that are part of the letter before them."""
    return character.isalnum() or character == "_" or category(character).startswith("M")


def _inner_json(text: str) -> bytes:
    return json.dumps(text, ensure_ascii=False)[1:-1].encode(errors="surrogatepass")


def _occurrences(text: bytes, value: bytes) -> Iterator[int]:
    at = text.find(value)
    while at >= 0:
        yield at
        at = text.find(value, at + 1)


def _values(text: bytes) -> Iterator[_Value]:
    depth = 0
    key: bytes | None = None
    for part in _PARTS.finditer(text):
        mark = part[0][:1]
        if mark in b"{[":
            depth += 1
        elif mark in b"}]":
            depth -= 1
        elif mark == b"," and depth == 1:
            key = None
        elif mark == b'"' and depth == 1 and key is None:
            key = part[1]
        elif mark == b'"' and depth == 1 and key is not None:
            closed = bool(part[2])
            yield _Value(key, part.start(1), part.end(1) if closed else len(text), closed)
