"""Evaluate a system on tools that nobody trained: every record brings its own.

What is counted is `score`'s; which tools a step has, `data.own_tools` read.
"""

from collections.abc import Sequence

from edgetune.data.own_tools import OPEN, OpenStep
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
from edgetune.evaluate.open_tools import OpenTools
from edgetune.evaluate.score import score_open
from edgetune_runtime.agent import Agent
from edgetune_runtime.options import Options

OPEN_SYSTEMS = ("base", "skill")
"""The systems that call tools which nobody trained."""


def evaluate_open(
    agent: Agent,
    tools: OpenTools,
    steps: Sequence[OpenStep],
    stage: Stage = "all",
    progress: bool = True,
    *,
    lengths: Sequence[int] = (),
    options: Options,
) -> EvalResult:
    """Let `agent`, which `tools` belongs to, answer every step over its record's own tools.

    As `evaluate`, but no figure is told tool by tool: a tool may stand in one record alone, and
    two records may have different ones of one name. `options.system` is one of `OPEN_SYSTEMS`. A
    record with a tool to call that has no grammar is left out, too.

    Raises InputError where there is no step to evaluate or none fits, and where the system has not
    what it needs.
    """
    check_stage([step.example for step in steps], stage)

    def answer_one(step: OpenStep, each: Options) -> Answer:
        served = tools.serve(step.toolset)

        def named(_toolset: str | None, tool: str) -> str:
            return step.toolset.public_name(tool)

        return answer(agent, step.example, stage, each, toolset=served, owner=served, named=named)

    found = ask(
        steps,
        lengths,
        options,
        answer_one,
        request=lambda step: request_text(step.example.turns),
        title=title(agent, options) if progress else None,
    )
    outcomes = tuple(each.outcome for each in found.given)
    return EvalResult(
        system=options.system,
        engine=agent.engine.name,
        toolset=OPEN,
        stage=stage,
        examples=tuple(step.example for step in found.steps),
        outcomes=outcomes,
        costs=tuple(each.cost for each in found.given if each.cost),
        score=score_open([step.toolset.public for step in found.steps], outcomes),
        abstain_below=options.abstain_below,
        lengths=found.lengths,
        left_out=found.left_out,
    )
