"""Describes a made-up tool at length, as interfaces written for people are described.

It rewrites descriptions alone: names, types and values stay as they are.
"""

from collections.abc import Sequence
from random import Random
from typing import Any, Protocol

from edgetune.invent import lexicon as lx


class Described(Protocol):
    """What a parameter is asked for here."""

    words: str
    schema: dict[str, Any]
    required: bool


def describe_at_length(
    rng: Random,
    function: dict[str, Any],
    fields: Sequence[Described],
    verbs: Sequence[str],
    objects: Sequence[str],
) -> None:
    """Gives `function`, and most of `fields`, long descriptions, in place."""
    subject, verb = rng.choice(objects), rng.choice(verbs)
    words = [item.words for item in rng.sample(list(fields), len(fields))][:3]
    function["description"] = _tool(rng, verb, subject, words)
    for item in fields:
        if rng.random() < 0.9:
            item.schema["description"] = _parameter(rng, item, verb, subject)


def _tool(rng: Random, verb: str, subject: str, words: list[str]) -> str:
    given = " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
    first = rng.choice(
        [
            f"{verb} the {subject} for a given {given or 'request'}.",
            f"{verb} {subject} based on {given or 'what the user says'}.",
            f"Used to {verb.lower()} a {subject} with the specified {given or 'settings'}.",
            f"Allows the user to {verb.lower()} {subject}, considering the {given or 'context'}.",
            f"{verb} detailed information about a specific {subject}.",
            f"{verb} a {subject} within a specified {given or 'range'}.",
        ]
    )
    more = [
        f"Useful when the user asks about a {subject}.",
        f"Returns a list of {subject} entries with their details.",
        f"It fails if the {subject} does not exist.",
        "The result is returned as text.",
        "All other parameters are optional and have default values.",
        f"Use this tool only if the {rng.choice(words or ['name'])} is known.",
        f"If the {rng.choice(words or ['name'])} is not given, the default is used.",
    ]
    return " ".join([first, *rng.sample(more, rng.choices([0, 1, 2], [60, 28, 12])[0])])


def _parameter(rng: Random, item: Described, verb: str, subject: str) -> str:
    words, schema = item.words, item.schema
    if schema["type"] == "boolean":
        text = rng.choice(
            [
                f"Whether the {subject} is meant to be {words}.",
                f"A flag for {words}. Default is {rng.choice(['false', 'true'])}.",
                f"If true, {words} applies to the {subject}.",
            ]
        )
    elif "enum" in schema:
        text = rng.choice(
            [
                f"The {words} to use for the {subject}.",
                f"The {words} of the {subject}. Default is '{rng.choice(schema['enum'])}'.",
                f"One of the listed values for {words}.",
            ]
        )
    else:
        text = rng.choice(
            [
                f"The {words} of the {subject}.",
                f"The {words} of the {subject} to {verb.lower()}.",
                f"The {words} for which to {verb.lower()} the {subject}.",
                f"Specifies the {words} that the {subject} should have.",
                f"{words.capitalize()} of the {subject}, as given by the user.",
            ]
        )
        if schema["type"] in ("integer", "number") and rng.random() < 0.3:
            text = f"{text[:-1]}, in {rng.choice(lx.MEASURE_UNITS)}."
    return text if item.required or rng.random() < 0.6 else f"{text} Optional."
