"""A made-up workspace: folders and small text files, as they are before a task and after it.

Splits share no word of any name or text. Knows files: no tasks and no tools.
"""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from zlib import crc32

from edgetune.invent.gazetteer import english

FOLDERS = 7
"""At the top; each part of a task has some of them for itself."""
DEEPEST = {"train": 2, "test": 3}
"""Folders within folders, by split."""
_ENDINGS = {"train": ("txt", "md", "csv", "json"), "test": ("txt", "md", "log", "yaml")}

State = Mapping[str, str | None]
"""Relative path to a file's text, None for a folder."""


@dataclass(frozen=True)
class Workspace:
    """What lies there before a task begins."""

    folders: tuple[str, ...]
    """All of them, those at the top first."""
    files: Mapping[str, str]
    """Relative path to text."""

    @property
    def tops(self) -> tuple[str, ...]:
        """The folders at the top."""
        return tuple(folder for folder in self.folders if "/" not in folder)

    def below(self, folder: str) -> list[str]:
        """The files in `folder`, however deep."""
        return [path for path in self.files if path.startswith(f"{folder}/")]

    def entries(self, folder: str) -> list[str]:
        """The names that stand in `folder` itself."""
        paths = (*self.folders, *self.files)
        return [path.rpartition("/")[2] for path in paths if path.rpartition("/")[0] == folder]

    @property
    def state(self) -> dict[str, str | None]:
        """As `read_back` finds it."""
        return {**dict.fromkeys(self.folders), **self.files}


def make_workspace(rng: Random, split: str) -> Workspace:
    """A workspace with names and texts in the words of `split`, train or test."""
    folders: list[str] = []
    files: dict[str, str] = {}
    for name in _names(rng, split, FOLDERS):
        folders.append(name)
        chain = [name]
        for inner in _names(rng, split, rng.randint(1, DEEPEST[split])):
            chain.append(f"{chain[-1]}/{inner}")
            folders.append(chain[-1])
        for folder in chain:
            for stem in _names(rng, split, rng.randint(1, 3)):
                ending = rng.choice(_ENDINGS[split])
                files[f"{folder}/{stem}.{ending}"] = make_text(rng, split, rng.randint(2, 4))
    folders.sort(key=lambda folder: folder.count("/"))
    return Workspace(tuple(folders), files)


def words(split: str) -> Sequence[str]:
    """The words of a split: a fifth of the language for test, the rest for train."""
    plain = [word for word in english("noun") if word.isascii() and word.isalpha()]
    return [word for word in plain if (crc32(word.encode()) % 5 == 0) == (split == "test")]


def make_text(rng: Random, split: str, lines: int) -> str:
    """So many lines of three to six words."""
    known = words(split)
    return "\n".join(
        " ".join(rng.choice(known) for _ in range(rng.randint(3, 6))) for _ in range(lines)
    )


def new_name(rng: Random, split: str, ending: str = "") -> str:
    """A name that is hardly there yet, a file's where it has an `ending`."""
    (stem,) = _names(rng, split, 1)
    return f"{stem}.{ending}" if ending else stem


def new_ending(rng: Random, split: str) -> str:
    """How the names of files end."""
    return rng.choice(_ENDINGS[split])


def lay_out(workspace: Workspace, root: Path) -> None:
    """Put the workspace into the directory `root`, and all else out of it."""
    for entry in root.iterdir():
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    for folder in workspace.folders:
        (root / folder).mkdir(parents=True)
    for path, text in workspace.files.items():
        (root / path).write_text(text, encoding="utf-8")


def read_back(root: Path) -> dict[str, str | None]:
    """What lies in `root` now."""
    return {
        path.relative_to(root).as_posix(): None
        if path.is_dir()
        else path.read_text(encoding="utf-8", errors="replace")
        for path in sorted(root.rglob("*"))
    }


def _names(rng: Random, split: str, count: int) -> list[str]:
    """Different names of one or two words."""
    picked = rng.sample(words(split), 2 * count)
    joint = rng.choice("-_")
    return [
        picked[2 * i] + (joint + picked[2 * i + 1] if rng.random() < 0.4 else "")
        for i in range(count)
    ]
