"""`edgetune init`: a recipe of one's own to begin with."""

from pathlib import Path
from typing import Annotated

import typer

from edgetune.cli.options import ForceOption, JsonOption, give, stdout


def init(
    directory: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="The folder to write into.")
    ] = Path(),
    recipe: Annotated[
        str, typer.Option("--recipe", metavar="NAME", help="Which one; --list tells them.")
    ] = "nano/own_tools",
    listed: Annotated[
        bool, typer.Option("--list", help="List the recipes instead, and write nothing.")
    ] = False,
    json_target: JsonOption = None,
    force: ForceOption = False,
) -> None:
    """Write a recipe into a folder, with example tools where it needs some; overwrites nothing.

    Example: `edgetune init mine`, then put your tools in the place of the examples and run the
    command that it prints.

    Example: `edgetune init phone --recipe nano/phone_actions`
    """
    from edgetune.recipes import find_recipe, list_recipes, write_recipe

    if listed:
        recipes = list_recipes()
        found = [
            {"name": each.name, "about": each.about, "command": each.command} for each in recipes
        ]
        titles = {each.name: each.title for each in recipes}
        give({"recipes": found}, json_target, lambda: _show_list(titles))
        return
    chosen = find_recipe(recipe)
    files, command = write_recipe(chosen, directory)
    written = [str(file) for file in files]
    result = {"recipe": chosen.name, "written": written, "command": command}
    give(result, json_target, lambda: _show_written(written, chosen.about, command))


def _show_list(titles: dict[str, str]) -> None:
    from rich.table import Table

    table = Table("recipe", "")
    for name, title in titles.items():
        table.add_row(name, title)
    stdout.print(table)


def _show_written(written: list[str], about: str, command: str) -> None:
    for file in written:
        print(f"written: {file}")
    stdout.print(f"\n{about}\n", markup=False, highlight=False)
    print(f"Next: {command}")
