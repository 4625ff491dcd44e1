"""Evaluate a system over several toolsets at once: it has to pick the toolset, too.

What is counted of tools and arguments is `score`'s; here stands what routing adds to it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from edgetune.data.routed import RoutedStep
from edgetune.evaluate.asking import ask
from edgetune.evaluate.evaluate import (
    Answer,
    EvalResult,
    Stage,
    answer,
    check_stage,
    request_text,
    title,
)
from edgetune.evaluate.score import score
from edgetune_runtime.agent import Agent
from edgetune_runtime.calls import Toolset
from edgetune_runtime.options import DEFAULTS, Options


@dataclass(frozen=True)
class RoutedResult(EvalResult):
    """One system over examples of several toolsets."""

    expected_toolsets: tuple[str | None, ...] = ()
    """Of each example; None for `respond`, which every toolset can say."""
    toolsets: tuple[str | None, ...] = ()
    """What was picked for each example; None where it was not run."""

    @property
    def routing_accuracy(self) -> float | None:
        """How often the right toolset was picked, over the examples that call a tool."""
        right = [expected == picked for expected, picked in self._judged()]
        return sum(right) / len(right) if right else None

    def as_json(self) -> dict[str, Any]:
        """The fields of an evaluation, with the accuracy of routing and its confusions."""
        confusion: dict[str, Counter[str]] = {}
        for expected, picked in self._judged():
            confusion.setdefault(expected, Counter())[picked] += 1
        return {
            **super().as_json(),
            "routing_accuracy": self.routing_accuracy,
            "routing_confusion": {name: dict(row.most_common()) for name, row in confusion.items()},
        }

    def _judged(self) -> list[tuple[str, str]]:
        pairs = zip(self.expected_toolsets, self.toolsets, strict=True)
        return [(expected, picked) for expected, picked in pairs if expected and picked]


def evaluate_routed(
    agent: Agent,
    steps: Sequence[RoutedStep],
    stage: Stage = "all",
    progress: bool = True,
    *,
    lengths: Sequence[int] = (),
    options: Options = DEFAULTS,
) -> RoutedResult:
    """Let `agent` pick the toolset, the tool and the arguments for every step, and score it.

    As `evaluate`, with routing before selection; `arguments` is given toolset and tool. A tool
    whose name stands in two toolsets is scored as `<toolset>.<tool>`.

    Raises InputError where there is no example to evaluate, or nothing to route with.
    """
    check_stage([step.example for step in steps], stage)
    names = _Names({name: each.toolset for name, each in agent.assets.toolsets.items()})

    def answer_one(step: RoutedStep, each: Options) -> Answer:
        owner = step.toolset
        return answer(agent, step.example, stage, each, toolset=None, owner=owner, named=names.of)

    found = ask(
        steps,
        lengths,
        options,
        answer_one,
        request=lambda step: request_text(step.example.turns),
        title=title(agent, options) if progress else None,
    )
    outcomes = tuple(each.outcome for each in found.given)
    return RoutedResult(
        system=options.system,
        engine=agent.engine.name,
        toolset=names.together.name,
        stage=stage,
        examples=tuple(step.example for step in found.steps),
        outcomes=outcomes,
        costs=tuple(each.cost for each in found.given if each.cost),
        score=score(names.together, outcomes),
        abstain_below=options.abstain_below,
        lengths=found.lengths,
        left_out=found.left_out,
        expected_toolsets=tuple(step.toolset for step in found.steps),
        toolsets=tuple(each.toolset for each in found.given),
    )


class _Names:
    """What tools are called where several toolsets are scored as one."""

    def __init__(self, toolsets: Mapping[str, Toolset]) -> None:
        self._toolsets = toolsets
        every = [tool for each in toolsets.values() for tool in each.tools]
        self._counts = Counter(tool.public_name for tool in every)
        tools = [
            replace(tool, name=self.of(name, tool.name))
            for name, toolset in toolsets.items()
            for tool in toolset.tools
        ]
        self.together = Toolset(", ".join(toolsets), "", tuple(tools))

    def of(self, toolset: str | None, tool: str) -> str:
        """What `tool` of `toolset` is called."""
        name = self._toolsets[toolset].public_name(tool) if toolset else tool
        return f"{toolset}.{name}" if self._counts[name] > 1 else name
