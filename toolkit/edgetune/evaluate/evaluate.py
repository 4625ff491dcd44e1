"""Run one system over examples and keep what it called, how long it took, and the score.

The system is an agent over any engine. This module knows neither files nor training: `system` opens
what is to be evaluated, `score` counts, `table` and `report` show.
"""

import hashlib
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Literal

from edgetune.data.records import Example
from edgetune.evaluate.reliability import Reliability, reliability
from edgetune.evaluate.score import Outcome, Score, score
from edgetune.evaluate.trajectories import trajectories_json
from edgetune_runtime.agent import Agent, Step
from edgetune_runtime.calls import RESPOND, Toolset
from edgetune_runtime.decode import Decoded, Selection
from edgetune_runtime.errors import InputError
from edgetune_runtime.progress import track
from edgetune_runtime.prompt import Turn, User

Stage = Literal["all", "selection", "arguments"]


@dataclass(frozen=True)
class EvalResult:
    """One system over one set of examples."""

    system: str
    engine: str
    toolset: str
    stage: Stage
    examples: tuple[Example, ...]
    outcomes: tuple[Outcome, ...]
    """One for each of `examples`."""
    costs: tuple[Mapping[str, float], ...]
    """What each call took: `ms` and counts, named as in `Step.timing`; none for a `respond` whose
    selection was not run."""
    score: Score
    abstain_below: float = 0.0
    """Tools less probable than this were not called."""
    lengths: tuple[int, ...] = ()
    """How many of `examples` each record gave; empty where they are not known as steps."""

    @property
    def trajectories(self) -> dict[str, Any]:
        """`trajectory_exact_match` and `trajectories_n` where some record has several steps."""
        return trajectories_json(self.lengths, self.outcomes)

    @property
    def timing(self) -> dict[str, float]:
        """The median over the calls of each cost: `ms`, `decode_steps`, `prefill_tokens`…"""
        return {key: round(median(cost[key] for cost in self.costs), 3) for key in self.costs[0]}

    @property
    def reliability(self) -> Reliability | None:
        """How far the selection's probabilities can be believed; None where it was not run."""
        pairs = [
            (outcome.probability, (outcome.abstained_from or outcome.selected) == expected)
            for outcome in self.outcomes
            for expected in [outcome.expected.tool]
            if outcome.probability is not None
        ]
        return reliability(pairs) if pairs else None

    @property
    def wrong(self) -> list[int]:
        """The index of each example of which something that was measured is not right."""
        return [index for index, outcome in enumerate(self.outcomes) if outcome.wrong]

    def as_json(self) -> dict[str, Any]:
        """The fields of design section 9, and what helps to understand them."""
        believed = self.reliability
        return {
            **self.score.as_json(),
            **self.trajectories,
            "system": self.system,
            "engine": self.engine,
            "toolset": self.toolset,
            "stage": self.stage,
            "abstain_below": self.abstain_below,
            "reliability": None if believed is None else believed.as_json(),
            "timing": self.timing,
            "examples_sha256": self._examples_sha256(),
            "wrong": [self._wrong_as_json(index) for index in self.wrong],
        }

    def _wrong_as_json(self, index: int) -> dict[str, Any]:
        outcome = self.outcomes[index]
        return {
            "index": index,
            "figures": list(outcome.wrong),
            "request": request_text(self.examples[index].turns),
            "expected": call_json(outcome.expected.tool, outcome.expected.arguments),
            "selected": outcome.selected,
            "probability": outcome.probability,
            "abstained_from": outcome.abstained_from,
            "arguments": None if outcome.given is None else dict(outcome.given),
            "called": None if outcome.called is None else dict(outcome.called),
        }

    def _examples_sha256(self) -> str:
        """Tells whether two results are of the same examples."""
        digest = hashlib.sha256()
        for example in self.examples:
            expected = call_json(example.call.tool, example.call.arguments)
            told = [request_text(example.turns), expected]
            digest.update(json.dumps(told, sort_keys=True).encode())
        return digest.hexdigest()


def evaluate(
    agent: Agent,
    toolset_name: str,
    examples: Sequence[Example],
    stage: Stage = "all",
    progress: bool = True,
    lengths: Sequence[int] = (),
) -> EvalResult:
    """Let `agent` answer every example of the toolset and score it.

    `selection` runs the selector alone, `arguments` the arguments of the expected tool alone; `all`
    runs both and scores calls end to end: where the selected tool is the expected one, the same
    arguments serve for both figures and are decoded once. `progress` shows a bar on standard error.
    `lengths` says how many of the examples each record gave, so that whole records are scored too.

    Raises InputError where there is no example, the agent has no such toolset, or an example
    expects a tool that the toolset does not have.
    """
    toolset = _toolset(agent, toolset_name)
    _check(examples, toolset, stage)
    shown: Iterable[Example] = examples
    if progress:
        shown = track(examples, f"evaluating {agent.system} on {agent.engine.name}")
    answers = [_answer(agent, toolset, example, stage) for example in shown]
    outcomes = tuple(outcome for outcome, _ in answers)
    return EvalResult(
        system=agent.system,
        engine=agent.engine.name,
        toolset=toolset_name,
        stage=stage,
        examples=tuple(examples),
        outcomes=outcomes,
        costs=tuple(cost for _, cost in answers if cost),
        score=score(toolset, outcomes),
        abstain_below=agent.abstain_below,
        lengths=tuple(lengths),
    )


def request_text(turns: Sequence[Turn]) -> str:
    """What the user said last."""
    return next((turn.text for turn in reversed(turns) if isinstance(turn, User)), "")


def call_json(tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """A call as one JSON object."""
    return {"tool": tool, "arguments": dict(arguments)}


def _toolset(agent: Agent, name: str) -> Toolset:
    try:
        return agent.assets.toolsets[name].toolset
    except KeyError:
        known = ", ".join(agent.assets.toolsets)
        raise InputError(f"toolset: found '{name}', expected one of: {known}.") from None


def _check(examples: Sequence[Example], toolset: Toolset, stage: Stage) -> None:
    if all(stage == "arguments" and example.call.tool == RESPOND for example in examples):
        raise InputError(
            f"data: no example to evaluate at stage '{stage}'; give records with calls of tools."
        )
    for example in examples:
        if example.call.tool not in toolset.names:
            raise InputError(
                f"data: an example calls '{example.call.tool}', which toolset '{toolset.name}' does"
                f" not have (it has {', '.join(toolset.names)}); give data for this toolset."
            )


def _answer(
    agent: Agent, toolset: Toolset, example: Example, stage: Stage
) -> tuple[Outcome, Mapping[str, float]]:
    """What the agent gives for one example, and what that took."""
    name, turns, expected = toolset.name, example.turns, example.call.tool
    if stage == "all":
        step = agent.step(turns, name)
        given: Step | Decoded = step
        if step.tool != expected and expected != RESPOND:
            given = agent.arguments(turns, name, expected)
        return (
            Outcome(
                expected=example.call,
                selected=step.tool,
                given=None if expected == RESPOND else given.arguments,
                called=step.arguments,
                probability=step.probability,
                abstained_from=step.abstained_from,
                truncated=given.truncated,
            ),
            step.timing,
        )
    began = time.perf_counter()
    if stage == "selection":
        selection = agent.select(turns, name)
        outcome = Outcome(
            example.call,
            selected=selection.name,
            probability=selection.probability,
            abstained_from=selection.abstained_from,
        )
        return outcome, _cost(began, selection)
    if expected == RESPOND:
        return Outcome(example.call), {}
    decoded = agent.arguments(turns, name, expected)
    outcome = Outcome(example.call, given=decoded.arguments, truncated=decoded.truncated)
    return outcome, _cost(began, decoded)


def _cost(began: float, done: Selection | Decoded) -> dict[str, float]:
    return {
        "ms": 1000 * (time.perf_counter() - began),
        "decode_steps": done.decode_steps,
        "forced_tokens": done.forced_tokens,
    }
