"""`edgetune verify`: does this bundle do exactly what its training run did?"""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from edgetune.cli.options import BundleArgument, EngineOption, JsonOption, give, stdout


def verify(
    bundle: BundleArgument,
    engine: EngineOption = None,
    run: Annotated[
        Path | None,
        typer.Option("--run", metavar="RUN", help="Compute the reference afresh from this run."),
    ] = None,
    json_target: JsonOption = None,
) -> None:
    """Check a bundle from its hashes up to its calls; exit code 1 where a check does not hold.

    Example: `edgetune verify bundles/phone`
    """
    from edgetune_export.verify.ladder import verify as check

    result = check(bundle, engine, run)
    give(result, json_target, lambda: show(result, stdout))
    if not result["ok"]:
        raise typer.Exit(1)


def show(result: dict[str, Any], console: Console) -> None:
    """Print the ladder of checks."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(title="Verification", title_justify="left")
    table.add_column("check", overflow="fold")
    table.add_column("")
    table.add_column("detail", overflow="fold")
    for check in result["checks"]:
        mark = "[green]ok[/]" if check["ok"] else "[bold red]not ok[/]"
        table.add_row(check["name"], mark, escape(check["detail"]))
    console.print(table)
    console.print("[green]ok[/]" if result["ok"] else "[bold red]not ok[/]")
