"""Classes of characters in patterns, as ranges of code points.

ECMA's and Python's `\\s`, `\\d`, `\\w` differ beyond ASCII. Here a class stands for what both take,
or, asked generously, for what either takes; what is written stays true for either reader. This
module knows code points alone.
"""

import unicodedata
from collections.abc import Iterable
from functools import lru_cache

Ranges = tuple[tuple[int, int], ...]

LAST = 0x10FFFF
EVERY: Ranges = ((0, LAST),)
_SPACE = " \t\n\r\f\v\u00a0\u1680\u2028\u2029\u202f\u205f\u3000"
_SPACE_OF_BOTH = (*((ord(c), ord(c)) for c in _SPACE), (0x2000, 0x200A))
_SPACE_OF_EITHER = (*_SPACE_OF_BOTH, (0x1C, 0x1F), (0x85, 0x85), (0xFEFF, 0xFEFF))
_DIGITS, _WORD = ((0x30, 0x39),), ((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A))
_LONG_NAMES = {
    "Letter": "L",
    "Uppercase_Letter": "Lu",
    "Lowercase_Letter": "Ll",
    "Mark": "M",
    "Number": "N",
    "Decimal_Number": "Nd",
    "Punctuation": "P",
    "Symbol": "S",
    "Separator": "Z",
}


def union(*parts: Iterable[tuple[int, int]]) -> Ranges:
    """All of the parts, sorted, none touching another."""
    joined: list[tuple[int, int]] = []
    for low, high in sorted(each for part in parts for each in part):
        if joined and low <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(high, joined[-1][1]))
        else:
            joined.append((low, high))
    return tuple(joined)


def complement(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """Every other code point."""
    found, low = [], 0
    for first, last in union(ranges):
        if low < first:
            found.append((low, first - 1))
        low = last + 1
    return (*found, (low, LAST)) if low <= LAST else tuple(found)


def named_class(letter: str, generous: bool) -> Ranges:
    """What `\\s`, `\\d`, `\\w` or, in capitals, their negations take."""
    if letter.isupper():
        # A code point without a meaning today may be a letter for a newer reader.
        unknown = () if generous else category("Cn")
        return complement((*named_class(letter.lower(), not generous), *unknown))
    match letter:
        case "s":
            return union(_SPACE_OF_EITHER if generous else _SPACE_OF_BOTH)
        case "d":
            return category("Nd") if generous else _DIGITS
        case _:
            return union(category("L"), category("N"), category("M"), _WORD) if generous else _WORD


def dot(generous: bool) -> Ranges:
    """What `.` takes: Python leaves out the line feed alone, ECMA four line ends."""
    return complement((ord(c), ord(c)) for c in ("\n" if generous else "\n\r\u2028\u2029"))


def category(name: str) -> Ranges:
    """The characters of a general category, such as `L`, `Lu` or `Letter`. Raises ValueError."""
    short = _LONG_NAMES.get(name.rpartition("=")[2], name.rpartition("=")[2])
    found = [ranges for key, ranges in _categories().items() if key.startswith(short)]
    if not found or not short:
        raise ValueError(f"the class \\p{{{name}}} is not known here")
    return union(*found)


@lru_cache(maxsize=1)
def _categories() -> dict[str, list[tuple[int, int]]]:
    found: dict[str, list[tuple[int, int]]] = {}
    first, before = 0, unicodedata.category(chr(0))
    for code in range(1, LAST + 2):
        now = unicodedata.category(chr(code)) if code <= LAST else ""
        if now != before:
            found.setdefault(before, []).append((first, code - 1))
            first, before = code, now
    return found
