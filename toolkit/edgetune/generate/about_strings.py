"""What a string is about: how its values are made, and how a request leads to them.

Asks, in this order, the kinds of developers' tools (`kinds`), what is written about the parameter
(`described`), and nano's concepts (`guess`). Knows one parameter: nothing of sentences.
"""

import re
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from edgetune.generate.about import About, called, identified, moment_of, nouns_of, same
from edgetune.generate.described import Described, described
from edgetune.generate.guess import (
    NAMED_SO,
    TYPES,
    concepts_of,
    connectors_of,
    likeness_of,
    role_connectors,
)
from edgetune.generate.kinds import MEDIA, URL, Kind, kind_of
from edgetune.generate.tool_values import Spoken, record_id, thing
from edgetune.invent.codes import email
from edgetune.invent.concepts import CHOICES, CONCEPTS, Concept
from edgetune.invent.gazetteer import places
from edgetune.invent.lexicon import LANGUAGES
from edgetune.invent.words import pseudo_phrase

_CC = ("cc {v}", "with {v} in cc", "and {v} in cc", "with a copy to {v}", "copying {v}")
_BCC = ("bcc {v}", "with {v} in bcc", "and {v} in bcc", "and bcc {v}", "hidden copy to {v}")
FORMS = {"date": "%Y-%m-%d", "time": "%H:%M:%SZ", "date-time": "%Y-%m-%dT%H:%M:%SZ"}
_ADDRESSED = {
    **dict.fromkeys(("to", "recipient", "recipients", "to address"), ("to {v}",)),
    **dict.fromkeys(("from", "sender", "from address"), ("from {v}",)),
    **dict.fromkeys(("cc", "copy"), _CC),
    "bcc": _BCC,
}
"""Parameters of tools for mail that are addresses, with their connectors."""
_CODED = ("id", "code", "number", "key", "identifier", "reference", "sku", "serial", "token")
_NAMING = ("with the {n} {v}", "with {n} {v}", "{n} {v}", "for the {n} {v}", "whose {n} is {v}")
_WORKS = {"title", "song", "album", "artist", "product", "dish"}
"""Concepts whose values a request names without saying what they are: "rate Dune"."""
_VAGUE = ("name", "description", "value", "text", "info", "number")
"""What a name may end with beside its concept."""
_RARE = ("room", "spatial", "which", "device", "setting", "part_of_day", "rating")
"""Concepts that share a name with others, and are seldom meant."""
_IN = ("in {v}", "for {v}", "around {v}", "near {v}", "over in {v}")
_PLACES = {"city": _IN, "place": _IN, "state": _IN[:2],
           "country": ("in {v}", "for {v}", "of {v}", "from {v}", "over in {v}")}  # fmt: skip
"""How a request leads to a place, by the concept's key."""
_BARE = ("moment", "clock", "date", "part_of_day", "duration", "frequency", "message", "query",
         "spatial", "sort", "email", "phone", "title", "id")  # fmt: skip
"""Concepts whose values stand without a connector: "tomorrow"."""


def about_string(words: str, schema: Mapping[str, Any], tool: frozenset[str]) -> About:
    """A string; `tool` are the words of its tool."""
    text = str(schema.get("description") or "")
    says = described(text)
    examples = tuple(str(x) for x in schema.get("examples", ()) if is_sayable(x)) or says.examples
    kind = kind_of(words, text, examples, tool)
    form = FORMS.get(schema.get("format", ""), "") or ("" if kind else says.form)
    if form:
        natural = [each for each in says.examples if not each[0].isdigit()]
        return moment_of(words, form, natural)
    mailed = bool(tool & {"email", "mail", "emails"}) and words in _ADDRESSED
    if schema.get("format") == "email" or "email" in words.split() or mailed:
        led = _ADDRESSED.get(words, CONCEPTS["email"].connectors)
        return About(led, same(email), True, ("contact", "user"), key="email", exact=True)
    if schema.get("format") in ("uri", "url"):
        return _of_kind(URL, words, tool, examples)
    if kind and schema.get("format") in (None, "", "uri", "url", "path"):
        return _of_kind(kind, words, tool, examples)
    if not examples and words.split()[-1] in ("date", "time") and len(words.split()) > 1:
        return moment_of(words, "", [])
    concepts = _concepts(words, text)
    named_so = likeness_of(words, "", concepts) >= NAMED_SO
    if examples:
        return _from_examples(words, says, examples, concepts, named_so)
    if not named_so and words.split()[-1] in _CODED and len(words.split()) > 1:
        secret = words.split()[-1] in ("key", "token", "code", "serial", "reference")
        noun = words if secret else " ".join(words.split()[:-1])
        return identified(noun, same(lambda rng: record_id(rng, noun)))
    naming = words.split()[-1] in ("name", "title") and len(words.split()) > 1
    if naming and not concepts:
        return called(" ".join(words.split()[:-1]))
    if not concepts:
        return About(role_connectors(words) or _NAMING, same(_unknown), True, nouns_of(words),
                     sayable=bool(text))  # fmt: skip
    return About(
        _plain(connectors_of(words, concepts, False), words, concepts),
        lambda rng: (lambda made: (made, made))(rng.choice(concepts).make(rng)),
        all(concept.after_verb for concept in concepts),
        (*nouns_of(words), *(["*"] if {concept.key for concept in concepts} & _WORKS else [])),
        all(concept.before_object for concept in concepts),
    )


def _concepts(words: str, description: str) -> list[Concept]:
    """Those that suit a string: named so, ending so, or mentioned in a few words about it."""
    found = concepts_of(words, description, TYPES["string"])
    score = likeness_of(words, "", found)
    bare, _, last = words.rpartition(" ")
    if score < NAMED_SO and bare and last in _VAGUE:
        stripped = concepts_of(bare, "", TYPES["string"])
        if likeness_of(bare, "", stripped) >= NAMED_SO:
            return stripped
    if score < NAMED_SO:
        found = concepts_of(words, description, ("string",))
        ends = any(words.endswith(name) for concept in found for name in concept.names)
        if not ends and (likeness_of(words, "", found) or len(description.split()) > 8):
            return []
    if score >= NAMED_SO:
        strings = [concept for concept in found if concept.type == "string"]
        found = strings or found
    several = [concept for concept in found if concept.key not in _RARE]
    return several or found


def _plain(led: Sequence[str], words: str, concepts: Sequence[Concept]) -> Sequence[str]:
    """`led` without what suits only some values: nothing at all before a place, "called"."""
    naming = words.split()[-1] in ("name", "title", "event", "what", "item", "work")
    if concepts and all(concept.key in _PLACES for concept in concepts):
        return _PLACES[concepts[0].key]
    bare = any(concept.key in _BARE or concept.before_object for concept in concepts)
    kept = [
        each
        for each in led
        if (bare or each not in ("{v}", ": {v}"))
        and (naming or not re.search("called|named|titled|title|name", each))
    ]
    return kept or led


def _unknown(rng: Random) -> str:
    return pseudo_phrase(rng) if rng.random() < 0.25 else thing(rng)


def _of_kind(kind: Kind, words: str, tool: frozenset[str], examples: Sequence[str]) -> About:
    return About(
        kind.led_to(words, tool),
        lambda rng: kind.speak(rng, tool, examples),
        kind.head,
        kind.nouns,
        key=f"media {kind.key}" if tool & MEDIA else kind.key,
        exact=True,
    )


def _from_examples(
    words: str,
    says: Described,
    examples: Sequence[str],
    concepts: Sequence[Concept],
    named_so: bool,
) -> About:
    like = _like(examples)
    more = [like] if like else concepts if named_so and not says.listed else []
    generic = not like and all(entry.islower() for entry in examples)  # "city, country"

    def speak(rng: Random) -> Spoken:
        if more and rng.random() < (0.7 if generic else 0.35):
            made = rng.choice(more).make(rng)
        elif not says.listed and not more and rng.random() < 0.1:
            made = thing(rng)
        else:
            made = rng.choice(examples)
        return made, made

    exact = any(entry != entry.lower() for entry in examples)
    if says.listed:
        kind_like = words.split()[-1] in ("type", "kind", "status", "state")
        return About(listed_connectors(words), speak, before=kind_like, exact=exact)
    about = [like] if like else concepts if named_so else []
    led = _plain(connectors_of(words, about, False), words, about)
    if not like and not named_so:
        led = (*_led_by_name(words), "with the {n} {v}", "for the {n} {v}")
    return About(led, speak, True, nouns_of(words), exact=exact)


def _led_by_name(words: str) -> Sequence[str]:
    if paired := role_connectors(words):
        return paired
    last = words.split()[-1]
    if last in ("type", "kind", "category"):
        return ("for {v}", "of type {v}", "of the kind {v}")
    if last in ("name", "title") and len(words.split()) > 1:
        noun = " ".join(words.split()[:-1])
        return (
            "for {v}",
            "of {v}",
            f"for {noun} {{v}}",
            f"for the {noun} {{v}}",
            f"with {noun} {{v}}",
        )
    if last in ("format", "mode", "style", "unit", "units", "language", "scheme"):
        return ("in {v}", "as {v}", f"in {{v}} {last}")
    if last in ("group", "range", "period", "level", "frame", "audience"):
        return ("for {v}", "for the {n} {v}", "{v}")
    return ("for {v}", "for {n} {v}", "for {v}")


def _like(examples: Sequence[str]) -> Concept | None:
    """The concept of which examples are, where it has names that are known."""
    known = set(examples)
    if known & set(places().countries):
        return CONCEPTS["country"]
    if known & set(LANGUAGES):
        return CONCEPTS["language"]
    if known & set(places().cities):
        return CONCEPTS["city"]
    return None


def is_sayable(value: Any) -> bool:
    """Whether `value` is a text that stands in a request as it is: on one line, singly spaced."""
    return isinstance(value, str) and " ".join(value.split()) == value


def listed_connectors(words: str) -> Sequence[str]:
    """How a request leads to one of a few values that `words` is about."""
    last = words.split()[-1]
    if words in ("sort by", "order by", "sort", "order", "sorted by"):
        return ("sorted by {v}", "by {v}", "ordered by {v}", "sort by {v}", "in order of {v}")
    if last in ("type", "kind") and len(words.split()) > 1:
        return ("of type {v}", "only the {v} ones", "of kind {v}", "the {v} ones", "with type {v}")
    concepts = concepts_of(words, "", TYPES["string"])
    named_so = likeness_of(words, "", concepts) >= NAMED_SO and not role_connectors(words)
    if named_so and not any(words in choice.names for choice in CHOICES):
        return _plain(connectors_of(words, concepts[:1], False), words, concepts[:1])
    return connectors_of(words, [], True)
