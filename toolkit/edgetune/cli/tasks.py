"""`edgetune tasks`: tasks on a file system, to train on and to be judged by."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from edgetune.cli.agent_options import MaxStepsOption
from edgetune.cli.options import (
    BundleArgument,
    EngineOption,
    ForceOption,
    JsonOption,
    ThreadsOption,
    give,
    name_option,
    stdout,
)
from edgetune.file_tasks import SERVER

app = typer.Typer(
    no_args_is_help=True,
    help="Tasks on a real file system server: an expert's records, an agent's score.",
)
CommandOption = Annotated[
    str,
    typer.Option(
        "--mcp", metavar="COMMAND", help="What serves the directory that is put behind it."
    ),
]
_STAGES = ("decoupled", "monolithic", "skill", "base", "expert")


@app.command("make")
def make(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Where the records go.")
    ],
    train: Annotated[int, typer.Option(min=1, help="Tasks to train on.")] = 500,
    dev: Annotated[int, typer.Option(min=0, help="Tasks to look at while training.")] = 30,
    seed: Annotated[int, typer.Option(min=0, help="Of the tasks.")] = 0,
    mcp: CommandOption = SERVER,
    json_target: JsonOption = None,
    force: ForceOption = False,
) -> None:
    """Write how a scripted expert solves made-up tasks, each call executed by the server.

    Example: `edgetune tasks make -o runs/files-data`, then `edgetune train
    configs/smollm2-135m/file_tasks.yaml --output runs/files`

    Needs `edgetune[mcp]`, and Node.js for the usual server.
    """
    from edgetune.file_tasks.expert import write_records

    counts = {"train": train, "dev": dev} if dev else {"train": train}
    tools = write_records(output, counts, seed, mcp, force=force)
    result = {"output": str(output), "tools": tools, "records": counts}
    told = ", ".join(f"{count} to {part}" for part, count in counts.items())
    give(result, json_target, lambda: stdout.print(f"{output}: {told}, {tools} tools"))


@app.command("run")
def run(
    bundle: BundleArgument,
    tasks: Annotated[int, typer.Option(min=1, help="How many, of a fixed list.")] = 100,
    system: Annotated[
        str | None, name_option("--system", _STAGES, "Who selects and writes [decoupled].")
    ] = None,
    selector: Annotated[
        str | None, name_option("--selector", _STAGES, "Who selects, if another.")
    ] = None,
    arguments: Annotated[
        str | None, name_option("--arguments", _STAGES, "Who writes arguments, if another.")
    ] = None,
    votes: Annotated[
        int, typer.Option(min=0, help="Take the tool that so many samples name most often.")
    ] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Of the tasks.")] = 0,
    max_steps: MaxStepsOption = 8,
    engine: EngineOption = None,
    threads: ThreadsOption = None,
    mcp: CommandOption = SERVER,
    json_target: JsonOption = None,
    force: ForceOption = False,
) -> None:
    """Let a bundle do tasks on a file system server, and count the atomic outputs that it shows.

    Example: `edgetune tasks run bundles/files --system monolithic`

    Each task has a made-up workspace in a directory of its own, which is thrown away; names,
    phrases and depths are others than those to train on. The expert in place of a stage shows what
    that stage costs. Needs `edgetune[mcp]`.
    """
    from edgetune.file_tasks.run import run_tasks, summary
    from edgetune.file_tasks.server import served_directory
    from edgetune.file_tasks.tasks import make_task
    from edgetune_runtime.bundle import open_bundle
    from edgetune_runtime.engines import open_engine

    opened = open_bundle(bundle)
    loaded = open_engine(opened, engine, threads)
    selects: Any = selector or system or "decoupled"
    writes: Any = arguments or system or "decoupled"
    with served_directory(mcp) as (source, root):
        done = run_tasks(
            *(opened, loaded, source, root),
            [make_task(index, seed, "test", root) for index in range(tasks)],
            selector=selects,
            writer=writes,
            votes=votes,
            steps=max_steps,
        )
    kinds = sorted({kind for each in done for kind in each.task.kinds})
    by_kind = {
        kind: summary([each for each in done if kind in each.task.kinds])["outputs"]
        for kind in kinds
    }
    result = {
        "selector": selects,
        "arguments": writes,
        "votes": votes,
        "seed": seed,
        **summary(done),
        "by_kind": by_kind,
        "done": [each.as_json() for each in done],
    }
    give(result, json_target, lambda: _show(result))


def _show(result: dict[str, Any]) -> None:
    table = Table(title=f"{result['tasks']} tasks", title_justify="left")
    for title in ("selector", "arguments", "outputs", "complete", "spoilt", "calls a task"):
        table.add_column(title)
    figures = (f"{result[key]:.3f}" for key in ("outputs", "complete", "spoilt"))
    table.add_row(result["selector"], result["arguments"], *figures, f"{result['calls']:.1f}")
    stdout.print(table)
    kinds = ", ".join(f"{kind} {share:.2f}" for kind, share in result["by_kind"].items())
    stdout.print(f"outputs by the parts of a task: {kinds}")
