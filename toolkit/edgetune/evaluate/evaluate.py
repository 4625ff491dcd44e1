"""Run one system over examples and keep what it called, how long it took, and the score.

The system is an agent over any engine. This module knows neither files nor training: `system` opens
what is to be evaluated, `score` counts, `table` and `report` show.
"""

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Literal

from edgetune.data.records import Example
from edgetune.evaluate.asking import LeftOut, ask
from edgetune.evaluate.reliability import Reliability, reliability
from edgetune.evaluate.score import Outcome, Score, score
from edgetune.evaluate.trajectories import trajectories_json
from edgetune_runtime.agent import Agent, Step
from edgetune_runtime.assets import ToolsetAssets
from edgetune_runtime.calls import RESPOND, Call, Toolset
from edgetune_runtime.decode import Decoded, Selection
from edgetune_runtime.errors import InputError
from edgetune_runtime.options import DEFAULTS, Options
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
    left_out: tuple[LeftOut, ...] = ()
    """Records that could not be asked: none of their steps is among `examples`."""

    @property
    def trajectories(self) -> dict[str, Any]:
        """`trajectory_exact_match` and `trajectories_n` where some record has several steps."""
        return trajectories_json(self.lengths, self.outcomes)

    @property
    def left_out_by_kind(self) -> dict[str, list[LeftOut]]:
        """The records that could not be asked, by the reason in few words."""
        kinds: dict[str, list[LeftOut]] = {}
        for each in self.left_out:
            kinds.setdefault(each.kind, []).append(each)
        return kinds

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
            "left_out": [each.as_json() for each in self.left_out],
            "examples_sha256": self._examples_sha256(),
            "examples": [self._example_as_json(index) for index in range(len(self.examples))],
        }

    def _example_as_json(self, index: int) -> dict[str, Any]:
        """What was asked and what came back; `wrong` lists the figures that it counts against."""
        outcome = self.outcomes[index]
        return {
            "wrong": list(outcome.wrong),
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


@dataclass(frozen=True)
class Answer:
    """What an agent gave for one example."""

    outcome: Outcome
    cost: Mapping[str, float]
    """What it took: `ms` and counts, named as in `Step.timing`; empty where nothing was run."""
    toolset: str | None
    """The toolset that it selected from; None where nothing was selected."""


def evaluate(
    agent: Agent,
    toolset_name: str,
    examples: Sequence[Example],
    stage: Stage = "all",
    progress: bool = True,
    lengths: Sequence[int] = (),
    options: Options = DEFAULTS,
) -> EvalResult:
    """Let `agent` answer every example of the toolset and score it.

    `selection` runs the selector alone, `arguments` the arguments of the expected tool alone; `all`
    runs both and scores calls end to end: where the selected tool is the expected one, the same
    arguments serve for both figures and are decoded once. `progress` shows a bar on standard error.
    `lengths` says how many of the examples each record gave, so that whole records are scored too.
    A record that does not fit the context is left out, and named in the result.

    Raises InputError where there is no example or none fits, the agent has no such toolset, or an
    example expects a tool that the toolset does not have.
    """
    toolset = _toolset(agent, toolset_name)
    check_stage(examples, stage)
    _check(examples, toolset)

    def named(_toolset: str | None, tool: str) -> str:
        return toolset.public_name(tool)

    def answer_one(example: Example, each: Options) -> Answer:
        own = toolset_name
        return answer(agent, example, stage, each, toolset=own, owner=own, named=named)

    found = ask(
        examples,
        lengths,
        options,
        answer_one,
        request=lambda example: request_text(example.turns),
        title=title(agent, options) if progress else None,
    )
    outcomes = tuple(each.outcome for each in found.given)
    return EvalResult(
        system=options.system,
        engine=agent.engine.name,
        toolset=toolset_name,
        stage=stage,
        examples=found.steps,
        outcomes=outcomes,
        costs=tuple(each.cost for each in found.given if each.cost),
        score=score(toolset.public, outcomes),
        abstain_below=options.abstain_below,
        lengths=found.lengths,
        left_out=found.left_out,
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


def check_stage(examples: Sequence[Example], stage: Stage) -> None:
    """Raise InputError where no example has what the stage measures."""
    if all(stage == "arguments" and example.call.tool == RESPOND for example in examples):
        raise InputError(
            f"data: no example to evaluate at stage '{stage}'; give records with calls of tools."
        )


def _check(examples: Sequence[Example], toolset: Toolset) -> None:
    for example in examples:
        if example.call.tool not in toolset.names:
            raise InputError(
                f"data: an example calls '{example.call.tool}', which toolset '{toolset.name}' does"
                f" not have (it has {', '.join(toolset.names)}); give data for this toolset."
            )


def answer(
    agent: Agent,
    example: Example,
    stage: Stage,
    options: Options,
    *,
    toolset: str | ToolsetAssets | None,
    owner: str | ToolsetAssets | None,
    named: Callable[[str | None, str], str],
) -> Answer:
    """What the agent gives for one example.

    `toolset` is the one that it selects from; with None it picks one. `owner` is the toolset that
    the expected tool is of. `named` says what the tool of a toolset, told by its name, is called in
    the outcome.
    """
    turns, call = example.turns, example.call
    expected = Call(named(_name(owner), call.tool), call.arguments)
    if stage == "all":
        step = agent.step(turns, toolset, options)
        selected = named(step.toolset, step.tool)
        given: Step | Decoded = step
        if selected != expected.tool and call.tool != RESPOND:
            given = agent.arguments(turns, owner, call.tool, options)
        outcome = Outcome(
            expected,
            selected,
            given=None if call.tool == RESPOND else given.arguments,
            called=step.arguments,
            probability=step.probability,
            abstained_from=step.abstained_from and named(step.toolset, step.abstained_from),
            truncated=given.truncated,
        )
        return Answer(outcome, step.timing, step.toolset)
    began = time.perf_counter()
    if stage == "selection":
        routes = [agent.route(turns, options)] if toolset is None else []
        served = routes[0].name if routes else toolset
        sure = routes[0].probability if routes else 1.0
        selection = agent.select(turns, served, options, sure=sure)
        picked = _name(served)
        outcome = Outcome(
            expected,
            named(picked, selection.name),
            probability=selection.probability,
            abstained_from=selection.abstained_from and named(picked, selection.abstained_from),
        )
        return Answer(outcome, _cost(began, *routes, selection), picked)
    if call.tool == RESPOND:
        return Answer(Outcome(expected), {}, None)
    decoded = agent.arguments(turns, owner, call.tool, options)
    outcome = Outcome(expected, given=decoded.arguments, truncated=decoded.truncated)
    return Answer(outcome, _cost(began, decoded), None)


def _name(toolset: str | ToolsetAssets | None) -> str | None:
    return toolset.toolset.name if isinstance(toolset, ToolsetAssets) else toolset


def title(agent: Agent, options: Options) -> str:
    """What the bar of an evaluation says."""
    return f"evaluating {options.system} on {agent.engine.name}"


def _cost(began: float, *done: Selection | Decoded) -> dict[str, float]:
    return {
        "ms": 1000 * (time.perf_counter() - began),
        "decode_steps": sum(each.decode_steps for each in done),
        "forced_tokens": sum(each.forced_tokens for each in done),
    }
