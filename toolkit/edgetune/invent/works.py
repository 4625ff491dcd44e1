"""Titles of works, artists, playlists, services, and short free texts.

It knows how such names look, and the best known of them; most are invented.
"""

from collections.abc import Callable
from random import Random

from edgetune.invent import lexicon as lx
from edgetune.invent import words
from edgetune.invent.people_places import city, first_name, full_name, last_name, person
from edgetune.invent.times import clock, date
from edgetune.invent.words import (
    number_word,
    pseudo_phrase,
    pseudo_stem,
    pseudo_word,
    recase,
    title_words,
)


def work_title(rng: Random) -> str:
    """The title of a song, book, film or game; one in eight is a known one."""
    if rng.random() < 0.12:
        return recase(rng, rng.choice(lx.KNOWN_WORKS))
    adj, noun, verb = (
        lambda: words.adjective(rng),
        lambda: words.noun(rng),
        lambda: words.verb(rng),
    )
    shapes: list[Callable[[], str]] = [
        lambda: f"the {adj()} {noun()}",
        lambda: f"{adj()} {noun()}",
        lambda: f"{noun()}",
        lambda: f"the {noun()} of {noun()}",
        lambda: f"the {adj()} {noun()} of {noun()}",
        lambda: f"{noun()} and {noun()}",
        lambda: f"a {noun()} in the {noun()}",
        lambda: f"{verb()} the {noun()}",
        lambda: f"i {verb()} you",
        lambda: f"{verb()} me {adj()}",
        lambda: f"don't {verb()} my {noun()}",
        lambda: f"how to {verb()} a {noun()}",
        lambda: f"{noun()}: the {adj()} {noun()}",
        lambda: f"{adj()}, {adj()} and {adj()}",
        lambda: f"{first_name(rng)}'s {noun()}",
        lambda: f"{noun()} {rng.randint(2, 99)}",
        lambda: f"{pseudo_word(rng)}",
        lambda: f"the {noun()} of {pseudo_word(rng)}",
        lambda: f"who will {verb()} the {noun()}",
        lambda: f"{first_name(rng)} and the {adj()} {noun()}",
        lambda: f"when the {noun()}s {verb()}",
        lambda: f"you can't {verb()} the {noun()} at {noun()}",
        lambda: f"{noun()} to {noun()}",
        lambda: f"my {noun()} is a {noun()}",
        lambda: f"{number_word(rng.randint(2, 30))} {noun()}s",
        lambda: f"{verb()} {verb()} {verb()}",
        lambda: f"the {noun()} who {verb()}s",
        lambda: f"{noun()} ({adj()} version)",
        lambda: f"on the {noun()}: {noun()} in {pseudo_word(rng)}",
        lambda: f"{verb()}, {noun()}!",
        lambda: f"{last_name(rng)} vs. {last_name(rng)}",
        lambda: f"{pseudo_phrase(rng)}",
        lambda: f"{adj()} {adj()} {noun()}",
        lambda: f"{noun()} in {city(rng)}",
        lambda: f"{city(rng)} {noun()}",
        lambda: f"the {noun()} {verb()}s at {noun()}",
        lambda: f"{verb()} with the {noun()} of {adj()} {noun()}s",
        lambda: f"no {noun()} for {noun()}s, {adj()} {noun()}",
        lambda: f"{verb()}ing {first_name(rng)}",
    ]
    return recase(rng, rng.choice(shapes)())


def artist(rng: Random) -> str:
    if rng.random() < 0.3:
        return recase(rng, rng.choice(lx.MUSICIANS))
    roll = rng.random()
    if roll < 0.5:
        return full_name(rng)
    if roll < 0.58:
        return rng.choice([first_name, last_name])(rng)
    if roll < 0.66:
        return f"{first_name(rng)} {words.noun(rng).capitalize()}"
    if roll < 0.75:
        return pseudo_word(rng)
    if roll < 0.9:
        return recase(
            rng, f"the {rng.choice([words.adjective, words.noun])(rng)} {words.noun(rng)}s"
        )
    return recase(rng, words.noun(rng) + rng.choice([" and the ", " & ", " "]) + words.noun(rng))


def playlist(rng: Random) -> str:
    roll = rng.random()
    if roll < 0.5:
        return recase(
            rng, " ".join(rng.choice(lx.PLAYLIST_WORDS) for _ in range(rng.randint(1, 3)))
        )
    if roll < 0.7:
        return recase(rng, rng.choice(lx.GENRES) + " " + rng.choice(lx.PLAYLIST_WORDS))
    if roll < 0.8:
        return recase(rng, f"this is {artist(rng)}")
    return work_title(rng) if rng.random() < 0.7 else pseudo_phrase(rng)


def genre(rng: Random) -> str:
    return rng.choice(lx.GENRES)


def service(rng: Random) -> str:
    name = rng.choice(lx.SERVICES) if rng.random() < 0.8 else pseudo_word(rng)
    return name if rng.random() < 0.7 else name.lower()


def cuisine(rng: Random) -> str:
    name = rng.choice(lx.CUISINES)
    return name if rng.random() < 0.6 else name.lower()


def message(rng: Random) -> str:
    """A short free text, such as the body of a message or a note."""
    roll = rng.random()
    if roll < 0.45:
        return rng.choice(lx.FREE_TEXTS)
    if roll < 0.6:
        return _spaced(rng, lx.FREE_TEXTS, ["and", "but", "so", "because"], lx.FREE_TEXTS)
    if roll < 0.75:
        return _spaced(rng, lx.VERBS, ["the", "a", "my", "some"], lx.ADJECTIVES, lx.NOUNS)
    if roll < 0.9:
        kinds = [lx.NOUNS, lx.VERBS, lx.ADJECTIVES, lx.SMALL_WORDS]
        return " ".join(rng.choice(rng.choice(kinds)) for _ in range(rng.randint(2, 10)))
    start = _spaced(rng, lx.FREE_TEXTS, ["at", "with", "in", "before"])
    return f"{start} {rng.choice([clock, person, city, date])(rng)}"


def _spaced(rng: Random, *lists: list[str]) -> str:
    """One entry of each list, in turn."""
    return " ".join(rng.choice(entries) for entries in lists)


def _occasion(rng: Random) -> str:
    kinds = ["birthday", "party", "wedding", "recital", "graduation"]
    return f"{first_name(rng)}'s {rng.choice(kinds)}"


def event(rng: Random) -> str:
    return rng.choice([message, work_title, _occasion])(rng)


def cinema(rng: Random) -> str:
    house = rng.choice(
        [
            title_words(rng, 1, 2),
            last_name(rng),
            pseudo_stem(rng).capitalize(),
            "AMC",
            "Regal",
            "Odeon",
        ]
    )
    return f"{house} {rng.choice(lx.CINEMA_KINDS)}"
