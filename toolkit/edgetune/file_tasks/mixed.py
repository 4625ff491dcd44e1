"""An agent whose stages come from different systems: the selector of one, the arguments of another.

So it is measured what each of the two is worth (the paper's swap table). In place of either stage
may stand the expert that made the task.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Literal

from edgetune.agents.guarded import GuardedAgent
from edgetune.file_tasks.tasks import Task
from edgetune_runtime.assets import Assets, ToolsetAssets
from edgetune_runtime.calls import RESPOND, Call
from edgetune_runtime.decode import NOTHING_DECODED, Decoded, Selection
from edgetune_runtime.engine import Engine
from edgetune_runtime.options import DEFAULTS, Options, System
from edgetune_runtime.prompt import Called, Turn

Stage = System | Literal["expert"]
"""Who makes a decision."""


class MixedAgent(GuardedAgent):
    """Selects as `selector` does and writes arguments as `writer` does.

    With `votes`, a tool is the one that so many samples of the selector (at temperature 1) name
    most often, as in the paper, instead of the likeliest.
    """

    def __init__(
        self, assets: Assets, engine: Engine, selector: Stage, writer: Stage, votes: int = 0
    ) -> None:
        super().__init__(assets, engine)
        self._selects, self._writes, self._votes = selector, writer, votes
        self._request, self._plan = "", tuple[Call, ...]()

    def begin(self, task: Task) -> None:
        """A new task."""
        self._request, self._plan = task.request, task.calls

    def select(
        self,
        turns: Sequence[Turn],
        toolset: str | ToolsetAssets | None = None,
        options: Options = DEFAULTS,
        *,
        sure: float = 1.0,
    ) -> Selection:
        """As `Agent.select`, by the selector's system; the expert knows what comes next."""
        made = sum(isinstance(turn, Called) for turn in turns)
        if self._selects == "expert":
            tool = self._plan[made].tool if made < len(self._plan) else RESPOND
            return Selection(self._named(toolset, tool), 1.0, {}, False, 0, 0)
        options = replace(options, system=self._selects, exact=bool(self._votes))
        found = super().select(turns, toolset, options, sure=sure)
        if not self._votes:
            return found
        rng = Random(f"{made} {self._request}")
        names, shares = list(found.probabilities), list(found.probabilities.values())
        drawn = Counter(rng.choices(names, shares, k=self._votes))
        return replace(found, name=drawn.most_common(1)[0][0])

    def arguments(
        self,
        turns: Sequence[Turn],
        toolset: str | ToolsetAssets | None,
        tool: str,
        options: Options = DEFAULTS,
    ) -> Decoded:
        """As `Agent.arguments`, by the writer's system; the expert has those of its next call of
        this tool, and none where it would not call it."""
        if tool == RESPOND:
            return NOTHING_DECODED
        if self._writes != "expert":
            options = replace(options, system=self._writes)
            return super().arguments(turns, toolset, tool, options)
        called = [turn.tool for turn in turns if isinstance(turn, Called)]
        mine = [call for call in self._plan if self._named(toolset, call.tool) == tool]
        made = sum(self._named(toolset, each) == tool for each in called)
        if made >= len(mine):
            return NOTHING_DECODED
        arguments = dict(mine[made].arguments)
        return replace(NOTHING_DECODED, arguments=arguments, text=json.dumps(arguments))

    def _named(self, toolset: str | ToolsetAssets | None, tool: str) -> str:
        """The name that prompts have for a tool."""
        tools = self._toolset(toolset).toolset
        return tools[tool].name if tool in tools else tool
