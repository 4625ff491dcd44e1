"""Values for made-up phone requests: names, places, times, songs, messages, each in one split only.

A listed value belongs to the split of its place in the list, a computed one (a time, a date, a
number) to the split of its hash. Values built of parts take parts of their own split, so nothing
that a test request holds was seen in training. Knows nothing of tools, phrases or calls.
"""

import json
import random
import re
import zlib
from collections.abc import Callable
from functools import cache
from importlib import resources
from typing import Any, Literal

Split = Literal["train", "dev", "test"]
SPLITS: tuple[Split, ...] = ("train", "dev", "test")

_TENTHS: tuple[Split, ...] = ("train",) * 4 + ("test",) + ("train",) * 3 + ("dev", "test")
"""Whose the tenths of all values are: 7 for train, 1 for dev, 2 for test."""

PLACEHOLDER = re.compile(r"\{(?P<name>[a-z]+)(?::(?P<kind>[a-z]+))?\}")
"""`{name}` or `{name:kind}`: a value of the list `name:kind`, `kind` or `name`."""

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
HOUR_WORDS = (
    *("one", "two", "three", "four", "five", "six"),
    *("seven", "eight", "nine", "ten", "eleven", "twelve"),
)


@cache
def phone_data(name: str) -> dict[str, Any]:
    """One of the JSON files beside this module."""
    text = resources.files("edgetune.generate").joinpath(f"{name}.json").read_text(encoding="utf-8")
    return json.loads(text)


def split_of(value: str) -> Split:
    """The split that a computed value belongs to."""
    return _TENTHS[zlib.crc32(f"phone {value.casefold()}".encode()) % 10]


def listed(name: str, split: Split) -> tuple[str, ...]:
    """The values of a list that belong to `split`."""
    return _listed_by_split(name)[split]


@cache
def _listed_by_split(name: str) -> dict[Split, tuple[str, ...]]:
    values = phone_data("phone_values")["lists"][name]
    return {
        split: tuple(v for i, v in enumerate(values) if _TENTHS[i % 10] == split)
        for split in SPLITS
    }


def value(name: str, kind: str | None, split: Split, rng: random.Random) -> str:
    """A value for the placeholder `{name}` or `{name:kind}`, with its own placeholders filled."""
    for key in (f"{name}:{kind}", kind, name) if kind else (name,):
        if key in COMPUTED:
            return COMPUTED[key](split, rng)
        if key in phone_data("phone_values")["lists"]:
            return _filled(rng.choice(listed(key, split)), split, rng)
    raise KeyError(f"{name}:{kind}")


def _filled(text: str, split: Split, rng: random.Random) -> str:
    return PLACEHOLDER.sub(lambda match: value(match["name"], match["kind"], split, rng), text)


def _own(
    draw: Callable[[random.Random], str], split: Split, rng: random.Random, key: str = r".*"
) -> str:
    """Draw until the part of the value that `key` matches belongs to the split."""
    while True:
        drawn = draw(rng)
        found = re.match(key, drawn)
        if found and split_of(found[0]) == split:
            return drawn


def _mix(split: Split, rng: random.Random, **shares: int) -> str:
    name = rng.choices(list(shares), list(shares.values()))[0]
    return value(name, None, split, rng)


def _time(split: Split, rng: random.Random) -> str:
    return _own(_any_time, split, rng)


def _any_time(rng: random.Random) -> str:
    of_day = rng.choice((*range(5, 24), rng.randrange(24)))
    hour, half = of_day % 12 or 12, "am" if of_day < 12 else "pm"
    minute = rng.choice((*range(0, 60, 5), rng.randrange(60)))
    word = HOUR_WORDS[hour - 1]
    part = "morning" if of_day < 12 else "afternoon" if of_day < 18 else "evening"
    forms = (
        (f"{hour}:{minute:02} {half}", 26),
        (f"{hour}:{minute:02}{half}", 8),
        (f"{hour} {half}", 14),
        (f"{hour}{half}", 8),
        (f"{hour}:{minute:02}", 12),
        (f"{of_day}:{minute:02}", 8),
        (f"{hour}", 6),
        (f"{hour} o'clock", 4),
        (f"half past {word}", 4),
        (f"quarter {rng.choice(('to', 'past'))} {word}", 4),
        (f"{word} {rng.choice(('fifteen', 'thirty', 'forty-five', 'twenty', half))}", 5),
        (f"{hour} in the {part}", 5),
        (rng.choice(("noon", "midnight")), 1),
    )
    return rng.choices([text for text, _ in forms], [weight for _, weight in forms])[0]


def _duration(split: Split, rng: random.Random) -> str:
    # The number alone decides, so that the test's numbers are new and not just their units.
    return _own(_any_duration, split, rng, key=r"\d+(?! hours? and)|.*")


def _any_duration(rng: random.Random) -> str:
    minutes = rng.choice((*range(2, 21), *range(25, 65, 5), rng.randint(21, 90)))
    forms = (
        (f"{minutes} minutes", 50),
        (f"{minutes} min", 6),
        (f"{rng.choice((15, 20, 30, 40, 45, 50, 60, 75, 90))} seconds", 10),
        (f"{rng.randint(2, 12)} hours", 10),
        (f"{rng.choice(('1 hour', '2 hours', '3 hours'))} and {rng.randint(2, 59)} minutes", 6),
        (rng.choice(("half an hour", "an hour", "one minute", "an hour and a half")), 6),
        (f"{rng.choice(HOUR_WORDS[1:])} minutes", 8),
    )
    return rng.choices([text for text, _ in forms], [weight for _, weight in forms])[0]


def _duration_adjective(split: Split, rng: random.Random) -> str:
    def draw(rng: random.Random) -> str:
        number, unit = rng.randint(2, 60), rng.choice(("minute", "minute", "minute", "second"))
        return f"{number % 11 + 2} hour" if rng.random() < 0.1 else f"{number} {unit}"

    return _own(draw, split, rng, key=r"\d+")


def _hour(split: Split, rng: random.Random) -> str:
    return _own(lambda r: str(r.randint(2, 12)), split, rng)


def _number(split: Split, rng: random.Random) -> str:
    return _own(lambda r: str(r.randint(2, 99)), split, rng)


def _percent(split: Split, rng: random.Random) -> str:
    return _own(lambda r: str(r.choice((*range(5, 100, 5), r.randint(1, 99)))), split, rng)


def _phone_number(split: Split, rng: random.Random) -> str:
    def draw(rng: random.Random) -> str:
        digits = "".join(rng.choice("0123456789") for _ in range(7))
        area = f"{rng.randint(201, 989)}"
        return rng.choice((f"{digits[:3]} {digits[3:]}", f"{area}-{digits[:3]}-{digits[3:]}", area))

    return _own(draw, split, rng)


def _date(split: Split, rng: random.Random) -> str:
    def draw(rng: random.Random) -> str:
        day, month = rng.randint(1, 30), rng.choice(MONTHS).title().replace("February", "May")
        weekday = rng.choice(WEEKDAYS).title()
        forms = (
            *(weekday, weekday, weekday, f"the {_ordinal(day)}"),
            *(f"{month} {_ordinal(day)}", f"the {_ordinal(day)} of {month}", f"{day} {month}"),
        )
        return rng.choice(forms)

    return _own(draw, split, rng)


def _relative(split: Split, rng: random.Random) -> str:
    def draw(rng: random.Random) -> str:
        weekday = rng.choice(WEEKDAYS).title()
        fixed = ("tomorrow", "today", "the day after tomorrow", "this weekend")
        return rng.choice((*fixed, f"next {weekday}", f"this {weekday}", f"{weekday} next week"))

    return _own(draw, split, rng)


def _part_of_day(split: Split, rng: random.Random) -> str:
    def draw(rng: random.Random) -> str:
        day = rng.choice(("tomorrow", "on Xday", "next Xday", "this Xday", "on Xday"))
        weekday = rng.choice(WEEKDAYS).title()
        return f"{day} {rng.choice(('morning', 'afternoon', 'evening'))}".replace("Xday", weekday)

    return _own(draw, split, rng)


def _ordinal(day: int) -> str:
    endings = {1: "st", 2: "nd", 3: "rd"}
    return f"{day}{'th' if day in (11, 12, 13) else endings.get(day % 10, 'th')}"


def _when(split: Split, rng: random.Random) -> str:
    pattern = rng.choice(
        (
            *("{words}", "{words}", "at {time}", "{relative}", "on {date}", "in {duration}"),
            *("{relative} at {time}", "on {date} at {time}", "{part}"),
        )
    )
    return _filled(pattern.replace("{words}", rng.choice(listed("when_words", split))), split, rng)


COMPUTED: dict[str, Callable[[Split, random.Random], str]] = {
    "time": _time,
    "duration": _duration,
    "duration:adjective": _duration_adjective,
    "hour": _hour,
    "number": _number,
    "contact:number": _phone_number,
    "percent": _percent,
    "date": _date,
    "relative": _relative,
    "part": _part_of_day,
    "day": lambda split, rng: _mix(split, rng, date=1, relative=1),
    "when": _when,
    "task": lambda split, rng: value("chore", None, split, rng),
    "contact": lambda split, rng: _mix(split, rng, first=45, full=25, family=17, role=13),
    "full": lambda split, rng: _filled("{first} {last}", split, rng),
    "destination": lambda split, rng: _mix(split, rng, spot=3, business=3, city=3, address=3),
    "address": lambda split, rng: _filled(f"{rng.randint(1, 99)} {{street}}", split, rng),
    "song": lambda split, rng: _mix(split, rng, known_song=1, made_song=1),
    "artist": lambda split, rng: _mix(split, rng, known_artist=3, made_artist=2),
    "place": lambda split, rng: _mix(split, rng, room=1, business=1),
    "text": lambda split, rng: _mix(split, rng, statement=1, remark=1),
}
"""Values that are made rather than listed, or mixed from lists, by placeholder."""
