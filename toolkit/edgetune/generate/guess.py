"""What a parameter is about, guessed from its name and description.

The answer is given in nano's vocabulary: concepts, turns of phrase. Knows words, not schemas.
"""

import re
from collections.abc import Sequence

from edgetune.invent.concepts import CHOICES, CONCEPTS, ROLE_PAIRS, SWITCHES, Concept

NAMED_SO = 20
"""How like a concept of the same name is."""
_HOLDS, _ENDS_SO, _DESCRIBED_SO = 3, 1, 2

_NUMBERS = ("integer", "number")
TYPES = {"string": ("string", *_NUMBERS), "integer": _NUMBERS, "number": _NUMBERS}
"""A parameter's JSON type to those of the concepts that it may be about: a number can be text."""


def split_words(name: str) -> str:
    """An identifier in human words: `departureCity` and `departure-city` are "departure city"."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    return " ".join(re.split(r"[\W_]+", spaced)).strip().lower()


def concepts_of(words: str, description: str, types: Sequence[str]) -> list[Concept]:
    """The concepts, of these JSON types, that suit best; none where nothing is known.

    A name says more than a description: a parameter "city" is a city, whatever else is mentioned.
    """
    scores = {
        key: likeness_of(words, description, [concept])
        for key, concept in CONCEPTS.items()
        if key != "unknown" and concept.type in types
    }
    best = max(scores.values(), default=0)
    return [CONCEPTS[key] for key, score in scores.items() if score == best] if best else []


def likeness_of(words: str, description: str, concepts: Sequence[Concept]) -> int:
    """How well the best of `concepts` suits; 0 where there is none, or nothing speaks for it."""
    described = _singular(split_words(description))
    names = [_singular(name) for concept in concepts for name in concept.names]
    return max((_likeness(_singular(words), described, name) for name in names), default=0)


def _likeness(words: str, described: str, name: str) -> int:
    found = 0
    if words == name:
        found = NAMED_SO
    elif len(name) > 2 and f" {name} " in f" {words} ":
        found = _HOLDS * len(name.split()) + (_ENDS_SO if words.endswith(name) else 0)
    # Short words ("to", "by", "id") are in any description.
    if len(name) > 3 and f" {name} " in f" {described} ":
        found += _DESCRIBED_SO
    return found


def _singular(words: str) -> str:
    return " ".join(w[:-1] if len(w) > 3 and w.endswith("s") else w for w in words.split())


def role_connectors(words: str) -> Sequence[str]:
    """How a request leads to one side of a pair, such as origin and destination; () for others."""
    for pair in ROLE_PAIRS:
        for name, connector in zip(pair.names, pair.connectors, strict=True):
            if words == name or words.startswith(f"{name} "):
                return (connector,)
    if words.split()[0] in ("from", "to"):
        return (words.split()[0] + " {v}",)
    return ()


def connectors_of(words: str, concepts: Sequence[Concept], listed: bool) -> Sequence[str]:
    """How a request leads to the value; "{v}" stands for it. `listed`: it is one of a few."""
    if paired := role_connectors(words):
        return paired
    if listed:
        known = [choice.connectors for choice in CHOICES if words in choice.names]
        return known[0] if known else ("{v}", "with {v}", "in {v}", "as {v}", "{v} " + words)
    found = [connector for concept in concepts for connector in concept.connectors]
    return found or CONCEPTS["unknown"].connectors


def switch_phrases(words: str) -> dict[bool, Sequence[str]]:
    """How a request says that a boolean parameter is true, or that it is false."""
    for switch in SWITCHES:
        if words in switch.names:
            return {True: switch.yes, False: switch.no}
    bare = re.sub(r"^(is|has|should|enable|use|with) ", "", words)
    verb, _, rest = bare.partition(" ")
    if verb in ("include", "show", "allow", "add", "send", "return", "keep", "skip", "exclude"):
        yes = (f"and {bare}", f"{bare} too", f"please {bare}")
        return {True: yes, False: (f"and don't {bare}", f"but do not {bare}", f"without {rest}")}
    return {
        True: (f"with {bare}", f"{bare} on", f"make it {bare}", f"with {bare} on"),
        False: (f"without {bare}", f"no {bare}", f"not {bare}", f"with {bare} off"),
    }
