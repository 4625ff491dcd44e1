"""The formats that records come in: a table of readers, each found by the keys of a record.

A reader says where a record's messages stand, and its tools where they are written in a way of the
format's own. What a message says is `messages`' to read, in whatever format it stands.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgetune.data.lines import numbered_lines, parse_json
from edgetune.data.xlam import xlam_tools
from edgetune_runtime.errors import InputError

ANSWER = "I can't do that with the tools I have, but I am happy to talk about it."
"""What the assistant says where it calls no tool; no adapter learns these words."""

_ROLE_OF = {"USER": "user", "ASSISTANT": "assistant", "FUNCTION RESPONSE": "tool"}
_SAID = re.compile(rf"(?m)^\s*({'|'.join(_ROLE_OF)}):")


@dataclass(frozen=True)
class Reader:
    """One format of records."""

    about: str
    """What it is known by."""
    keys: frozenset[str]
    """The keys that make a record one of this format."""
    messages: Callable[[Mapping[str, Any]], Iterable[tuple[str, Any]]]
    """The messages of a record in order, each after its place. Raises InputError."""
    tools: Callable[[Any], Any] = lambda listed: listed
    """A record's own list of tools, parsed from JSON, as `tools.reader` reads it."""

    def fits(self, record: Mapping[str, Any]) -> bool:
        """Whether a record has what makes it one; a key that is null is absent."""
        return all(record.get(key) is not None for key in self.keys)


def find_reader(path: Path) -> str:
    """The name in `READERS` of what reads the file at `path`, by its first record that any reads.

    Raises InputError where it fits two, or none of the file's records fits any.
    """
    first: tuple[int, Mapping[str, Any]] | None = None
    for number, text in numbered_lines(path):
        try:
            record = parse_json(text, "the line")
        except InputError:
            continue
        if not isinstance(record, Mapping):
            continue
        first = first or (number, record)
        fitting = [name for name, reader in READERS.items() if reader.fits(record)]
        if len(fitting) > 1:
            raise InputError(
                f"{path}:{number}: the record {shown_keys(record)}, which fit the formats "
                f"{' and '.join(fitting)}; leave one of them out. {known_formats()}"
            )
        if fitting:
            return fitting[0]
    if first is None:
        return "messages"  # no line is a record: the check says why, line by line
    raise InputError(
        f"{path}:{first[0]}: the record {shown_keys(first[1])}, which fit no format. "
        f"{known_formats()}"
    )


def shown_keys(record: Mapping[str, Any]) -> str:
    """`has the keys a, b`, for an error's sentence."""
    keys = [key for key, value in record.items() if value is not None]
    return f"has the keys {', '.join(keys):.200}" if keys else "has no keys"


def known_formats() -> str:
    """The formats of the table, as one sentence."""
    known = (
        f"{name} ({', '.join(sorted(reader.keys))}: {reader.about})"
        for name, reader in READERS.items()
    )
    return f"Formats known: {'; '.join(known)}."


def _listed(record: Mapping[str, Any], key: str) -> Iterator[tuple[str, Any]]:
    messages = record.get(key)
    if isinstance(messages, str):
        messages = parse_json(messages, f"the text of '{key}'")
    if not isinstance(messages, list) or not messages:
        raise InputError(f"'{key}' is missing or empty, expected a list of messages.")
    for index, message in enumerate(messages):
        yield f"{key}[{index}]", message


def _prompt_completion(record: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, role in (("prompt", "user"), ("completion", "assistant")):
        part = record[key]
        if not isinstance(part, str):
            yield from _listed(record, key)
        elif "<|" in part and role == "user":
            raise InputError(f"'{key}' is a rendered prompt, expected a request or messages.")
        else:
            yield key, {"role": role, "content": part}


def _xlam(record: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    answers = record["answers"]
    if isinstance(answers, str):
        answers = parse_json(answers, "the text of 'answers'")
    if not isinstance(answers, list):
        raise InputError(f"'answers' is {answers!r:.60}, expected a list of calls.")
    yield "query", {"role": "user", "content": record["query"]}
    calls = [{"type": "function", "function": call} for call in answers]
    content = None if calls else ANSWER
    yield "answers", {"role": "assistant", "content": content, "tool_calls": calls or None}


def _glaive(record: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    text = record["chat"]
    if not isinstance(text, str):
        raise InputError(f"'chat' is {text!r:.60}, expected a text of USER: … ASSISTANT: … turns.")
    before, *parts = _SAID.split(text)
    if before.strip() or not parts:
        raise InputError(f"'chat' begins with {text!r:.60}, expected USER: … ASSISTANT: … turns.")
    for index, (who, said) in enumerate(zip(parts[::2], parts[1::2], strict=True)):
        content = said.replace("<|endoftext|>", "").strip()
        yield f"chat, turn {index + 1}", {"role": _ROLE_OF[who], "content": content}


READERS: Mapping[str, Reader] = {
    "messages": Reader(
        "OpenAI, TRL; calls in tool_calls, function_call or as text",
        frozenset({"messages"}),
        lambda record: _listed(record, "messages"),
    ),
    "prompt-completion": Reader("TRL", frozenset({"prompt", "completion"}), _prompt_completion),
    "sharegpt": Reader(
        "ShareGPT, LLaMA-Factory, Hermes; from and value",
        frozenset({"conversations"}),
        lambda record: _listed(record, "conversations"),
    ),
    "xlam": Reader("xLAM, APIGen", frozenset({"query", "answers"}), _xlam, xlam_tools),
    "glaive": Reader("Glaive; USER: … ASSISTANT: …", frozenset({"chat"}), _glaive),
}
