"""How a request says one parameter: its connectors, its values, what it may stand for.

With those that need no more than a name: ids, names of people and things, dates and times. Knows
no schemas and no descriptions.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from edgetune.generate.tool_values import Spoken, moment, thing
from edgetune.invent.concepts import CONCEPTS
from edgetune.invent.people_places import full_name
from edgetune.invent.works import work_title

Speak = Callable[[Random], Spoken]

_WHEN = {
    "from": ("from {v}", "since {v}", "after {v}", "starting {v}", "starting from {v}"),
    "to": ("until {v}", "to {v}", "up to {v}", "before {v}", "ending {v}"),
    "at": ("at {v}", "{v}", "for {v}", "at exactly {v}", "at {v} sharp"),
    "on": ("on {v}", "for {v}", "{v}", "on the date {v}", "for the date {v}"),
}
_PEOPLE = ("customer", "patient", "student", "employee", "user", "author", "guest", "player",
           "artist", "contact", "athlete", "client", "donor", "owner", "teacher", "doctor",
           "recipient", "sender", "parent", "child", "member", "speaker", "host", "person",
           "passenger", "buyer", "seller", "driver", "actor", "first", "last", "full")  # fmt: skip


@dataclass(frozen=True)
class About:
    """How a request says a parameter."""

    connectors: Sequence[str]
    """"{v}" stands for the value, "{n}" for the parameter's name."""
    make: Speak | None = None
    """Makes a value, which the schema may refuse; None where nothing is known of it."""
    head: bool = False
    """May stand for the tool's object."""
    nouns: Sequence[str] = ()
    """The objects that it may stand for; "*" for whatever can be played, rated or found."""
    before: bool = False
    """May stand right before the object: "an Italian restaurant"."""
    wraps: Sequence[str] = ()
    alone: str = ""
    key: str = ""
    """Of the kind, where one is known."""
    bare: bool = True
    """Whether it may stand for the object without naming that."""
    exact: bool = False
    """Whether its letter case counts."""
    sayable: bool = True
    """Whether a request would say it where it need not."""


def identified(noun: str, make: Speak) -> About:
    """An id: "recipe 33", "with the id P1042"."""
    last = noun.split()[-1]
    led = ("with the {n} {v}", f"of {noun} {{v}}", f"for {noun} {{v}}", f"for the {noun} {{v}}",
           "with {n} {v}", f"of the {noun} {{v}}", f"for the {noun} with ID {{v}}",
           f"of the {noun} with the ID {{v}}", "identified by {v}", "whose {n} is {v}")  # fmt: skip
    return About(led, make, True, (noun, last), key="id", bare=False, exact=True)


def called(noun: str) -> About:
    """The name of a person, or of a thing: "patient Anna Berg", "the project Blue River"."""
    last = noun.split()[-1]
    led = (f"for {noun} {{v}}", f"for the {noun} {{v}}", f"with the {noun} {{v}}",
           f"of the {noun} {{v}}", "with the {n} {v}", "for {v}")  # fmt: skip
    person = last in _PEOPLE

    def make(rng: Random) -> str:
        if person:
            return full_name(rng)
        return work_title(rng) if rng.random() < 0.5 else thing(rng).title()

    return About(led, same(make), True, (noun, last))


def moment_of(words: str, form: str, natural: Sequence[str] = ()) -> About:
    first, last = words.split()[0], words.split()[-1]
    timed = (("%H" in form or "%I" in form) and "%d" not in form) or (not form and last == "time")
    if first in ("start", "from", "since", "after", "begin", "checkin", "departure", "earliest"):
        led = _WHEN["from"]
    elif first in ("end", "to", "until", "before", "checkout", "return", "latest"):
        led = _WHEN["to"]
    else:
        led = _WHEN["at" if timed else "on"]

    def speak(rng: Random) -> Spoken:
        if not form:
            return (lambda text: (text, text))(CONCEPTS["clock" if timed else "date"].make(rng))
        if natural and rng.random() < 0.4:
            return (lambda text: (text, text))(rng.choice(natural))
        return moment(rng, form)

    return About(led, speak, True, (last, "time", "date"), key=form, exact=True)


def same(make: Callable[[Random], str]) -> Speak:
    def speak(rng: Random) -> Spoken:
        made = make(rng)
        return made, made

    return speak


def nouns_of(words: str) -> Sequence[str]:
    bare = words.removesuffix(" name").removesuffix(" title")
    return tuple(dict.fromkeys((bare, bare.split()[-1])))
