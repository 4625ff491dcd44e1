"""`edgetune bfcl`: the Berkeley Function-Calling Leaderboard's own cases, whose tools nobody
trained."""

from pathlib import Path
from typing import Annotated

import typer

from edgetune.cli.options import (
    AbstainOption,
    ContextOption,
    EvaluatedArgument,
    EvaluationEngineOption,
    ForceOption,
    JsonOption,
    LimitOption,
    MaxTokensOption,
    OpenSystemOption,
    ThreadsOption,
    give,
    stdout,
)


def bfcl(
    path: EvaluatedArgument,
    data: Annotated[
        Path,
        typer.Option(
            "--data",
            metavar="FILE",
            help="A file of the leaderboard's, its answers in `possible_answer/` beside it.",
        ),
    ],
    system: OpenSystemOption = "base",
    engine: EvaluationEngineOption = None,
    abstain_below: AbstainOption = 0.0,
    limit: LimitOption = None,
    max_tokens: MaxTokensOption = 256,
    threads: ThreadsOption = None,
    context: ContextOption = None,
    json_target: JsonOption = None,
    force: ForceOption = False,
) -> None:
    """Let the base call tools that it never saw, and score by the leaderboard's own rules.

    Example: `edgetune bfcl bundles/phone --data BFCL_v4_multiple.json`

    Each case brings its own tools, so no adapter of a toolset takes part. Categories in which one
    call, or none, answers a question can be measured: simple, multiple, irrelevance.
    """
    from edgetune.evaluate.bfcl import evaluate_bfcl, read_cases
    from edgetune.evaluate.open_tools import OpenTools
    from edgetune.evaluate.system import open_system
    from edgetune.evaluate.table import bfcl_view
    from edgetune_runtime.options import Options

    cases = read_cases(data)[:limit]
    agent = open_system(path, engine, threads=threads, context_length=context)
    options = Options(system=system, max_tokens=max_tokens, abstain_below=abstain_below)
    found = evaluate_bfcl(agent, OpenTools(path, agent), cases, options)
    give(found, json_target, lambda: stdout.print(bfcl_view(found)))
