"""`edgetune train`: the selector, one arguments adapter a tool, and the monolithic baseline."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from edgetune.cli.options import ForceOption, JsonOption, give, stdout


def train(
    config: Annotated[
        Path, typer.Argument(metavar="CONFIG", help="A recipe; `edgetune init` writes one.")
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="RUN",
            help="Where to write; by default runs/NAME.",
        ),
    ] = None,
    grown_from: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="RUN",
            help="Keep the adapters of this run whose examples are the same; train what is new.",
        ),
    ] = None,
    json_target: JsonOption = None,
    force: ForceOption = False,
) -> None:
    """Train the adapters of a recipe; run the same command again to resume.

    Example: `edgetune train configs/nano/phone_actions.yaml --output runs/phone_actions`
    With a tool more: `edgetune train mine.yaml --from runs/mine --output runs/mine-2`
    """
    from edgetune.config import read_config
    from edgetune.train.run import train as train_run

    summary = train_run(read_config(config), output or Path("runs") / config.stem, grown_from)
    result = summary.as_json()
    give(result, json_target, lambda: show(result, stdout))


def show(result: dict[str, Any], console: Console) -> None:
    """Print what was trained."""
    from rich.markup import escape
    from rich.table import Table

    from edgetune.train.summary import is_kept

    table = Table(title=escape(result["output"]), title_justify="left")
    table.add_column("adapter", overflow="fold")
    for column in ("examples", "steps", "minutes", "dev loss", "dev exact"):
        table.add_column(column, justify="right")
    for name, adapter in result["adapters"].items():
        table.add_row(
            name,
            str(adapter["examples"]),
            str(adapter["steps"]),
            "kept" if is_kept(adapter) else f"{adapter['seconds'] / 60:.1f}",
            f"{adapter['dev']['loss']:.4f}" if adapter.get("dev") else "-",
            f"{adapter['dev']['exact_match']:.3f}" if adapter.get("dev") else "-",
        )
    console.print(table)
