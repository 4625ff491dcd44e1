"""What the tool skill is taught: lists of tools, each with several requests and their calls.

Half of the lists are made up, the others are neighbours in a file of real definitions. Every
request is generated; some call no tool, though another list has one for them. Each lesson comes of
(seed, index) alone. Knows nothing of tokens or training.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from edgetune.data.records import Example, as_source, parse_record, record_problem
from edgetune.generate.any_tools import generate
from edgetune.generate.negatives import unserved_records
from edgetune.generate.trajectories import finish_records, join_records
from edgetune.invent.records import rng_for
from edgetune.invent.requests import chit_chat, invent_request
from edgetune.invent.tools import Invented, invent_set, invent_tool
from edgetune_export.assets import read_toolset
from edgetune_runtime.calls import RESPOND_CALL, Call, Tool, Toolset
from edgetune_runtime.errors import EdgetuneError
from edgetune_runtime.toolsets import make_toolset

REQUESTS = 8
"""Of a lesson, about."""
MOST_TOOLS = 10
UNSERVED_SHARE = 0.1
"""Of the requests, those for tools that are not in the list."""
NEAR_SHARE = 0.4
"""Of the lessons, those with a request that a tool almost serves."""
JOINED_SHARE = 0.25
"""Of the lessons, those with a request for two things, one after the other."""
INVENTED_SHARE = 0.3
"""Of the lessons, those on made-up tools, where there are real ones."""


@dataclass(frozen=True)
class Lesson:
    """A list of tools, and requests with the calls that are right."""

    toolset: Toolset
    examples: tuple[Example, ...]


def lessons(
    count: int, seed: int, tools: Sequence[Tool] = (), *, split: str = "train"
) -> Iterator[Lesson]:
    """`count` lessons, those of `seed`; `tools` are definitions to make requests for, too.

    Neighbours among `tools` are listed together: a file has those of one field side by side. A list
    that yields no requests is left out for another.
    """
    made = index = 0
    while made < count:
        rng = rng_for(seed, index, f"skill {split}")
        index += 1
        try:
            lesson = _lesson(rng, tools, split)
        except EdgetuneError:  # a schema that yields too few requests, or two tools of one name
            continue
        if lesson.examples:
            made += 1
            yield lesson


def _lesson(rng: Random, tools: Sequence[Tool], split: str) -> Lesson:
    size = rng.choice((1, 2, rng.randint(1, 4), rng.randint(3, MOST_TOOLS)))
    if not tools or rng.random() < INVENTED_SHARE:
        toolset, records = _invented(rng, size)
    else:
        toolset, records = _described(rng, tools, size, split)
    seed = rng.getrandbits(32)
    if rng.random() < NEAR_SHARE:
        records += unserved_records(toolset, 1, seed)
    if rng.random() < JOINED_SHARE:
        records = finish_records(join_records(records, 1, split, seed), 0.15, split, seed)
    parsed = [parse_record(0, json.dumps(record)) for record in records]
    fitting = [record for record in parsed if record_problem(record, toolset) is None]
    steps = [step for record in fitting for step in record.steps(toolset)]
    return Lesson(toolset, tuple(steps))


def _invented(rng: Random, size: int) -> tuple[Toolset, list[dict[str, Any]]]:
    made = invent_set(rng, size)
    toolset = read_toolset("tools", [each.tool for each in made])
    records = []
    for _ in range(REQUESTS):
        if rng.random() < UNSERVED_SHARE:
            records.append(as_source(_unserved(rng, made), RESPOND_CALL))
        else:
            request = invent_request(rng, rng.choice(made))
            records.append(as_source(request.text, Call(request.name, request.arguments)))
    return toolset, records


def _unserved(rng: Random, made: Sequence[Invented]) -> str:
    """Talk, or a request for a tool that is none of `made`."""
    if rng.random() < 0.3:
        return chit_chat(rng).text
    names = {each.name for each in made}
    other = next(tool for tool in iter(lambda: invent_tool(rng), None) if tool.name not in names)
    return invent_request(rng, other).text


def _described(
    rng: Random, tools: Sequence[Tool], size: int, split: str
) -> tuple[Toolset, list[dict[str, Any]]]:
    """Neighbours among `tools`, in any order, and requests for them and for one that is far off."""
    first = rng.randrange(len(tools))
    near = [tools[(first + step) % len(tools)] for step in range(size)]
    far = tools[(first + rng.randrange(len(tools) // 4, 3 * len(tools) // 4 + 1)) % len(tools)]
    toolset = make_toolset("tools", rng.sample(near, size), "", where="tools")
    seed = rng.getrandbits(32)
    records = generate(toolset, REQUESTS, seed, split)
    if rng.random() < UNSERVED_SHARE * REQUESTS and far.name not in toolset:
        elsewhere = generate(make_toolset("tools", [far], "", where="tools"), 1, seed, split)
        asked = elsewhere[0]["messages"][0]["content"]
        records[-1] = as_source(asked, RESPOND_CALL)
    return toolset, records
