"""Writes requests with their calls for any toolset, offline: from the tools' schemas alone.

The same generator that taught nano to call made-up tools speaks of real ones, in the split's own
turns of phrase. Knows how requests are mixed; `parameters` knows the tools.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Any

from edgetune.data.foreign import subjects
from edgetune.data.parameters import alternatives, as_invented
from edgetune.data.records import as_source
from edgetune.data.spoken import Spoken
from edgetune.invent.requests import Request, chit_chat, invent_request
from edgetune.invent.tools import Field, Invented, invent_tool
from edgetune.tools.schema import arguments_problem
from edgetune_runtime.calls import RESPOND, RESPOND_CALL, Call, Toolset
from edgetune_runtime.errors import InputError

RESPOND_SHARE = 0.12
"""Of the requests, those that no tool serves: half talk, half requests for other tools."""
NEAR_MISS_SHARE = 0.15
"""Of the draws, those of two requests with the same values for two tools that are nearly alike."""
FRUITLESS = 200
"""Draws of a tool, above five times its part of the records, that may yield nothing new."""
MOST_OPTIONAL = 4
"""Optional parameters that one request says, at the most."""


def generate(toolset: Toolset, count: int, seed: int, split: str) -> list[dict[str, Any]]:
    """`count` different records in the TRL conversational format, the same for the same seed.

    Raises InputError where a tool does not yield its part of them.
    """
    rng = Random(f"{toolset.name} {split} {seed}")
    tools = [
        _for_split(as_invented(part), split)
        for tool in toolset.tools
        for part in alternatives(tool)
    ]
    seen: set[str] = set()
    made: set[str] = set()
    records: list[dict[str, Any]] = []
    misses = dict.fromkeys(toolset.names, 0)
    while len(records) < count:
        for request in _draw(tools, rng):
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


def _draw(tools: Sequence[Invented], rng: Random) -> list[Request]:
    if rng.random() < RESPOND_SHARE:
        return [chit_chat(rng) if rng.random() < 0.5 else _foreign(tools, rng)]
    first = rng.choice(tools)
    if rng.random() > NEAR_MISS_SHARE:
        return [_request(rng, first)]
    near = [tool for tool in tools if tool is not first and _shared(first, tool)]
    if not near:
        return [_request(rng, first)]
    second = rng.choice(near)
    shared = _shared(first, second)
    said = {
        item.name: item.speak(rng) for item in first.fields if item.speak and item.name in shared
    }
    return [_request(rng, tool, said) for tool in (first, second)]


def _shared(first: Invented, second: Invented) -> set[str]:
    """Parameters of the same name and of one kind, which both tools take."""
    kinds = {item.name: item.kind for item in first.fields if item.speak}
    return {item.name for item in second.fields if item.speak and kinds.get(item.name) == item.kind}


def _request(rng: Random, tool: Invented, said: Mapping[str, Spoken] | None = None) -> Request:
    """A request for `tool`, in which the parameters in `said` have these values."""
    optional = [item for item in tool.fields if not item.required]
    left_out = rng.sample(optional, max(0, len(optional) - MOST_OPTIONAL))
    fields = [
        _fixed(item, said[item.name]) if said and item.name in said else item
        for item in tool.fields
        if item not in left_out
    ]
    request = invent_request(rng, replace(tool, fields=fields))
    return replace(request, text=" ".join(request.text.split()))


def _fixed(item: Field, spoken: Spoken) -> Field:
    return replace(item, speak=lambda rng: spoken)


def _foreign(tools: Sequence[Invented], rng: Random) -> Request:
    """A request for a tool that is not there, on a subject that none of `tools` has."""
    ours = subjects(tools)
    for _ in range(FRUITLESS):
        other = invent_tool(rng)
        if not ours & subjects([other]):
            return Request(invent_request(rng, other).text, RESPOND, {})
    return chit_chat(rng)


def _for_split(tool: Invented, split: str) -> Invented:
    fields = [
        replace(
            item,
            connectors=_held_out(item.connectors, split),
            said={state: _held_out(ways, split) for state, ways in item.said.items()},
        )
        for item in tool.fields
    ]
    return replace(tool, openings=_held_out(tool.openings, split), fields=fields)


def _held_out(options: Sequence[str], split: str) -> Sequence[Any]:
    """Those of `options` that belong to `split`: every fifth to dev and test, the rest to train."""
    distinct = list(dict.fromkeys(options))
    if len(distinct) < 5:
        return distinct
    return [
        option for index, option in enumerate(distinct) if (index % 5 == 4) != (split == "train")
    ]


def _is_valid(toolset: Toolset, request: Request) -> bool:
    return arguments_problem(toolset[request.name], request.arguments) is None
