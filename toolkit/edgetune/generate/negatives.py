"""Requests that no tool of a toolset serves, some of which one almost does.

A selector that has seen few of them calls some tool whatever is asked. Half of what is made here is
as near as can be told from words alone: what a tool does, but to something else ("book a dentist"
beside `book_restaurant`), or something else done to what a tool is about ("cancel the restaurant").
Offline and seeded; knows tools and requests, not models.

What a tool serves is read from the words of its name, description and listed values. A tool that
takes anything ("search the web") says nothing of it there: some of these requests it could serve.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from edgetune.data.records import Example, as_source
from edgetune.generate.asking import ask, askable, words_for
from edgetune.generate.guess import split_words
from edgetune.generate.parameters import as_invented
from edgetune.invent.domains import ACTIONS, DOMAINS
from edgetune.invent.requests import chit_chat
from edgetune.invent.tools import Invented, invent_tool
from edgetune_runtime.calls import RESPOND, RESPOND_CALL, Tool, Toolset
from edgetune_runtime.errors import InputError
from edgetune_runtime.prompt import Called

_SHARES = (0.25, 0.25, 0.5)
"""Of the requests: talk, requests on other subjects, and such as a tool almost serves."""
TRIES = 50
"""Draws of one kind of request, for some come too near to a tool, before the kind is drawn anew."""
FRUITLESS = 20
"""Kinds in a row that may yield nothing new."""

_ALIKE = (
    {
        *("get", "find", "list", "check", "open", "track", "calculate", "navigate"),
        *("play", "book", "order", "convert"),
    },
    {"create", "add", "set", "update", "book", "order", "remind"},
    {"set", "update", "open", "close", "play"},
    {"delete", "close"},
    {"send", "call"},
    {"rate", "update", "set"},
)
"""Actions that a request may mean by the same words; any two others ask for different things."""


@dataclass(frozen=True)
class _Known:
    """A tool as these requests have to keep away from it."""

    tool: Tool
    invented: Invented
    action: str | None
    """Key of `ACTIONS`; None for a verb that is not among them."""
    words: frozenset[str]
    """What its name, description and listed values speak of."""


def unserved_records(
    toolset: Toolset, count: int, seed: int, known: Iterable[str] = ()
) -> list[dict[str, Any]]:
    """`count` different records whose right answer is `respond`, the same for the same seed.

    None asks what a request in `known` does (case, punctuation and spaces aside).
    Raises InputError where there are not so many different ones.
    """
    rng = Random(f"unserved {toolset.name} {seed}")
    tools = [_known(tool) for tool in toolset.tools]
    seen = {request_key(text) for text in known}
    records: list[dict[str, Any]] = []
    fruitless = 0
    while len(records) < count and fruitless < FRUITLESS:
        draw = rng.choices((_talk, _foreign, _almost), _SHARES)[0]
        made = (draw(tools, rng) for _ in range(TRIES))
        text = next((text for text in made if text and request_key(text) not in seen), None)
        fruitless = fruitless + 1 if text is None else 0
        if text is not None:
            seen.add(request_key(text))
            records.append(as_source(text, RESPOND_CALL))
    if len(records) < count:
        raise InputError(
            f"data.negatives: only {len(records)} of {count} different requests were found that no "
            f"tool of '{toolset.name}' serves; lower 'data.negatives'."
        )
    return records


def missing_negatives(share: float, examples: Sequence[Example]) -> int:
    """How many to add to `examples` so that `share` of all of them are served by no tool.

    Steps that end in `respond` because all is done are not counted among those.
    Raises InputError where the examples hold more already.
    """
    unserved = sum(
        example.call.tool == RESPOND and not any(isinstance(turn, Called) for turn in example.turns)
        for example in examples
    )
    wanted = round((share * len(examples) - unserved) / (1 - share))
    if wanted < 1:
        raise InputError(
            f"data.negatives: is {share:g}, but {unserved / len(examples):.2g} of the training "
            "examples are served by no tool already; raise it, or remove it."
        )
    return wanted


def request_key(text: str) -> str:
    """Equal for requests that differ in case, punctuation and spaces alone."""
    return " ".join(re.findall(r"\w+", text.casefold()))


# Each makes one request, or None where this draw came too near to a tool.


def _talk(tools: Sequence[_Known], rng: Random) -> str | None:
    """Something that is no request for any tool."""
    return chit_chat(rng).text


def _foreign(tools: Sequence[_Known], rng: Random) -> str | None:
    """A request on a subject that no tool has."""
    other = invent_tool(rng)
    return None if _spoken_of(other.objects, tools) else words_for(rng, other, "train")


def _almost(tools: Sequence[_Known], rng: Random) -> str | None:
    """A request that a tool almost serves."""
    near = rng.choice(tools)
    if rng.random() < 0.5:
        return _other_object(near, tools, rng)
    return _other_action(near, tools, rng)


def _other_object(near: _Known, tools: Sequence[_Known], rng: Random) -> str | None:
    """What `near` does, asked for something that no tool is about."""
    if near.action is None:
        return None
    other = invent_tool(rng, like=replace(near.invented, action=near.action))
    if other.action != near.action or other.pseudo or _spoken_of(other.objects, tools):
        return None
    return words_for(rng, other, "train")


def _other_action(near: _Known, tools: Sequence[_Known], rng: Random) -> str | None:
    """What `near` is about, but to be treated as no tool that is about it does."""
    subject = rng.choice(list(near.invented.objects))
    domains = [domain for domain in DOMAINS if subject in domain.objects]
    action = rng.choice(sorted({"delete"}.union(*(domain.actions for domain in domains))))
    about = [subject, *(each for domain in domains for each in domain.objects)]
    for tool in tools:
        if _spoken_of(about, [tool]) and (tool.action is None or _alike(tool.action, action)):
            return None
    name = f"{rng.choice(ACTIONS[action].names)} {subject}"
    other = askable(Tool(name, "", near.tool.parameters), "train", checked=False)
    text = ask(rng, other).text
    # Without its verb ("restaurant in Oslo tomorrow") it would be a request for `near`.
    opened = (way.partition("{")[0].strip() for each in other.wordings for way in each.do)
    return text if any(head and head in text.casefold() for head in opened) else None


def _spoken_of(objects: Iterable[str], tools: Iterable[_Known]) -> bool:
    words = {word for each in objects for word in _words(each)}
    return any(words & tool.words for tool in tools)


def _alike(one: str, other: str) -> bool:
    return one == other or any({one, other} <= group for group in _ALIKE)


def _known(tool: Tool) -> _Known:
    invented = as_invented(tool)
    action = next(
        (key for key, act in ACTIONS.items() if set(invented.openings) <= set(act.openings)), None
    )
    listed = [str(value) for value in _listed(tool.parameters)]
    words = {word for text in (tool.name, tool.description, *listed) for word in _words(text)}
    return _Known(tool, invented, action, frozenset(words))


def _listed(schema: Any) -> list[Any]:
    """The members of every `enum` of a schema."""
    if isinstance(schema, list):
        return [member for part in schema for member in _listed(part)]
    if not isinstance(schema, Mapping):
        return []
    own = list(schema["enum"]) if isinstance(schema.get("enum"), list) else []
    return own + [member for part in schema.values() for member in _listed(part)]


def _words(text: str) -> set[str]:
    return {word.removesuffix("s") for word in split_words(text).split() if len(word) > 2}
