"""Evaluate a system over several toolsets at once: it has to pick the toolset, too.

What is counted of tools and arguments is `score`'s; here stands what routing adds to it.
"""

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from edgetune.data.routed import RoutedStep
from edgetune.evaluate.evaluate import EvalResult, Stage
from edgetune.evaluate.score import Outcome, score
from edgetune_runtime.agent import Agent
from edgetune_runtime.calls import RESPOND, Call, Toolset
from edgetune_runtime.errors import InputError
from edgetune_runtime.progress import track


@dataclass(frozen=True, kw_only=True)
class RoutedResult(EvalResult):
    """One system over examples of several toolsets."""

    expected_toolsets: tuple[str | None, ...]
    """Of each example; None for `respond`, which every toolset can say."""
    toolsets: tuple[str | None, ...]
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
) -> RoutedResult:
    """Let `agent` pick the toolset, the tool and the arguments for every step, and score it.

    As `evaluate`, with routing before selection; `arguments` is given toolset and tool. A tool
    whose name stands in two toolsets is scored as `<toolset>.<tool>`.

    Raises InputError where there is no example to evaluate, or nothing to route with.
    """
    if all(stage == "arguments" and step.toolset is None for step in steps):
        raise InputError(
            f"data: no example to evaluate at stage '{stage}'; give records with calls of tools."
        )
    names = _Names({name: each.toolset for name, each in agent.assets.toolsets.items()})
    shown: Iterable[RoutedStep] = steps
    if progress:
        shown = track(steps, f"evaluating {agent.system} on {agent.engine.name}")
    answers = [_answer(agent, names, step, stage) for step in shown]
    outcomes = tuple(outcome for outcome, _, _ in answers)
    return RoutedResult(
        system=agent.system,
        engine=agent.engine.name,
        toolset=names.together.name,
        stage=stage,
        examples=tuple(step.example for step in steps),
        outcomes=outcomes,
        costs=tuple(cost for _, _, cost in answers if cost),
        score=score(names.together, outcomes),
        abstain_below=agent.abstain_below,
        lengths=tuple(lengths),
        expected_toolsets=tuple(step.toolset for step in steps),
        toolsets=tuple(toolset for _, toolset, _ in answers),
    )


class _Names:
    """What tools are called where several toolsets are scored as one."""

    def __init__(self, toolsets: Mapping[str, Toolset]) -> None:
        self._counts = Counter(tool.name for each in toolsets.values() for tool in each.tools)
        tools = [
            replace(tool, name=self.of(name, tool.name))
            for name, toolset in toolsets.items()
            for tool in toolset.tools
        ]
        self.together = Toolset(", ".join(toolsets), "", tuple(tools))

    def of(self, toolset: str | None, tool: str) -> str:
        return f"{toolset}.{tool}" if self._counts[tool] > 1 else tool


def _answer(
    agent: Agent, names: _Names, step: RoutedStep, stage: Stage
) -> tuple[Outcome, str | None, Mapping[str, float]]:
    """What the agent gives for one step, the toolset that it picked, and what that took."""
    turns, call = step.example.turns, step.example.call
    expected = Call(names.of(step.toolset, call.tool), call.arguments)
    if stage == "all":
        done = agent.step(turns)
        selected = names.of(done.toolset, done.tool)
        given = done.arguments
        if selected != expected.tool and call.tool != RESPOND:
            given = agent.arguments(turns, step.toolset, call.tool).arguments
        outcome = Outcome(
            expected,
            selected,
            None if call.tool == RESPOND else given,
            done.arguments,
            abstained_from=done.abstained_from,
            truncated=done.truncated,
        )
        return outcome, done.toolset, done.timing
    began = time.perf_counter()
    if stage == "selection":
        route = agent.route(turns)
        selection = agent.select(turns, route.name)
        cost = {
            "ms": 1000 * (time.perf_counter() - began),
            "decode_steps": route.decode_steps + selection.decode_steps,
            "forced_tokens": route.forced_tokens + selection.forced_tokens,
        }
        return Outcome(expected, names.of(route.name, selection.name)), route.name, cost
    if call.tool == RESPOND:
        return Outcome(expected), None, {}
    decoded = agent.arguments(turns, step.toolset, call.tool)
    cost = {
        "ms": 1000 * (time.perf_counter() - began),
        "decode_steps": decoded.decode_steps,
        "forced_tokens": decoded.forced_tokens,
    }
    return Outcome(expected, given=decoded.arguments), None, cost
