"""Writes requests with their calls for any toolset, offline: from the tools' schemas alone.

Knows how requests are mixed, and that none comes twice; `asking` words them, in the split's own
turns of phrase.
"""

from collections.abc import Sequence
from random import Random
from typing import Any

from edgetune.data.records import as_source
from edgetune.generate.asking import Askable, ask, askable, spoken, words_for
from edgetune.generate.foreign import subjects
from edgetune.generate.parameters import alternatives, as_invented
from edgetune.invent.requests import Request, chit_chat
from edgetune.invent.tools import invent_tool
from edgetune.tools.schema import arguments_problem
from edgetune_runtime.calls import RESPOND, RESPOND_CALL, Call, Toolset
from edgetune_runtime.errors import InputError

RESPOND_SHARE = 0.12
"""Of the requests, those that no tool serves: half talk, half requests for other tools."""
NEAR_MISS_SHARE = 0.15
"""Of the draws, those of two requests with the same values for two tools that are nearly alike."""
FRUITLESS = 200
"""Draws of a tool, above five times its part of the records, that may yield nothing new."""


def generate(toolset: Toolset, count: int, seed: int, split: str) -> list[dict[str, Any]]:
    """`count` different records in the TRL conversational format, the same for the same seed.

    Raises InputError where a tool does not yield its part of them.
    """
    rng = Random(f"{toolset.name} {split} {seed}")
    tools = [
        askable(part, split, toolset.tools) for tool in toolset.tools for part in alternatives(tool)
    ]
    foreign = _Foreign(toolset, split)
    seen: set[str] = set()
    made: set[str] = set()
    records: list[dict[str, Any]] = []
    misses = dict.fromkeys(toolset.names, 0)
    while len(records) < count:
        for request in _draw(tools, rng, foreign):
            key = request.text.casefold()
            known = request.name == RESPOND
            if key in seen or not (known or _is_valid(toolset, request)):
                misses[request.name] += 1
                if misses[request.name] > FRUITLESS + 5 * count // len(toolset.names):
                    raise InputError(
                        f"{toolset.name}: '{request.name}' yields fewer different requests than "
                        f"its part of {count}; ask for fewer, or give its parameters 'examples'."
                    )
                continue
            seen.add(key)
            made.add(request.name)
            name = toolset.public_name(request.name)
            call = RESPOND_CALL if known else Call(name, request.arguments)
            records.append(as_source(request.text, call))
    for name, missed in misses.items():
        if missed and name not in made:
            raise InputError(
                f"{toolset.name}: none of the {missed} requests that were made for '{name}' fits "
                "its schema; put its parameters under 'properties' of its own, or write its "
                "records yourself."
            )
    del records[count:]
    rng.shuffle(records)
    return records


def _draw(tools: Sequence[Askable], rng: Random, foreign: "_Foreign") -> list[Request]:
    if rng.random() < RESPOND_SHARE:
        return [chit_chat(rng) if rng.random() < 0.5 else foreign.request(rng)]
    first = rng.choice(tools)
    if rng.random() > NEAR_MISS_SHARE:
        return [ask(rng, first)]
    near = [tool for tool in tools if tool is not first and _shared(first, tool)]
    if not near:
        return [ask(rng, first)]
    second = rng.choice(near)
    shared = _shared(first, second)
    said = {each.name: spoken(rng, each) for each in first.asked if each.name in shared}
    return [ask(rng, tool, said) for tool in (first, second)]


def _shared(first: Askable, second: Askable) -> set[str]:
    """Parameters of the same name that both tools take, but for switches; required in one."""
    ours = {each.name: each for each in first.asked if not each.said}
    theirs = {each.name: each for each in second.asked if not each.said}
    return {
        name
        for name in ours.keys() & theirs
        if (ours[name].required or theirs[name].required)
        and ours[name].about.key == theirs[name].about.key
    }


def _is_valid(toolset: Toolset, request: Request) -> bool:
    return arguments_problem(toolset[request.name], request.arguments) is None


class _Foreign:
    """Makes requests for tools that are not there, on subjects that no tool has."""

    def __init__(self, toolset: Toolset, split: str) -> None:
        self._ours = subjects(as_invented(tool) for tool in toolset.tools)
        self._split = split

    def request(self, rng: Random) -> Request:
        """One, worded as requests for the tools that are there."""
        for _ in range(FRUITLESS):
            other = invent_tool(rng)
            if not self._ours & subjects([other]):
                return Request(words_for(rng, other, self._split), RESPOND, {})
        return chit_chat(rng)
