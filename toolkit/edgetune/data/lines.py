"""A file of JSON objects as numbered texts: JSONL or a JSON array, in gzip, in UTF-8 or UTF-16.

Knows bytes, encodings and JSON's outer form. What an object means is `readers`' to say.
"""

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from edgetune_runtime.errors import InputError

_GZIP = b"\x1f\x8b"
_SAVED_OTHERWISE = {
    b"PAR1": "a Parquet file",
    b"ARROW1": "an Arrow file",
    b"PK\x03\x04": "a zip archive",
    b"BZh": "a bzip2 archive",
    b"\xfd7zXZ": "an xz archive",
    b"SQLite format 3": "an SQLite database",
}
"""First bytes of what people save data sets in, none of which is read here."""


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """The objects of a file as JSON texts, each with the number, from 1, of the line it begins in.

    JSONL has one on each line that is not blank; an array's elements may go over several lines.
    Raises InputError where the file cannot be read as text, or begins an array that never ends.
    """
    text = _text(path)
    if text.lstrip().startswith("["):
        yield from _elements(path, text)
    else:
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                yield number, line.strip()


def parse_json(text: str, what: str) -> Any:
    """`text` as a JSON value; `what` opens the sentence of an InputError."""

    def refuse(constant: str) -> NoReturn:
        raise ValueError(f"{constant} is no JSON")

    try:
        text.encode()  # a byte that is no UTF-8 was kept as a lone surrogate
        value = json.loads(text, parse_constant=refuse)
        json.dumps(value, ensure_ascii=False).encode()  # "\\ud800" is JSON, but no text
    except UnicodeEncodeError:
        raise InputError(f"{what} is not UTF-8.") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{what} is not JSON ({error}).") from error
    return value


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
        if content.startswith(_GZIP):
            content = gzip.decompress(content)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path}: is damaged gzip ({error}); pack it again.") from error
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); give a JSONL file of records."
        ) from error
    for magic, kind in _SAVED_OTHERWISE.items():
        if content.startswith(magic):
            raise InputError(f"{path}: is {kind}; save its records as JSONL, one object a line.")
    encoding = json.detect_encoding(content)
    # Bytes that are no UTF-8 must spoil their own line alone.
    errors = "surrogateescape" if encoding.startswith("utf-8") else "strict"
    try:
        return content.decode(encoding, errors)
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not {encoding} ({error}); save it as UTF-8.") from error


def _elements(path: Path, text: str) -> Iterator[tuple[int, str]]:
    """The elements of a JSON array; each is parsed once more by whoever wants its value."""
    decoder = json.JSONDecoder()
    place, line = text.index("[") + 1, 1
    counted = 0
    while True:
        place = _past(text, place, " \t\r\n,")
        line += text.count("\n", counted, place)
        counted = place
        if text[place : place + 1] == "]":
            if text[place + 1 :].strip():
                raise InputError(
                    f"{path}:{line}: something follows the array that the file begins with; give "
                    "one array, or JSONL, one object a line."
                )
            return
        try:
            _, end = decoder.raw_decode(text, place)
        except (ValueError, RecursionError) as error:
            raise InputError(
                f"{path}:{line}: the array that the file begins with is no JSON from here on "
                f"({error}); correct it, or give JSONL, one object a line."
            ) from error
        yield line, text[place:end]
        place = end


def _past(text: str, place: int, passed: str) -> int:
    while place < len(text) and text[place] in passed:
        place += 1
    return place
