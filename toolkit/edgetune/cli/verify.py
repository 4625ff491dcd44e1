"""`edgetune verify`: does this bundle do exactly what its training run did?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from edgetune.cli.options import BundleArgument, EngineOption, ForceOption, JsonOption, give, stdout

if TYPE_CHECKING:
    from edgetune_export.verify.checks import Verification


def verify(
    bundle: BundleArgument,
    engine: EngineOption = None,
    run: Annotated[
        Path | None,
        typer.Option("--run", metavar="RUN", help="Compute the reference afresh from this run."),
    ] = None,
    sample: Annotated[
        bool,
        typer.Option(
            "--sample",
            help="Ask engines for a few logits of one adapter alone: an emulated NPU takes over a "
            "minute a token of a large base.",
        ),
    ] = False,
    every: Annotated[
        bool, typer.Option("--all", help="A line for each check, not for each kind of check.")
    ] = False,
    json_target: JsonOption = None,
    force: ForceOption = False,
) -> None:
    """Check a bundle from its hashes up to its calls; exit code 1 where a check does not hold.

    Example: `edgetune verify bundles/phone`

    Example: `edgetune verify bundles/phone --engine qnn --sample`
    """
    from edgetune_export.verify.ladder import climb

    found = climb(bundle, engine, run, sample=sample)
    give(found.as_json(), json_target, lambda: show(found, stdout, every=every))
    if not found.ok:
        raise typer.Exit(1)


def show(found: "Verification", console: Console, *, every: bool = False) -> None:
    """Print a line a rung, or with `every` a line a check; then whatever does not hold, in full."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(title="Verification", title_justify="left")
    table.add_column("check", overflow="fold")
    table.add_column("")
    if every:
        table.add_column("detail", overflow="fold")
        for check in found.checks:
            detail = check.detail if check.ok else "see below"
            table.add_row(escape(check.name), _mark(check.ok), escape(detail))
    else:
        table.add_column("holds", justify="right")
        table.add_column("detail", overflow="fold")
        for rung in found.rungs:
            n = len(rung.checks)
            holding = "" if n == 1 else f"{n - len(rung.failed)} of {n}"
            detail = "see below" if rung.failed else rung.detail
            table.add_row(escape(rung.name), _mark(not rung.failed), holding, escape(detail))
    console.print(table)
    for check in found.failed:
        console.print(f"{_mark(False)} {escape(check.name)}: {escape(check.detail)}")
    n, failed = len(found.checks), len(found.failed)
    more = "" if every or n == len(found.rungs) else "; --all shows each"
    counts = f"all {n} checks hold" if found.ok else f"{failed} of {n} checks do not hold"
    console.print(f"{_mark(found.ok)}: {counts}{more}", highlight=False)


def _mark(ok: bool) -> str:
    return "[green]ok[/]" if ok else "[bold red]not ok[/]"
