"""Writes made-up requests to a phone with their calls: the records of the toolset `phone_actions`.

Phrases and values lie in JSON files beside this module. Each of the splits has phrases and values
of its own, so a held-out request is new in wording and in content. Knows nothing of models.

A phrase is text with `{name}` or `{name:kind}` (an argument, of that kind of value), `<name>` (a
fragment, chosen among several), `[name: text]` (an argument made of the text, whose placeholders
are only values) and, after `|`, arguments that the wording implies.
"""

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgetune.data.records import as_source
from edgetune.generate.phone_values import PLACEHOLDER, Split, phone_data, value
from edgetune_runtime.calls import RESPOND, Call
from edgetune_runtime.errors import InputError

TOOLSET = "phone_actions"

RESPOND_SHARE = 0.12
NEAR_MISS_SHARE = 0.10
WRAPPED_SHARE = 0.35
"""How many of the imperative phrases become `can you ...?`, `please ...` and the like."""

OPEN_ENDED = ("text", "task", "query", "title", "label", "song", "artist", "genre", "place")
"""Arguments of free words: after one of these a closing `please` would seem to belong to it."""

_PART = re.compile(r"\[(?P<argument>[a-z]+): (?P<inner>[^\]]*)\]|" + PLACEHOLDER.pattern)

_AN = re.compile(r"\ba(?= (8|11\b|18\b|[aei]|o(?!ne)))")
"""An article that the value after it needs as `an`."""


@dataclass(frozen=True)
class _Request:
    tool: str
    text: str
    arguments: Mapping[str, Any]
    imperative: bool
    open_ended: bool
    starts_with_value: bool


def generate(count: int, seed: int = 0, split: Split = "train") -> list[dict[str, Any]]:
    """`count` different records in the TRL conversational format, the same for the same seed.

    Raises InputError where the phrases and values do not yield that many.
    """
    rng = random.Random(f"{TOOLSET} {split} {seed}")
    seen: set[str] = set()
    records: list[dict[str, Any]] = []
    misses = 0
    while len(records) < count:
        for request in _draw(split, rng):
            styled = _styled(request, split, rng)
            key = styled.text.casefold()
            if key in seen:
                misses += 1
                continue
            seen.add(key)
            call = Call(styled.tool, {} if styled.tool == RESPOND else styled.arguments)
            records.append(as_source(styled.text, call))
        if misses > 20 * count + 1000:
            raise InputError(
                f"the split '{split}' of {TOOLSET} yields about {len(records)} different requests, "
                f"not {count}; ask for fewer."
            )
    del records[count:]
    rng.shuffle(records)
    return records


def _draw(split: Split, rng: random.Random) -> list[_Request]:
    """One request, or two or three that are nearly alike and belong to different tools."""
    phrases = phone_data(f"phone_phrases_{split}")
    if rng.random() < NEAR_MISS_SHARE:
        shared: dict[str, str] = {}
        group = rng.choice(phrases["near_misses"])
        return [_filled(tool, phrase, split, rng, shared) for tool, phrase in group.items()]
    if rng.random() < RESPOND_SHARE:
        tool = RESPOND
    else:
        tools = [tool for tool in phrases if tool not in (RESPOND, "wrappers", "near_misses")]
        # A tool without parameters has little to say: fewer requests, and the same ones soon.
        tool = rng.choices(tools, [0.4 if tool == "take_screenshot" else 1 for tool in tools])[0]
    imperative, other = phrases[tool]["imperative"], phrases[tool]["other"]
    index = rng.randrange(len(imperative) + len(other))
    return [
        _filled(tool, (imperative + other)[index], split, rng, imperative=index < len(imperative))
    ]


def _filled(
    tool: str,
    phrase: str,
    split: Split,
    rng: random.Random,
    shared: dict[str, str] | None = None,
    imperative: bool = False,
) -> _Request:
    """`shared` holds values that several phrases have in common, by placeholder."""
    phrase, _, implied = phrase.partition(" | ")
    fragments = phone_data("phone_values")["fragments"]
    phrase = re.sub(r"<(\w+)>", lambda match: rng.choice(fragments[match[1]]), phrase)
    arguments: dict[str, Any] = {}
    last = ""

    def words(match: re.Match[str]) -> str:
        name, kind = match["name"], match["kind"]
        if shared is None:
            return _words(name, kind, split, rng)
        if match[0] not in shared:
            shared[match[0]] = _words(name, kind, split, rng)
        return shared[match[0]]

    def part(match: re.Match[str]) -> str:
        nonlocal last
        if match["argument"]:
            last, text = match["argument"], PLACEHOLDER.sub(words, match["inner"])
        else:
            last, text = match["name"], words(match)
        if tool != RESPOND:
            arguments[last] = _meaning(last, match["kind"], text)
        return text

    text = _AN.sub("an", _PART.sub(part, phrase))
    for pair in implied.split():
        name, _, meaning = pair.partition("=")
        arguments[name] = int(meaning) if name == "percent" else meaning
    return _Request(
        tool,
        text,
        arguments,
        imperative,
        open_ended=phrase.endswith(("}", "]")) and last in OPEN_ENDED,
        starts_with_value=phrase.startswith(("{", "[")),
    )


def _surfaces(name: str, kind: str | None) -> Mapping[str, list[str]] | None:
    """What the members of an enumeration are called in a request."""
    return phone_data("phone_values")["surfaces"].get(f"{name}:{kind}" if kind else name)


def _words(name: str, kind: str | None, split: Split, rng: random.Random) -> str:
    surfaces = _surfaces(name, kind)
    if surfaces:
        return rng.choice(surfaces[rng.choice(list(surfaces))])
    return value(name, kind, split, rng)


def _meaning(name: str, kind: str | None, text: str) -> str | int:
    """The argument that words stand for: themselves, a number or a member of an enumeration."""
    if name == "percent":
        return int(text)
    surfaces = _surfaces(name, kind)
    if surfaces:
        return next(member for member, called in surfaces.items() if text in called)
    return text


def _styled(request: _Request, split: Split, rng: random.Random) -> _Request:
    """Wrapped into politeness or not; typed hastily, plainly or as a sentence."""
    text, starts_with_value = request.text, request.starts_with_value
    if request.imperative and rng.random() < WRAPPED_SHARE:
        wrapper = rng.choice(phone_data(f"phone_phrases_{split}")["wrappers"])
        fits = wrapper.endswith(("{}", "{}?")) or not request.open_ended
        if fits and not text.endswith("?"):
            text = wrapper.replace("{}", text)
            starts_with_value = starts_with_value and wrapper.startswith("{}")
    style = rng.choices(("hasty", "plain", "sentence"), (25, 35, 40))[0]
    if style == "hasty":
        if rng.random() < 0.5 and not _ends_with_argument(request, text):
            text = text.rstrip("?.")
        return _changed(request, text, str.lower)
    if style == "sentence":
        request = _changed(request, text, _capital_i)
        text = request.text
        if not starts_with_value:
            text = text[0].upper() + text[1:]
        if text[-1] not in "?.!" and rng.random() < 0.6:
            text += "."
    return _changed(request, text, str)


def _ends_with_argument(request: _Request, text: str) -> bool:
    return any(isinstance(a, str) and text.endswith(a) for a in request.arguments.values())


def _changed(request: _Request, text: str, change: Any) -> _Request:
    """`change` applied to the text and to every argument that is a piece of it."""
    arguments = {
        name: change(argument) if isinstance(argument, str) and argument in text else argument
        for name, argument in request.arguments.items()
    }
    return _Request(
        request.tool,
        change(text),
        arguments,
        request.imperative,
        request.open_ended,
        request.starts_with_value,
    )


def _capital_i(text: str) -> str:
    return re.sub(r"\bi\b(?!\.)", "I", text)
