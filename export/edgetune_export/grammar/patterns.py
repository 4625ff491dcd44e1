"""Patterns of JSON Schema (ECMA 262) as ones that interegular reads and that match a whole string.

ECMA's and Python's `\\s`, `\\d`, `\\w` differ beyond ASCII. Here a class stands for what both take
and its negation for what neither takes, so that what is accepted holds for either reader. This
module knows patterns alone, neither JSON nor bytes.
"""

import re

_SPACE = r" \t\n\r\f\v" + "\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_CLASSES = {"s": _SPACE, "d": "0-9", "w": "A-Za-z0-9_"}
"""What both readers take, as the inside of a character class."""
_SPACE_OF_EITHER = _SPACE + "\\x1c-\\x1f\\x85\ufeff"
"""What one reader or the other takes for a space."""
_NOT_SPACE = f"[^{_SPACE_OF_EITHER}]"
_NEGATED = {"S": _NOT_SPACE, "D": r"[ !-/:-~]", "W": r"[ !-/:-@\[-\^`{-~]"}
"""Characters that neither reader takes for a space, a digit, a letter; of the last two, ASCII's."""
_NEGATED_CLASS = re.compile(r"(?<!\\)\[\^(?:[^\]\\]|\\.)*\]")
_EVERYTHING = ("[\\s\\S]", "[\\d\\D]", "[\\w\\W]", "[\\S\\s]", "[\\D\\d]", "[\\W\\w]", "[^]")


def anchored(pattern: str) -> str:
    """`pattern`, which matches anywhere, as one that matches the whole string.

    Raises ValueError for a negated class within brackets, which cannot be written out.
    """
    explicit = _explicit(pattern)
    return "|".join(f"(?:{_whole_match(branch)})" for branch in _branches(explicit))


def _explicit(pattern: str) -> str:
    r"""`pattern` with `\s`, `\d`, `\w` and their negations written out."""
    for everything in _EVERYTHING:
        pattern = pattern.replace(everything, "(?:.|\n)")
    pattern = _NEGATED_CLASS.sub(_in_ascii, pattern)
    written, in_class, letters = "", False, iter(pattern)
    for letter in letters:
        if letter == "\\":
            escaped = next(letters, "")
            if in_class and escaped in _NEGATED:
                raise ValueError(f"the pattern {pattern!r} has \\{escaped} within brackets")
            if escaped in _NEGATED:
                written += _NEGATED[escaped]
            elif escaped in _CLASSES:
                inside = _CLASSES[escaped]
                if escaped == "s" and in_class and re.search(r"\[\^[^\]]*$", written):
                    inside = _SPACE_OF_EITHER  # [^\s…]: neither reader may take it for a space
                written += inside if in_class else f"[{inside}]"
            else:
                written += letter + escaped
            continue
        if letter in "[]":
            in_class = letter == "["
        written += letter
    return written


def _in_ascii(found: re.Match[str]) -> str:
    r"""A negated class with `\d` or `\w`, of which readers differ beyond ASCII, as what it takes of
    ASCII."""
    if not re.search(r"\\[dw]", found[0]):
        return found[0]
    printable = map(chr, range(0x20, 0x7F))
    return f"[{''.join(re.escape(each) for each in printable if re.fullmatch(found[0], each))}]"


def _whole_match(branch: str) -> str:
    anything = "(?:.|\n)*"
    head, tail = anything, anything
    if branch.startswith("^"):
        head, branch = "", branch[1:]
    if branch.endswith("$") and (len(branch) - len(branch[:-1].rstrip("\\"))) % 2:
        tail, branch = "", branch[:-1]
    return f"{head}(?:{branch}){tail}"


def _branches(pattern: str) -> list[str]:
    """`pattern` cut at its outermost `|`."""
    branches, depth, in_class, skip = [""], 0, False, False
    for letter in pattern:
        if skip:
            skip = False
        elif letter == "\\":
            skip = True
        elif in_class:
            in_class = letter != "]"
        elif letter == "[":
            in_class = True
        elif letter == "|" and not depth:
            branches.append("")
            continue
        else:
            depth += {"(": 1, ")": -1}.get(letter, 0)
        branches[-1] += letter
    return branches
