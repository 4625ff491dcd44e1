"""Patterns of JSON Schema (ECMA 262) as languages of what stands between a JSON string's quotes.

Anchors and lookaheads are held to wherever the language stays regular: a pattern is read from its
end, each part with the language of all that may follow it. Narrower than either reader, never
wider. This module knows patterns and characters, neither schemas nor tokens.
"""

from dataclasses import dataclass
from functools import lru_cache

from edgetune_export.grammar.character_classes import (
    EVERY,
    Ranges,
    complement,
    dot,
    named_class,
    union,
)
from edgetune_export.grammar.json_text import characters, quoted
from edgetune_export.grammar.regular import (
    NOTHING,
    Both,
    Either,
    Except,
    Literal,
    Node,
    Repeat,
    Sequence,
    minimal,
)
from edgetune_export.grammar.tables import TooLarge

_ANYTHING = Repeat(characters(EVERY), 0, None)
_CONTROLS = {"t": 9, "n": 10, "v": 11, "f": 12, "r": 13, "0": 0}


@dataclass(frozen=True)
class _Characters:
    ranges: Ranges


@dataclass(frozen=True)
class _Sequence:
    parts: tuple["_Part", ...]


@dataclass(frozen=True)
class _Choice:
    parts: tuple["_Part", ...]


@dataclass(frozen=True)
class _Repeated:
    part: "_Part"
    least: int
    most: int | None


@dataclass(frozen=True)
class _Look:
    part: "_Part"
    negative: bool


@dataclass(frozen=True)
class _Anchor:
    at_start: bool
    loose: bool = False
    """Whether an end is also before a last line feed, where Python finds it."""


_Part = _Characters | _Sequence | _Choice | _Repeated | _Look | _Anchor


@lru_cache(maxsize=1024)
def matching(pattern: str, longest: int | None = None, generous: bool = False) -> Node:
    """The contents of strings in which `pattern` matches somewhere.

    Counters above `longest` are held to it; `generous` takes what any reader might take instead of
    what all take. Raises ValueError with the reason where the pattern is not regular.
    """
    try:
        part = _Reader(pattern, None if generous else longest, generous).whole()
        return _anywhere(part)
    except ValueError as error:
        if isinstance(error, TooLarge):
            raise
        raise ValueError(f"the pattern {pattern!r} is not supported ({error})") from error


def string_matching(pattern: str, least: int = 0, most: int | None = None) -> Node:
    """A JSON string of `least` to `most` characters in which `pattern` matches somewhere."""
    content = matching(pattern)
    if least or most is not None:
        content = Both((content, Repeat(characters(EVERY), least, most)))
    return quoted(content)


def _anywhere(part: _Part) -> Node:
    if not _has_start(part):
        return Sequence((_ANYTHING, _before(part, _ANYTHING, None)))
    later = Sequence((characters(EVERY), _ANYTHING, _before(part, _ANYTHING, False)))
    return Either((_before(part, _ANYTHING, True), later))


def _before(part: _Part, rest: Node, at_start: bool | None) -> Node:
    """`part` and then `rest`, up to the end of the string; `at_start` is None where it depends."""
    match part:
        case _Anchor(at_start=True):
            if at_start is None:
                raise ValueError("'^' stands where it may or may not be the beginning")
            return rest if at_start else NOTHING
        case _Anchor():
            table = minimal(rest)
            ends = (b"", b"\\n") if part.loose else (b"",)
            return Either(tuple(Literal(end) for end in ends if table.accepts(end)))
        case _Look(inner, negative):
            ahead = _before(inner, _ANYTHING, at_start)
            return Except(rest, ahead) if negative else Both((rest, ahead))
        case _Choice(parts) if not _is_plain(part):
            return Either(tuple(_before(each, rest, at_start) for each in parts))
        case _Sequence(parts) if not _is_plain(part):
            starts = []
            for each in parts:
                starts.append(at_start)
                if at_start and not isinstance(each, _Anchor | _Look):
                    at_start = False if _least_length(each) else None
            for each, start in zip(reversed(parts), reversed(starts), strict=True):
                rest = _before(each, rest, start)
            return rest
        case _Repeated(inner, least, most) if not _is_plain(part):
            if most != 1:
                raise ValueError("an anchor or a lookahead is repeated")
            once = _before(inner, rest, at_start)
            return once if least else Either((once, rest))
    return Sequence((_plain(part), rest))


def _plain(part: _Part) -> Node:
    """The language of a part without anchors and lookaheads."""
    match part:
        case _Characters(ranges):
            return characters(ranges)
        case _Sequence(parts):
            return Sequence(tuple(map(_plain, parts)))
        case _Choice(parts):
            return Either(tuple(map(_plain, parts)))
        case _Repeated(inner, least, most):
            return Repeat(_plain(inner), least, most)
    raise AssertionError(part)


def _inner(part: _Part) -> tuple[_Part, ...]:
    match part:
        case _Sequence(parts) | _Choice(parts):
            return parts
        case _Repeated() | _Look():
            return (part.part,)
    return ()


def _is_plain(part: _Part) -> bool:
    return not isinstance(part, _Look | _Anchor) and all(map(_is_plain, _inner(part)))


def _has_start(part: _Part) -> bool:
    return part == _Anchor(True) or any(map(_has_start, _inner(part)))


def _least_length(part: _Part) -> int:
    match part:
        case _Characters():
            return 1
        case _Sequence(parts):
            return sum(map(_least_length, parts))
        case _Choice(parts):
            return min(map(_least_length, parts), default=0)
        case _Repeated(inner, least, _):
            return least * _least_length(inner)
    return 0


class _Reader:
    """Reads a pattern from left to right."""

    def __init__(self, pattern: str, longest: int | None, generous: bool) -> None:
        self._text, self._place = pattern, 0
        self._longest, self._generous = longest, generous

    def whole(self) -> _Part:
        part = self._choice()
        if self._place < len(self._text):
            raise ValueError("a bracket is closed that was not opened")
        return part

    def _next(self) -> str:
        return self._text[self._place : self._place + 1]

    def _take(self, *wanted: str) -> str:
        """The first of `wanted` that stands here, and go on behind it; else nothing."""
        for text in wanted:
            if self._text.startswith(text, self._place):
                self._place += len(text)
                return text
        return ""

    def _any(self) -> str:
        if self._place >= len(self._text):
            raise ValueError("it ends too early")
        self._place += 1
        return self._text[self._place - 1]

    def _up_to(self, end: str) -> str:
        place = self._text.find(end, self._place)
        if place < 0:
            raise ValueError(f"{end!r} is missing")
        found, self._place = self._text[self._place : place], place + len(end)
        return found

    def _choice(self) -> _Part:
        parts = [self._sequence()]
        while self._take("|"):
            parts.append(self._sequence())
        return parts[0] if len(parts) == 1 else _Choice(tuple(parts))

    def _sequence(self) -> _Part:
        parts: list[_Part] = []
        while self._next() not in ("", "|", ")"):
            parts.append(self._repeated(self._atom()))
        return parts[0] if len(parts) == 1 else _Sequence(tuple(parts))

    def _atom(self) -> _Part:
        letter = self._any()
        match letter:
            case "^" | "$":
                return _Anchor(letter == "^", letter == "$" and self._generous)
            case ".":
                return _Characters(dot(self._generous))
            case "(":
                return self._group()
            case "[":
                return _Characters(self._bracketed())
            case "\\":
                return _Characters(self._escaped())
            case "*" | "+" | "?":
                raise ValueError(f"{letter!r} repeats nothing")
        return _Characters(((ord(letter), ord(letter)),))

    def _group(self) -> _Part:
        kind = self._take("?:", "?=", "?!", "?<=", "?<!", "?P<", "?<", "?")
        if kind in ("?<=", "?<!"):
            raise ValueError("it has a lookbehind")
        if kind == "?":
            raise ValueError(f"it has a group that begins with '(?{self._next()}'")
        if kind in ("?P<", "?<"):
            self._up_to(">")
        if kind != "?!":
            part = self._choice()
        else:
            kept = self._longest, self._generous
            # What must not match: the more is taken for a match, the safer.
            self._longest, self._generous = None, not self._generous
            part = self._choice()
            self._longest, self._generous = kept
        if not self._take(")"):
            raise ValueError("a bracket is not closed")
        return _Look(part, kind == "?!") if kind in ("?=", "?!") else part

    def _repeated(self, part: _Part) -> _Part:
        least, most = 1, 1
        match self._next():
            case "*":
                least, most = 0, None  # type: ignore[assignment]
            case "+":
                least, most = 1, None  # type: ignore[assignment]
            case "?":
                least, most = 0, 1
            case "{":
                inside = self._text[self._place + 1 :].partition("}")[0]
                first, comma, last = inside.partition(",")
                if not first.isdecimal() or (last and not last.isdecimal()):
                    return part  # an ordinary character
                least = int(first)
                most = (int(last) if last else None) if comma else least  # type: ignore[assignment]
                self._up_to("}")
                self._place -= 1
            case _:
                return part
        self._place += 1
        self._take("?")
        if self._next() in ("*", "+", "{"):
            raise ValueError("a repetition is repeated")
        if most is not None and most < least:
            raise ValueError(f"{{{least},{most}}} is empty")
        if most is not None and self._longest is not None:
            most = min(most, max(least, self._longest))
        return _Repeated(part, least, most)

    def _escaped(self, in_class: bool = False) -> Ranges:
        letter = self._any()
        if letter in "sdwSDW":
            return named_class(letter, self._generous)
        if letter in "ux":
            digits = self._up_to("}") if self._take("{") else ""
            for _ in range(0 if digits else 4 if letter == "u" else 2):
                digits += self._any()
            return ((int(digits, 16), int(digits, 16)),)
        if letter == "c":
            code = ord(self._any()) % 32
        elif letter == "b" and in_class:
            code = 8
        elif letter in _CONTROLS:
            code = _CONTROLS[letter]
        elif letter in "bBAZ":
            raise ValueError(f"it has \\{letter}")
        elif letter.isdecimal() or letter == "k":
            raise ValueError(f"it refers to a group (\\{letter})")
        elif letter.isalpha() and letter.isascii():
            raise ValueError(f"it has \\{letter}")
        else:
            code = ord(letter)
        return ((code, code),)

    def _bracketed(self) -> Ranges:
        """A class in brackets, its first bracket read already."""
        negated = bool(self._take("^"))
        # What is not to be in the class: the more is named, the safer.
        kept, self._generous = self._generous, self._generous ^ negated
        found: list[Ranges] = []
        while not self._take("]"):
            low = self._member()
            if self._next() == "-" and self._text[self._place + 1 : self._place + 2] != "]":
                self._place += 1
                high = self._member()
                if len(low) != 1 or low[0][0] != low[0][1] or len(high) != 1:
                    raise ValueError("a range within brackets begins or ends with a class")
                if high[0][1] < low[0][0]:
                    raise ValueError("a range within brackets is empty")
                low = ((low[0][0], high[0][1]),)
            found.append(low)
        self._generous = kept
        ranges = union(*found)
        return complement(ranges) if negated else ranges

    def _member(self) -> Ranges:
        letter = self._any()
        return self._escaped(in_class=True) if letter == "\\" else ((ord(letter), ord(letter)),)
