"""`edgetune doctor`: what is installed here, what that is enough for, and what lacks."""

from collections.abc import Iterator
from typing import Any

import typer

from edgetune.cli.options import ForceOption, JsonOption, give, stdout


def doctor(json_target: JsonOption = None, force: ForceOption = False) -> None:
    """Tell what works on this machine, and what to install for the rest.

    Example: `edgetune doctor`

    Packages, training, targets and engines, processor, memory, disk, GPU. Exit code 1 where an
    installed package is of a version that edgetune was not made for.
    """
    from edgetune.machine.survey import survey

    found = survey()
    give(found, json_target, lambda: _show(found))
    if not found["ok"]:
        raise typer.Exit(1)


def _show(found: dict[str, Any]) -> None:
    from rich.table import Table

    table = Table(title=f"edgetune {found['edgetune']}", title_justify="left")
    for header in ("", "here", ""):
        table.add_column(header, overflow="fold")
    for section in (_packages, _abilities, _machine):
        for row in section(found):
            table.add_row(*row)
        table.add_section()
    stdout.print(table)
    for note in found["notes"]:
        stdout.print(f"[yellow]note:[/] {note}")


def _packages(found: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    yield "python", found["python"], ""
    for package in found["packages"]:
        version = package["installed"]
        colour = "red" if package["serves"] is False else "green"
        remarks = [f"asked {package['asked']}" if package["serves"] is False else ""]
        if version and package["tested"] and not package["is_tested"]:
            remarks.append(f"tested {package['tested']}")
        if not version:
            remarks.append("of " + ", ".join(f"\\[{extra}]" for extra in package["extras"]))
        yield (
            package["name"],
            f"[{colour}]{version}[/]" if version else "[dim]-[/]",
            ", ".join(filter(None, remarks)),
        )


def _abilities(found: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    for ability in found["abilities"]:
        missing = ", ".join(ability["missing"])
        yield (
            f"{ability['kind']} {ability['name']}".strip(),
            f"[red]missing: {missing}[/]" if missing else "[green]yes[/]",
            ability["install"].replace("[", "\\[") if missing else "",
        )


def _machine(found: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    processor = found["processor"]
    cores = f", {processor['cores']} cores" if processor["cores"] else ""
    sets = processor["instructions"]
    told = "instruction sets not told" if sets is None else " ".join(sets)
    yield (
        "processor",
        f"{processor['threads']} threads{cores}",
        f"{processor['architecture']} {told}",
    )
    yield "GPU", ", ".join(found["gpus"]) or "none", ""
    memory = found["free_memory_bytes"]
    yield "free memory", "not told" if memory is None else f"{memory / 1e9:.1f} GB", ""
    yield "free disk", f"{found['free_disk_bytes'] / 1e9:.1f} GB", "of the current folder"
