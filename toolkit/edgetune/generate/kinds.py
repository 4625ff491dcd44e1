"""The usual kinds of parameters of developers' tools: how one is known, and how a request says it.

The table stands in kinds.json; `tool_values` makes the values. Knows names and words of tools: not
schemas, and no whole requests.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from random import Random
from typing import Any

from edgetune.generate.tool_values import MAKERS, Spoken, file, said_zone, timezone, zones

_FROM = ("source", "from", "origin", "old", "base", "start", "src", "input", "since")
_TO = ("target", "to", "destination", "dest", "new", "end", "output", "until", "into", "dst")
_EXCEPT = ("exclude", "excluded", "not", "ignore", "ignored", "skip", "without")
_WITH = ("contains", "containing", "with", "having", "includes")
ROLES = ("from", "to", "except", "with", "against")
MEDIA = {"media", "image", "images", "audio", "photo", "photos", "video", "picture", "pictures"}


@dataclass(frozen=True)
class Kind:
    """What one kind is called, and how a request leads to its values."""

    key: str
    names: Sequence[str]
    connectors: Sequence[str]
    also: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Names that tell it only of tools with one of these words."""
    only: Sequence[str] = ()
    """Where there are any, the words of tools of which `names` tell it at all."""
    unless: Sequence[str] = ()
    """Words of a description that tell another kind, whatever the name."""
    described: Sequence[str] = ()
    """Turns of phrase in a description that tell it, whatever the name."""
    looks: str = ""
    """A pattern of examples that tell it."""
    roles: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Connectors of those that are `from`, `to`, `with`, `except` or `against` something."""
    head: bool = False
    """May stand for the tool's object: "read notes.md"."""
    nouns: Sequence[str] = ()
    """The objects that it may stand for."""
    values: Sequence[str] = ()
    """The usual values, of a kind that has few."""
    quoted: bool = False
    """A text that may be put between quotes."""

    def speak(self, rng: Random, about: frozenset[str], examples: Sequence[str] = ()) -> Spoken:
        """A value; `about` are the tool's words."""
        fitting = self._fitting(examples)
        if fitting and rng.random() < (0.15 if self.key == "timezone" else 0.35):
            value = rng.choice(fitting)
            return (said_zone(rng, value) if self.key == "timezone" else value), value
        if self.key == "timezone":
            return timezone(rng)
        if self.key == "file":
            text = file(rng, "media" if about & MEDIA else "text" if "text" in about else "")
            return text, text
        text = rng.choice(self.values) if self.values else MAKERS[self.key](rng)
        if self.quoted and rng.random() < 0.4:
            return (f"'{text}'" if '"' in text or rng.random() < 0.3 else f'"{text}"'), text
        return text, text

    def _fitting(self, examples: Sequence[str]) -> list[str]:
        """Those that are of the kind: a description may name zones that are none."""
        if self.key == "timezone":
            return [entry for entry in examples if entry in zones()]
        return list(examples)

    def led_to(self, words: str, about: frozenset[str]) -> Sequence[str]:
        """The connectors of the parameter called `words`."""
        role = role_of(words)
        if words == "name":
            return ("called {v}", "named {v}", "as {v}", "with the name {v}", "by the name of {v}")
        if self.key == "entity" and role not in ("from", "to"):
            if about & {"delete", "remove"}:
                return ("from {v}", "of {v}", "from {v}", "about {v}", "off {v}")
            if about & {"add", "append"}:
                return ("to {v}", "about {v}", "for {v}", "on {v}", "to the entity {v}")
        if self.key == "revision" and "diff" in about:
            return self.roles["against"]
        if self.key == "branch" and about & {"create", "creates", "new"} and not role:
            return ("called {v}", "named {v}", "{v}", "by the name of {v}", "with the name {v}")
        return self.roles.get(role, self.connectors)


@dataclass(frozen=True)
class Count:
    """A number of things: how many lines, at most how many results."""

    names: Sequence[str]
    connectors: Sequence[str]
    wraps: Sequence[str] = ()
    """Ways to say it of the object: "the first {v} lines of {o}", "{v} {p}" of several."""
    counted: str = ""
    alone: str = ""
    """Of those with the same, a request says only one."""
    likely: int = 10
    """The most that is mostly said."""
    least: int = 2
    digits: int = 0
    """After the point."""
    nouns: Sequence[str] = ()
    """The objects that it may stand for."""


def role_of(words: str) -> str:
    """Which side of a pair, or which exception, a name tells; "" for none."""
    for role, names in (("from", _FROM), ("to", _TO), ("except", _EXCEPT), ("with", _WITH)):
        if words.split()[:1] and words.split()[0] in names:
            return role
    return ""


def kind_of(
    words: str, description: str, examples: Sequence[str], about: frozenset[str]
) -> Kind | None:
    """The kind of the parameter called `words` of a tool whose words are `about`."""
    singular = _singular(words)
    bare = _singular(" ".join(words.split()[1:])) if role_of(words) else singular
    told = set(description.lower().split())
    kinds = [kind for kind in KINDS if not told & set(kind.unless)]
    for tells in (
        lambda kind: _named(kind, singular, about),
        lambda kind: _looks_so(kind, examples),
        lambda kind: _named(kind, bare, about),
        lambda kind: any(phrase in description.lower() for phrase in kind.described),
        lambda kind: any(
            singular.endswith(f" {name}") and _fits(kind, about) for name in kind.names
        ),
    ):
        for kind in kinds:
            if tells(kind):
                return kind
    return None


def count_of(words: str) -> Count | None:
    """How the number called `words` is said, where it counts something that is known."""
    return next((count for count in COUNTS if words in count.names), None)


def known_switch(words: str) -> Mapping[bool, Sequence[str]] | None:
    """How the switch called `words` is said, where it is known."""
    found = next((each for each in _RAW["switches"] if words in each["names"]), None)
    return found and {True: found["yes"], False: found["no"]}


def _named(kind: Kind, words: str, about: frozenset[str]) -> bool:
    if any(about & set(tools) for name, tools in kind.also.items() if name == words):
        return True
    return words in map(_singular, kind.names) and _fits(kind, about)


def _looks_so(kind: Kind, examples: Sequence[str]) -> bool:
    if not kind.looks or not examples:
        return False
    return all(re.search(kind.looks, entry) for entry in examples)


def _fits(kind: Kind, about: frozenset[str]) -> bool:
    return not kind.only or bool(about & set(kind.only))


def _singular(words: str) -> str:
    return " ".join(w[:-1] if len(w) > 3 and w[-1] == "s" != w[-2] else w for w in words.split())


def _kind(row: dict[str, Any]) -> Kind:
    named = [role for role in row if role in ROLES]
    roles = {role: row.pop(role) for role in named}
    return Kind(**row, roles=roles)


_RAW = json.loads(
    resources.files("edgetune.generate").joinpath("kinds.json").read_text(encoding="utf-8")
)
KINDS = [_kind(row) for row in _RAW["kinds"]]
URL = next(kind for kind in KINDS if kind.key == "url")
COUNTS = [Count(**row) for row in _RAW["counts"]]
