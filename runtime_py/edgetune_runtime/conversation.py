"""A conversation driven to its end: steps, the calls that a callback executes, a reply in words.

The turns are a value that grows; whoever calls keeps it. Nothing here knows where tools live: a
function on this phone, a server, a script.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from edgetune_runtime.agent import Agent, Step
from edgetune_runtime.assets import ToolsetAssets
from edgetune_runtime.calls import RESPOND
from edgetune_runtime.options import DEFAULTS, Options
from edgetune_runtime.prompt import Assistant, Called, Result, Turn

MAX_STEPS = 8
"""How many calls an answer may take, unless more is asked for."""

Execute = Callable[[Step], str]
"""Executes the call of a step and gives what the tool answered, as text."""


@dataclass(frozen=True)
class Words:
    """A piece of the reply, as it appears."""

    text: str


@dataclass(frozen=True)
class Finished:
    """Nothing more is coming."""

    turns: tuple[Turn, ...]
    """The whole conversation, to go on from with the user's next words."""
    because: Literal["replied", "too many steps"]


Event = Step | Result | Words | Finished


def turn_after(step: Step) -> Called | Assistant:
    """The turn that a step adds to the conversation: its call, or words still to be said."""
    return Assistant() if step.tool == RESPOND else Called(step.tool, step.text)


def converse(
    agent: Agent,
    turns: Sequence[Turn],
    execute: Execute,
    options: Options = DEFAULTS,
    *,
    toolset: str | ToolsetAssets | None = None,
    max_steps: int = MAX_STEPS,
    words: bool = True,
) -> Iterator[Event]:
    """What happens after `turns`, event by event: each step, each result, the reply, the end.

    A step that calls a tool is followed by what `execute` gave for it (whatever that raises ends
    the conversation); `respond` by the reply of the bare base, an empty one without `words`. After
    `max_steps` calls it ends without a reply. Leaving the iterator early is safe: nothing is
    executed that was not asked for. Raises InputError as `Agent.step` does.
    """
    said = list(turns)
    for _ in range(max_steps):
        step = agent.step(said, toolset, options)
        yield step
        if step.tool == RESPOND:
            reply = ""
            for piece in agent.reply(said, options) if words else ():
                reply += piece
                yield Words(piece)
            yield Finished((*said, Assistant(reply)), "replied")
            return
        result = Result(execute(step))
        said += [turn_after(step), result]
        yield result
    yield Finished(tuple(said), "too many steps")
