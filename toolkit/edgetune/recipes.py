"""The recipes that come with edgetune: finds them, and writes one into a folder of one's own.

They are the files of `configs/` in a checkout; a wheel carries the same files.
What a recipe says is `config`'s to read: here it is text that begins with its command.
"""

import os
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgetune.shipped import shipped
from edgetune_runtime.errors import InputError
from edgetune_runtime.files import write_bytes


@dataclass(frozen=True)
class Recipe:
    """A recipe that comes with edgetune."""

    name: str
    """`<base>/<toolset>`."""
    path: Path

    @property
    def command(self) -> str:
        """The command that runs it in a checkout: its first line."""
        return self._head[0]

    @property
    def about(self) -> str:
        """What it is for, and what it takes: the comment below its command."""
        return " ".join(self._head[1:])

    @property
    def title(self) -> str:
        """The beginning of `about`."""
        return re.split(r"[.:;](?:\s|$)", self.about, maxsplit=1)[0]

    @property
    def companions(self) -> list[Path]:
        """Files that it reads: those in the folder of its own name beside it."""
        folder = self.path.with_suffix("")
        return sorted(file for file in folder.rglob("*") if file.is_file())

    @property
    def _head(self) -> list[str]:
        return list(_comments(self.path.read_text(encoding="utf-8")))


def list_recipes() -> list[Recipe]:
    """All recipes, by name. Raises InputError where this installation has none."""
    folder = shipped("configs")
    found = sorted(folder.glob("*/*.yaml"))
    if not found:
        raise InputError(f"{folder}: this installation has no recipes; install edgetune again.")
    return [Recipe(f"{path.parent.name}/{path.stem}", path) for path in found]


def find_recipe(name: str) -> Recipe:
    """The recipe `name`, such as nano/own_tools. Raises InputError where there is none."""
    known = {recipe.name: recipe for recipe in list_recipes()}
    if name not in known:
        raise InputError(f"recipe '{name}': unknown, expected one of {', '.join(known)}.")
    return known[name]


def write_recipe(recipe: Recipe, directory: Path) -> tuple[list[Path], str]:
    """Write the recipe and its companions into `directory`: the files, and the command to run it.

    The recipe becomes `recipe.yaml`, its command is told for that place. Raises InputError where
    one of the files is there already; nothing is written then.
    """
    target = directory / "recipe.yaml"
    if not str(target).isprintable():
        raise InputError(
            f"DIR: {str(directory)!r} has characters that no command shows; choose another name."
        )
    command = _moved(recipe.command, target, directory / "run")
    text = recipe.path.read_text(encoding="utf-8").replace(recipe.command, command, 1)
    files = {
        directory / file.relative_to(recipe.path.parent): file.read_bytes()
        for file in recipe.companions
    } | {target: text.encode()}
    for file in files:
        if os.path.lexists(file):
            raise InputError(
                f"{file}: is there already, and nothing is overwritten; choose another folder or "
                "move it."
            )
    for file, content in files.items():
        write_bytes(file, content)
    return [target, *(file for file in files if file != target)], command


def _comments(text: str) -> Iterator[str]:
    """The comment lines that `text` begins with."""
    for line in text.splitlines():
        if not line.startswith("#"):
            return
        yield line.lstrip("# ")


def _moved(command: str, recipe: Path, output: Path) -> str:
    """The command of a recipe of the checkout's, for a copy of it and another output."""
    places = {"configs": recipe, "runs": output}
    return re.sub(r"(configs|runs)/\S+", lambda found: shlex.quote(str(places[found[1]])), command)
