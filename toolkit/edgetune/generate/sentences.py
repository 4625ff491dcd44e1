"""How a request goes: an opening, the tool's object, and what its arguments say.

A value may stand for the object ("read notes.md"), wrap it ("the first 10 lines of …"), go before
it ("an Italian restaurant") or after it with a connector. Knows one sentence: no tools or schemas.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from edgetune.generate.about import About
from edgetune.generate.kinds import role_of
from edgetune.generate.tool_values import Spoken
from edgetune.generate.wording import Wording, a, is_plural, singular

NAMED_SHARE = 0.02
"""Of the values, those said in a form: "limit: 10"."""
_FORMAL = ("{n}: {v}", "with {n} {v}", "{n} {v}", "{n}={v}", "with {v} as {n}")
_NAMED_ONLY = ("play", "rate", "search", "find", "order", "buy", "watch", "open")
"""Verbs whose object is known by its name alone: "play Hey Jude"."""
_MAKING = ("create", "make", "new", "write", "save", "generate", "build", "start")
"""Verbs whose object is not there before: "create a branch called fix-login"."""
_FRONT = ("in", "on", "at", "for")


@dataclass(frozen=True)
class Asked:
    """A parameter as a request says it."""

    name: str
    words: str
    required: bool
    about: About
    said: Mapping[bool, Sequence[str]]
    """Of a switch, how it is said."""
    default: Any = None


def sentence(
    rng: Random, wording: Wording, chosen: Sequence[Asked], values: Mapping[str, Spoken]
) -> tuple[str, bool]:
    """The request, and whether it is an order, which an opener may begin."""
    wording = _without_tail(wording, chosen)
    free = not any(each.required for each in chosen)
    head = next((each for each in chosen if _may_head(each, wording, free)), None)
    framed = _framed(rng, wording, head, chosen, values)
    if framed:
        return framed, False
    rest = [each for each in chosen if each is not head]
    opening, item = _opening(rng, wording, head, values, rest)
    plain = opening in (*wording.do, *wording.head_do, *wording.bare_do)
    for wrapper in [each for each in rest if each.about.wraps][:1]:
        several = re.sub(r"^(?:the|all) ", "", item) if wording.reading.plural and not head else ""
        ways = [way for way in wrapper.about.wraps if several or "{p}" not in way]
        if ways and ("{o}" in opening or "{h}" in opening) and item and rng.random() < 0.6:
            number = values[wrapper.name][0]
            item = _counting(rng.choice(ways), number).format(v=number, o=item, p=several)
            rest.remove(wrapper)
    if "{o}" in opening:
        item, rest = _with_modifier(rng, item, head, rest, values)
    slots = [_slot(rng, each, values[each.name][0]) for each in _in_order(rng, rest)]
    slots = [slot for slot in slots if slot]
    if len(slots) > 1 and rng.random() < 0.08 and not any(each.said for each in rest):
        front = next((slot for slot in slots if slot.split()[0] in _FRONT), None)
        if front:
            slots.remove(front)
            opening, plain = f"{front}{rng.choice((', ', ' '))}{opening}", False
    begun = opening.replace("{o}", item).replace("{h}", item)
    fronted = "{o}" not in opening or opening[0] == "{" or opening.split()[0] in _FRONT
    terse = wording.reading.verb == "get" and not head and not fronted
    if terse and item and rng.random() < 0.06:
        begun, plain = re.sub(r"^(?:the|a|an|all|some) ", "", item), False
    return " ".join([begun, *slots]), plain


def _framed(
    rng: Random,
    wording: Wording,
    head: Asked | None,
    chosen: Sequence[Asked],
    values: Mapping[str, Spoken],
) -> str:
    """A request that is said as a whole, at times; "" where there is none for these arguments."""
    if head is None or not wording.frames or rng.random() > 0.45:
        return ""
    roles = {role_of(each.words): values[each.name][0] for each in chosen if each is not head}
    if len(chosen) != 3 or roles.keys() != {"from", "to"}:
        return ""
    return rng.choice(wording.frames).format(head=values[head.name][0], **roles)


def _without_tail(wording: Wording, chosen: Sequence[Asked]) -> Wording:
    """`wording` without what a value says: no "to playlist" before "to my party playlist"."""
    reading = wording.reading
    last = reading.tail.split()[-1:]
    if not any([each.words] == last for each in chosen):
        return wording
    objects = [each.removesuffix(reading.tail).strip() for each in wording.objects]
    return replace(
        wording, reading=replace(reading, tail=""), objects=[each for each in objects if each]
    )


def _may_head(asked: Asked, wording: Wording, free: bool) -> bool:
    """Whether a value may stand for the tool's object: a path where files are read.

    An optional one may only where there are no others (`free`).
    """
    if not asked.about.head or not (asked.required or free) or asked.said:
        return False
    words = wording.reading.object.split()
    if not words:
        return True
    words = [word.lower() for word in words]
    last = {words[-1], words[-1].removesuffix("s"), re.sub("ies$", "y", words[-1])}
    if "*" in asked.about.nouns and wording.reading.verb in _NAMED_ONLY:
        return True
    return bool(last & set(asked.about.nouns)) or asked.words in (wording.reading.object, words[-1])


def _opening(
    rng: Random,
    wording: Wording,
    head: Asked | None,
    values: Mapping[str, Spoken],
    rest: Sequence[Asked],
) -> tuple[str, str]:
    """An opening, and what stands for the object in it."""
    if head is not None:
        value = values[head.name][0]
        if wording.head_do and rng.random() < 0.6:
            opening = rng.choice(wording.head_do)
            if opening.split()[0] in ("relate", "link", "connect"):
                value = value.removeprefix("from ")
            return opening, value
        wrapped = any(each.about.wraps for each in rest)
        inside = head.about.key.endswith(("file", "directory"))
        if inside and wording.head_ask and wording.alone and not wrapped and rng.random() < 0.25:
            opening = rng.choice(wording.head_ask)
            return opening, f"{value} {wording.reading.tail}".strip()
        new = wording.reading.verb in _MAKING
        alone = wording.alone and head.about.bare and rng.random() < (0.35 if new else 0.7)
        if not wording.objects or alone:
            return rng.choice(wording.bare_do), f"{value} {wording.reading.tail}".strip()
        if head.about.key == "id":
            number = rng.choice(("", "", "number ", "with the id "))
            item = f"{singular(wording.reading.object)} {number}{value} {wording.reading.tail}"
            return rng.choice(wording.do), item.strip()
        return rng.choice(wording.do), _named(rng, wording, values[head.name], new)
    orders = not wording.ask or rng.random() < 0.65
    opening = rng.choice(wording.do if orders else wording.ask)
    item = rng.choice(wording.objects) if wording.objects else ""
    if wording.reading.plural:
        opening = re.sub(r"\bwhat(?: is|'s) \{o\}", "what are {o}", opening)
    else:
        opening = re.sub(r"\b(where|what) are \{o\}", r"\1 is {o}", opening)
        opening = opening.replace("are there any {o}", "is there {o}")
    return opening, item


def _named(rng: Random, wording: Wording, spoken: Spoken, new: bool) -> str:
    """The object with its value: "the file notes.md", "a branch called fix-login"."""
    item, tail = wording.reading.object, wording.reading.tail
    if not (isinstance(spoken[1], list) and len(spoken[1]) > 1):
        item = singular(item)
    value = spoken[0]
    if not item:
        return f"{value} {tail}".strip()
    if new and not is_plural(item):
        called = rng.choice((" called ", " named ", " "))
        article = "" if called == " " else "a new " if rng.random() < 0.3 else "a "
        begun = a(item) if article == "a " else article + item
        return f"{begun}{called}{value} {tail}".strip()
    return f"{rng.choice(('the ', 'the ', ''))}{item} {value} {tail}".strip()


def _with_modifier(
    rng: Random,
    item: str,
    head: Asked | None,
    rest: Sequence[Asked],
    values: Mapping[str, Spoken],
) -> tuple[str, list[Asked]]:
    """ "an Italian restaurant": one of `rest` before the object, at times."""
    left = list(rest)
    before = next((each for each in left if each.about.before), None)
    found = re.match(r"(the|an?) (?!new )(.+)", item)
    if head or not before or not found or rng.random() > 0.45:
        return item, left
    if re.match(r"(?:the|an?|some) ", values[before.name][0]):
        return item, left
    left.remove(before)
    noun = f"{values[before.name][0]} {found.group(2)}"
    return (f"the {noun}" if found.group(1) == "the" else a(noun)), left


def _in_order(rng: Random, rest: Sequence[Asked]) -> list[Asked]:
    """`rest` as the schema has it, or else shuffled; what goes to something comes after from."""
    order = list(rest)
    if any(led.startswith("and {v}") for each in rest for led in each.about.connectors[:1]):
        return order  # "of 2", "and 3"
    if rng.random() < 0.3:
        rng.shuffle(order)
    paired = sorted(
        (each for each in order if role_of(each.words) in ("from", "to")),
        key=lambda each: (role_of(each.words) == "to", rest.index(each)),
    )
    first = [each for each in order if each.required or not each.said]
    last = [each for each in order if each not in first]
    if len(paired) < 2:
        return first + last
    kept = iter(paired)
    return [next(kept) if each in paired else each for each in first] + last


def _slot(rng: Random, asked: Asked, text: str) -> str:
    if asked.said:
        return text
    if not text:
        return ""  # a constant
    formal = rng.random() < NAMED_SHARE
    led = rng.choice(_FORMAL if formal else asked.about.connectors)
    led = led.replace("a {n}", a(asked.words)) if " a {n}" in f" {led}" else led
    return _counting(led, text).format(n=asked.words, v=text)


def _counting(led: str, text: str) -> str:
    """`led` with one line where there is one."""
    return re.sub(r"\{v\} ((?:\w+ )?\w+[^s\W])s\b", r"{v} \1", led) if text in ("1", "one") else led
