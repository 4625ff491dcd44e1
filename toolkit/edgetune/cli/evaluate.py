"""`edgetune eval`: accuracy of a bundle, or of a training run, on records that it never saw."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from edgetune.cli.options import (
    AbstainOption,
    JsonOption,
    MaxTokensOption,
    System,
    SystemOption,
    ThreadsOption,
    give,
)
from edgetune_runtime.errors import InputError


class Engine(StrEnum):
    """What runs a bundle (onnx, executorch) or a run (torch)."""

    onnx = "onnx"
    executorch = "executorch"
    qnn = "qnn"
    torch = "torch"


class Format(StrEnum):
    """What the data is."""

    records = "records"
    bfcl = "bfcl"


class Stage(StrEnum):
    """Which of the two stages is measured."""

    all = "all"
    selection = "selection"
    arguments = "arguments"


def evaluate(
    context: typer.Context,
    path: Annotated[
        Path | None,
        typer.Argument(metavar="BUNDLE|RUN", help="A bundle, or a run (evaluated in torch)."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="FILE", help="Records, as JSONL.")
    ] = None,
    format_: Annotated[
        Format,
        typer.Option("--format", help="bfcl: a file of the Berkeley leaderboard, for the base."),
    ] = Format.records,
    abstain_below: AbstainOption = 0.0,
    system: SystemOption = System.decoupled,
    stage: Annotated[Stage, typer.Option(help="Measure both stages or one.")] = Stage.all,
    engine: Annotated[Engine | None, typer.Option(help="What runs it: torch runs a run.")] = None,
    toolset: Annotated[
        str | None,
        typer.Option(help="One of several toolsets; without it, the system has to pick it."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Only the first so many records.")
    ] = None,
    temperature: Annotated[float, typer.Option(min=0.0, help="Sample the arguments.")] = 0.0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the sampling.")] = 0,
    max_tokens: MaxTokensOption = 256,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write an HTML report.")
    ] = None,
    compared: Annotated[
        tuple[Path, Path] | None,
        typer.Option(
            "--compare",
            metavar="A B",
            help="Instead: is B, written by --json, better than A on the same records?",
        ),
    ] = None,
    threads: ThreadsOption = None,
    json_target: JsonOption = None,
) -> None:
    """Measure how often the right tool is called with the right arguments.

    Example: `edgetune eval bundles/phone --data runs/phone_actions/data/test.jsonl`

    Where there are several toolsets and none is named, the records are those of all of them, and
    picking the right one is measured, too.

    With `--json one.json` on one system or engine and `--json other.json` on another,
    `edgetune eval --compare one.json other.json` tests whether they differ.

    `edgetune eval bundles/phone --format bfcl --data BFCL_v4_multiple.json` lets the base call
    tools that it never saw, and scores by the leaderboard's own rules.
    """
    if compared is not None:
        besides = _given_besides(context, "compared", "threads", "json_target")
        if besides:
            raise InputError(
                f"--compare and {besides[0]}: found both; --compare takes "
                "two results and evaluates nothing, so give it alone."
            )
        _compare(*compared, json_target)
        return
    if path is None or data is None:
        raise InputError(
            f"{'BUNDLE|RUN' if path is None else '--data'}: found none; give what is to be "
            "evaluated and the records, or two results to --compare."
        )
    from rich.console import Console

    from edgetune.data.records import read_records
    from edgetune.data.routed import read_routed
    from edgetune.evaluate.evaluate import EvalResult
    from edgetune.evaluate.evaluate import evaluate as measure
    from edgetune.evaluate.report import write_report
    from edgetune.evaluate.routed import evaluate_routed
    from edgetune.evaluate.system import open_system
    from edgetune.evaluate.table import bfcl_view, result_view

    if abstain_below and stage is Stage.arguments:
        raise InputError(
            "--abstain-below contradicts --stage arguments, which selects nothing; leave one out."
        )
    if format_ is Format.bfcl:
        others = (report is not None, stage is not Stage.all, system is System.monolithic)
        if any(others) or toolset is not None or temperature:
            raise InputError(
                "--format bfcl: lets the bare base answer each case over its own tools, greedily, "
                "in both stages, without a report; leave --system, --stage, --report, --toolset "
                "and --temperature out."
            )
        from edgetune.evaluate.bfcl import evaluate_bfcl, read_cases
        from edgetune_export.weights.checkpoint import read_tokenizer

        cases = read_cases(data)[:limit]
        agent = open_system(path, engine, "base", threads=threads, max_tokens=max_tokens)
        own = path if (path / "manifest.json").is_file() else path / "base"
        found = evaluate_bfcl(agent, read_tokenizer(own), cases, abstain_below)
        give(found, json_target, lambda: Console().print(bfcl_view(found)))
        return
    agent = open_system(
        path,
        engine,
        system.value,
        threads=threads,
        max_tokens=max_tokens,
        temperature=temperature,
        seed=seed,
        abstain_below=abstain_below,
    )
    result: EvalResult
    if toolset is None and len(agent.assets.toolsets) > 1:
        every = {name: each.toolset for name, each in agent.assets.toolsets.items()}
        routes = read_routed(data, every)[:limit]
        lengths = [len(record) for record in routes]
        routed = [step for record in routes for step in record]
        result = evaluate_routed(agent, routed, stage.value, lengths=lengths)
    else:
        tools = agent.toolset(toolset)
        steps = [record.steps(tools) for record in read_records(data, tools)[:limit]]
        examples = [step for record in steps for step in record]
        lengths = [len(record) for record in steps]
        result = measure(agent, tools.name, examples, stage.value, lengths=lengths)
    if report is not None:
        write_report(report, [result])
    give(result.as_json(), json_target, lambda: Console().print(result_view(result)))


def _given_besides(context: typer.Context, *names: str) -> list[str]:
    """What stands on the command line, but for the parameters called `names`."""
    given = []
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if source and source.name == "COMMANDLINE" and parameter.name not in names:
            is_option = parameter.param_type_name == "option"
            given.append(parameter.opts[0] if is_option else "BUNDLE|RUN")
    return given


def _compare(first: Path, second: Path, json_target: str | None) -> None:
    from rich.console import Console

    from edgetune.evaluate.compare import compare, read_result
    from edgetune.evaluate.table import comparison_view

    results = read_result(first), read_result(second)
    found = compare(*results)
    names = [f"{result.system} on {result.engine}" for result in results]
    give(found.as_json(), json_target, lambda: Console().print(comparison_view(found, *names)))
