"""`edgetune eval`: accuracy of a bundle, or of a training run, on records that it never saw."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgetune.cli.options import (
    SYSTEMS_HELP,
    AbstainOption,
    ContextOption,
    EvaluatedArgument,
    EvaluationEngineOption,
    ForceOption,
    JsonOption,
    LimitOption,
    MaxTokensOption,
    ResidentOption,
    System,
    ThreadsOption,
    file_option,
    give,
    stdout,
)
from edgetune_runtime.errors import InputError

if TYPE_CHECKING:
    from edgetune.evaluate.evaluate import EvalResult
    from edgetune_runtime.agent import Agent
    from edgetune_runtime.options import Options


class Stage(StrEnum):
    """Which of the two stages is measured."""

    all = "all"
    selection = "selection"
    arguments = "arguments"


def _is_report(path: Path) -> bool:
    from edgetune.evaluate.report import is_report

    return is_report(path)


def evaluate(
    path: EvaluatedArgument,
    data: Annotated[Path, typer.Option("--data", metavar="FILE", help="Records, as JSONL.")],
    abstain_below: AbstainOption = 0.0,
    system: Annotated[
        System | None,
        typer.Option(help=f"{SYSTEMS_HELP} [default: decoupled, or base with --open]"),
    ] = None,
    stage: Annotated[Stage, typer.Option(help="Measure both stages or one.")] = Stage.all,
    engine: EvaluationEngineOption = None,
    own_tools: Annotated[
        bool, typer.Option("--open", help="Each record brings its own tools, trained by nobody.")
    ] = False,
    toolset: Annotated[
        str | None,
        typer.Option(help="One of several toolsets; without it, the system has to pick it."),
    ] = None,
    limit: LimitOption = None,
    temperature: Annotated[float, typer.Option(min=0.0, help="Sample the arguments.")] = 0.0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the sampling.")] = 0,
    max_tokens: MaxTokensOption = 256,
    report: Annotated[
        Path | None, file_option(_is_report, "--report", help="Also write an HTML report.")
    ] = None,
    threads: ThreadsOption = None,
    context: ContextOption = None,
    max_resident: ResidentOption = None,
    json_target: JsonOption = None,
    force: ForceOption = False,
) -> None:
    """Measure how often the right tool is called with the right arguments.

    Example: `edgetune eval bundles/phone --data runs/phone_actions/data/test.jsonl`

    Example: `edgetune eval bundles/phone --open --data unseen.jsonl`

    With `--open` every record is answered over the tools under its own key `tools`.

    Where there are several toolsets and none is named, the records are those of all of them, and
    picking the right one is measured, too.

    With `--json one.json` on one system or engine and `--json other.json` on another,
    `edgetune compare one.json other.json` tests whether they differ.
    """
    if abstain_below and stage is Stage.arguments:
        raise InputError(
            "--abstain-below contradicts --stage arguments, which selects nothing; leave one out."
        )
    if own_tools:
        _check_open(system, toolset)
    from edgetune.evaluate.report import write_report
    from edgetune.evaluate.system import open_system
    from edgetune.evaluate.table import result_view
    from edgetune_runtime.options import Options

    options = Options(
        system=(system or (System.base if own_tools else System.decoupled)).value,
        max_tokens=max_tokens,
        temperature=temperature,
        seed=seed,
        abstain_below=abstain_below,
    )
    agent = open_system(
        path, engine, threads=threads, context_length=context, max_resident=max_resident
    )
    result = (
        _on_own_tools(agent, path, data, limit, stage, options)
        if own_tools
        else _on_trained_tools(agent, toolset, data, limit, stage, options)
    )
    if report is not None:
        write_report(report, [result])
    give(result.as_json(), json_target, lambda: stdout.print(result_view(result)))


def _check_open(system: System | None, toolset: str | None) -> None:
    """Raise InputError for an option that contradicts `--open`."""
    from edgetune.evaluate.open import OPEN_SYSTEMS

    if toolset is not None:
        raise InputError(
            f"--toolset {toolset} contradicts --open, where each record brings its own tools; "
            "leave one out."
        )
    if system is not None and system.value not in OPEN_SYSTEMS:
        raise InputError(
            f"--system {system.value} contradicts --open, since its adapters know only the tools "
            f"that they were trained for; give --system {' or '.join(OPEN_SYSTEMS)}."
        )


def _on_own_tools(
    agent: "Agent", path: Path, data: Path, limit: int | None, stage: Stage, options: "Options"
) -> "EvalResult":
    """Every record over the tools that it brings."""
    from edgetune.data.own_tools import read_open
    from edgetune.evaluate.open import evaluate_open
    from edgetune.evaluate.open_tools import OpenTools

    records = read_open(data, limit)
    steps = [step for record in records for step in record]
    lengths = [len(record) for record in records]
    tools = OpenTools(path, agent)
    return evaluate_open(agent, tools, steps, stage.value, lengths=lengths, options=options)


def _on_trained_tools(
    agent: "Agent",
    toolset: str | None,
    data: Path,
    limit: int | None,
    stage: Stage,
    options: "Options",
) -> "EvalResult":
    """Every record over the toolset of this name; over all of them where none is named."""
    from edgetune.data.records import read_records
    from edgetune.data.routed import read_routed
    from edgetune.evaluate.evaluate import evaluate as measure
    from edgetune.evaluate.routed import evaluate_routed

    if toolset is None and len(agent.assets.toolsets) > 1:
        every = {name: each.toolset for name, each in agent.assets.toolsets.items()}
        routes = read_routed(data, every)[:limit]
        lengths = [len(record) for record in routes]
        routed = [step for record in routes for step in record]
        return evaluate_routed(agent, routed, stage.value, lengths=lengths, options=options)
    tools = agent.toolset(toolset)
    steps = [record.steps(tools) for record in read_records(data, tools)[:limit]]
    examples = [step for record in steps for step in record]
    lengths = [len(record) for record in steps]
    return measure(agent, tools.name, examples, stage.value, lengths=lengths, options=options)
