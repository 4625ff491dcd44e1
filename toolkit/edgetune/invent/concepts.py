"""Concepts: kinds of parameters, with what they are called, how they are described, how a request
says them, and how their values are made.

The wording stands in concepts.json. A concept knows one slot of a request: nothing of tools or of
whole sentences.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from random import Random
from typing import Any

from edgetune.invent import codes, people_places, times, words, works
from edgetune.invent import lexicon as lx

Maker = Callable[[Random], str]
"""Makes a value, as a request says it."""


@dataclass(frozen=True)
class Concept:
    """One kind of parameter."""

    key: str
    names: Sequence[str]
    """In human words, styled later: "departure time" becomes departure_time."""
    descriptions: Sequence[str]
    connectors: Sequence[str]
    """Ways a request says it; "{v}" stands for the value."""
    make: Maker
    type: str = "string"
    before_object: bool = False
    """May stand right before the object: "a {v} restaurant"."""
    after_verb: bool = False
    """May stand as the thing itself: "play {v}"."""
    names_object: bool = False
    """May stand for the object: "a novel" where the tool is about books."""


@dataclass(frozen=True)
class RolePair:
    """Two parameters of one concept, told apart by their connectors: from and to."""

    fits: Sequence[str]
    connectors: Sequence[str]
    names: Sequence[str]
    descriptions: Sequence[str]


@dataclass(frozen=True)
class Rivals:
    """Parameters that a request says in the same way: the value alone tells which is meant."""

    names: Mapping[str, Sequence[str]]
    """What each concept is called, by its key."""
    connectors: Sequence[str]


@dataclass(frozen=True)
class Choice:
    """A parameter with a few listed values, spoken as they are."""

    names: Sequence[str]
    values: Sequence[str]
    connectors: Sequence[str]


@dataclass(frozen=True)
class Switch:
    """A boolean parameter, said by a turn of phrase rather than by a value."""

    names: Sequence[str]
    descriptions: Sequence[str]
    yes: Sequence[str]
    no: Sequence[str]


def choice_of(entries: Sequence[str]) -> Maker:
    """A maker over a list: mostly as listed, at times in lower case."""

    def make(rng: Random) -> str:
        entry = rng.choice(entries)
        return entry if rng.random() < 0.85 else entry.lower()

    return make


def _maker(row: dict[str, Any]) -> Maker:
    if "one_of" in row:
        return choice_of(getattr(lx, row["one_of"].upper()))
    for module in (words, people_places, times, works, codes):
        if hasattr(module, row["make"]):
            maker: Maker = getattr(module, row["make"])
            return maker
    raise KeyError(row["make"])


def _concept(row: dict[str, Any]) -> Concept:
    rest = {key: value for key, value in row.items() if key not in ("make", "one_of")}
    return Concept(**rest, make=_maker(row))


_RAW = json.loads(
    resources.files("edgetune.invent").joinpath("concepts.json").read_text(encoding="utf-8")
)
CONCEPTS: dict[str, Concept] = {row["key"]: _concept(row) for row in _RAW["concepts"]}
RIVALS = [Rivals(**row) for row in _RAW["rivals"]]
ROLE_PAIRS = [RolePair(**row) for row in _RAW["role_pairs"]]
CHOICES = [Choice(**row) for row in _RAW["enums"]]
SWITCHES = [Switch(**row) for row in _RAW["booleans"]]
_ALL = list(CONCEPTS.values())


def pick_concept(rng: Random) -> Concept:
    """A concept at random; unknown words are common, since copying them is the skill to learn."""
    if rng.random() < 0.13:
        return CONCEPTS["unknown"]
    return rng.choice(_ALL)
