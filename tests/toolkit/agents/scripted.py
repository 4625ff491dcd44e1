"""A model that does as it is told, and notes that it works on."""

import json

from edgetune.agents.sources import Outcome
from edgetune_runtime.agent import Step
from edgetune_runtime.calls import RESPOND, Tool, Toolset

TEXT = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
NOTES = Toolset(
    "notes",
    "Notes.",
    (
        Tool("read", "Read a note.", TEXT),
        Tool("write", "Write a note.", TEXT),
        Tool("die", "End.", {"type": "object", "properties": {}}),
        Tool("hang", "Hang.", {"type": "object", "properties": {}}),
    ),
)


class Scripted:
    """A model that takes these steps in turn, and then says these words."""

    def __init__(self, *steps, words=("Done", ".")):
        self.steps, self.words, self.shown = list(steps), words, []

    def step(self, turns, toolset, options):
        self.shown.append(tuple(turns))
        return self.steps.pop(0) if self.steps else Step("notes", RESPOND, {}, 0.9, {}, {})

    def reply(self, turns, options):
        self.shown.append(tuple(turns))
        yield from self.words


class Notes:
    """A source that keeps what it was called with; `answers` are texts, or raised."""

    toolset, secrets, every_tool = NOTES, {}, False

    def __init__(self, answers=None, read_only=("read",)):
        self.called, self.answers, self.hints = [], answers or {}, read_only

    def read_only(self, tool):
        return tool in self.hints

    def call(self, tool, arguments, seconds):
        self.called.append((tool, arguments))
        answer = self.answers.get(tool, "ok")
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Outcome) else Outcome(answer)


def call(tool, **arguments):
    """A step that calls `tool`."""
    return Step("notes", tool, arguments, 0.9, {}, {}, text=json.dumps(arguments))
