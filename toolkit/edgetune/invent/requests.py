"""Invents requests for made-up tools, with the calls that serve them.

A request says the values of some parameters, verbatim, in any order and many shapes: imperative,
question, terse, slot first, with or without connectors. It knows nothing of tokens or training.
"""

import re
from dataclasses import dataclass
from random import Random
from typing import Any

from edgetune.invent import lexicon as lx
from edgetune.invent.people_places import city, full_name, person
from edgetune.invent.tools import Field, Invented
from edgetune.invent.words import number_word, pseudo_phrase, pseudo_word
from edgetune.invent.works import work_title

QUESTIONS = ("what", "what's", "how", "where", "which", "is", "are", "will", "can", "does")


@dataclass
class Request:
    """A request and its call: the tool (or respond), and arguments in the schema's order."""

    text: str
    name: str
    arguments: dict[str, Any]


@dataclass
class _Said:
    """The values of a call as a request says them."""

    heads: list[str]
    """At most one, the thing itself: "play {head}"."""
    modifiers: list[str]
    """At most one, before the object: "a {modifier} restaurant"."""
    slots: list[str]
    """The others, with connectors."""
    values: dict[str, Any]
    object: str = ""
    """A value that stands for the object: "a novel" where the tool is about books."""


def invent_request(rng: Random, invented: Invented, copy_drill: bool = False) -> Request:
    """A request for the tool, with its call. String values stand in the text verbatim, but for
    listed ones where the whole request is in lower case."""
    subject = rng.choice(invented.objects)
    lower = rng.random() < 0.3
    chosen = [f for f in invented.fields if f.required or rng.random() < (0.4 if f.rival else 0.6)]
    if not chosen and invented.fields and rng.random() < 0.8:
        chosen = [rng.choice(invented.fields)]
    opening = rng.choice(invented.openings)
    said = _say(rng, chosen, opening, lower)
    body = _sentence(rng, said, opening, subject, copy_drill)
    body = _around(rng, body, opening)
    if (
        not lower
        and rng.random() < 0.6
        and not any(body.startswith(text) for text in _texts(list(said.values.values())))
    ):
        body = body[:1].upper() + body[1:]
    arguments = {f.name: said.values[f.name] for f in invented.fields if f.name in said.values}
    return Request(body, invented.name, arguments)


def chit_chat(rng: Random) -> Request:
    """A request that no tool serves, because it is talk or a question of general knowledge."""
    text = rng.choice(lx.CHIT_CHAT)
    if rng.random() < 0.3:
        text = rng.choice(
            [
                f"why is {city(rng)} so {rng.choice(lx.ADJECTIVES)}",
                f"who was {full_name(rng)}",
                f"what do you think of {work_title(rng)}",
                f"explain {rng.choice(lx.NOUNS)} to a child",
                f"what does {pseudo_word(rng)} mean",
                f"write a poem about {rng.choice(lx.NOUNS)}",
                f"is {person(rng)} right about the {rng.choice(lx.NOUNS)}",
            ]
        )
    if rng.random() < 0.5:
        text = text[:1].upper() + text[1:] + rng.choice(["", "?", ".", "!"])
    return Request(text, "respond", {})


def _say(rng: Random, chosen: list[Field], opening: str, lower: bool) -> _Said:
    """Values for `chosen`, in random order, each with the way it is said."""
    said = _Said([], [], [], {})
    named_style = rng.random() < 0.12
    town: int | None = None
    # What a town lies in comes after it: "in Springfield, Ohio".
    wider = ("state", "country")
    for item in sorted(rng.sample(chosen, len(chosen)), key=lambda f: f.rival in wider):
        human = item.words if rng.random() < 0.85 else item.name
        if item.kind == "bool":
            said.values[item.name] = rng.random() < 0.6
            said.slots.append(rng.choice(item.said[said.values[item.name]]))
            continue
        text, value = _value(rng, item)
        if lower and item.kind != "exact":
            text, human = text.lower(), human.lower()
            if isinstance(value, str) and item.kind != "enum":
                value = value.lower()
            elif isinstance(value, list):
                value = [entry.lower() for entry in value]
        said.values[item.name] = value
        if named_style or rng.random() < (0.55 if item.pseudo_name else 0.08):
            said.slots.append(rng.choice(lx.NAMED).format(n=human, v=text))
        elif town is not None and item.rival in wider and rng.random() < 0.6:
            said.slots[town] += rng.choice([" ", ", "]) + text
        elif item.names_object and "{o}" in opening and not said.object and rng.random() < 0.5:
            said.object = text
        elif item.before_object and "{o}" in opening and not said.modifiers and rng.random() < 0.45:
            said.modifiers.append(text)
        elif item.after_verb and not said.heads and rng.random() < 0.55:
            said.heads.append(text)
        else:
            said.slots.append(rng.choice(item.connectors).format(n=human, v=text))
            if item.rival == "city":
                town = len(said.slots) - 1
    return said


def _value(rng: Random, item: Field) -> tuple[str, Any]:
    """The value as the request says it, and as the call has it."""
    if item.speak is not None:
        return item.speak(rng)
    assert item.make is not None
    if item.kind == "list":
        values = [item.make(rng).replace(",", "") for _ in range(rng.randint(1, 3))]
        spoken = values[0] if len(values) == 1 else ", ".join(values[:-1]) + " and " + values[-1]
        return spoken, values
    unknown = item.type == "string" and item.kind == "concept" and rng.random() < 0.08
    text = (pseudo_phrase if unknown else item.make)(rng)
    if item.type not in ("integer", "number"):
        return text, text
    number = float(text) if "." in text else int(text)
    if item.type == "integer":
        number = int(number)
        if 1 <= number <= 20 and rng.random() < 0.3:
            return number_word(number), number
    return text, number


def _texts(values: list[Any]) -> list[str]:
    """The strings among `values`, and in its lists."""
    inner = [_texts(value) for value in values if isinstance(value, list)]
    return [value for value in values if isinstance(value, str)] + [x for xs in inner for x in xs]


def _sentence(rng: Random, said: _Said, opening: str, subject: str, copy_drill: bool) -> str:
    """Opening, object and slots as one sentence."""
    subject = said.object or subject
    noun = " ".join([*said.modifiers, subject])
    unsaid, slots = said.heads, said.slots
    if said.heads and rng.random() < 0.75 and not said.modifiers:
        head = said.heads[0]
        if not said.object and rng.random() < 0.6 and "{o}" in opening:
            text = opening.replace("{o}", head)
        else:
            text = f"{opening.replace('{o}', subject)} {head}"
        article = rf"\ba (?={re.escape(head)})"
        if re.search(article, text) and rng.random() < 0.8:
            text = re.sub(article, "", text, count=1)
    else:
        bare = "{o}" not in opening and said.modifiers
        text = f"{opening} {noun}" if bare else opening.replace("{o}", noun)
        unsaid, slots = [], [*said.heads, *slots]
    roll = rng.random()
    front = slots.pop(0) if slots and roll < 0.12 else None
    body = (" " if rng.random() < 0.85 else ", ").join([text, *slots])
    if roll > 0.94 and not copy_drill:
        body = " ".join([noun, *unsaid, *slots])
    elif opening.split()[0] not in QUESTIONS and rng.random() < 0.4:
        body = rng.choice(lx.OPENERS) + body
    if front is not None:
        body = f"{front}{rng.choice([' ', ', '])}{body}"
    return body


def _around(rng: Random, body: str, opening: str) -> str:
    """`body` with what people add: an excuse, a thank you, a full stop."""
    if rng.random() < 0.06:
        excuse, other = rng.choice(lx.DISTRACTORS), rng.choice(lx.DISTRACTORS)
        body = rng.choice([f"{excuse}, {body}", f"{body}, {other}"])
    if rng.random() < 0.12:
        body += rng.choice(lx.CLOSERS)
    if opening.split()[0] in QUESTIONS and rng.random() < 0.6:
        body += "?"
    elif rng.random() < 0.25:
        body += rng.choice([".", ".", "!"])
    return body
