"""The parts of a task, one kind a function: what is asked for, the calls, what they bring about.

A part has a folder at the top for itself, so that no part changes what another looks at. The tools
are those of npm's `@modelcontextprotocol/server-filesystem`. Knows no phrases.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random

from edgetune.file_tasks.workspace import Workspace, make_text, new_ending, new_name
from edgetune_runtime.calls import Call


@dataclass(frozen=True)
class Shown:
    """Texts that stand in one result."""

    parts: tuple[str, ...]


@dataclass(frozen=True)
class Holds:
    """A file that has this text afterwards; None for a folder that is there."""

    path: str
    text: str | None


@dataclass(frozen=True)
class Gone:
    """A file that is no longer there."""

    path: str


Output = Shown | Holds | Gone
"""An atomic output: one thing that a right trajectory shows or brings about."""


@dataclass(frozen=True)
class Part:
    """One thing that is wanted."""

    slots: Mapping[str, str]
    calls: tuple[Call, ...]
    outputs: tuple[Output, ...]


@dataclass(frozen=True)
class Ground:
    """Where parts are made: what they need of a workspace, drawn at random."""

    rng: Random
    split: str
    workspace: Workspace
    root: Path
    free: list[str]
    """Folders at the top that no part has yet."""

    def file(self, top: str) -> str:
        """A file below a folder."""
        return self.rng.choice(self.workspace.below(top))

    def folder(self, top: str) -> str:
        """A folder, or one below it."""
        return self.rng.choice([f for f in self.workspace.folders if f"{f}/".startswith(f"{top}/")])

    def new(self, folder: str, ending: str = "") -> str:
        """A path in a folder that is not there yet: a file's with an `ending`, else a folder's."""
        return f"{folder}/{new_name(self.rng, self.split, ending)}"

    def text(self, path: str) -> str:
        """What a file says."""
        return self.workspace.files[path]

    def size(self, path: str) -> int:
        """Its bytes."""
        return len(self.text(path).encode())


def _read(ground: Ground) -> Part:
    file = ground.file(ground.free.pop())
    call = Call("read_text_file", {"path": file})
    return Part({"file": file}, (call,), (Shown((ground.text(file),)),))


def _ends(which: str) -> Callable[[Ground], Part]:
    def make(ground: Ground) -> Part:
        file = ground.file(ground.free.pop())
        lines = ground.text(file).split("\n")
        count = ground.rng.randint(1, len(lines) - 1)
        wanted = "\n".join(lines[:count] if which == "head" else lines[-count:])
        said = "line" if count == 1 else f"{count} lines"
        call = Call("read_text_file", {"path": file, which: count})
        return Part({"file": file, "lines": said}, (call,), (Shown((wanted,)),))

    return make


def _several(ground: Ground) -> Part:
    first, second = ground.rng.sample(ground.workspace.below(ground.free.pop()), 2)
    call = Call("read_multiple_files", {"paths": [first, second]})
    shown = tuple(Shown((ground.text(file),)) for file in (first, second))
    return Part({"file": first, "other": second}, (call,), shown)


def _names(ground: Ground) -> Part:
    folder = ground.folder(ground.free.pop())
    shown = tuple(Shown((name,)) for name in ground.workspace.entries(folder))
    return Part({"folder": folder}, (Call("list_directory", {"path": folder}),), shown)


def _sizes(ground: Ground) -> Part:
    folder = ground.folder(ground.free.pop())
    files = [file for file in ground.workspace.files if file.rpartition("/")[0] == folder]
    shown = tuple(Shown((file.rpartition("/")[2], f"{ground.size(file)} B")) for file in files)
    return Part({"folder": folder}, (Call("list_directory_with_sizes", {"path": folder}),), shown)


def _tree(ground: Ground) -> Part:
    top = ground.free.pop()
    shown = tuple(Shown((path.rpartition("/")[2],)) for path in ground.workspace.below(top))
    return Part({"folder": top}, (Call("directory_tree", {"path": top}),), shown)


def _info(ground: Ground) -> Part:
    file = ground.file(ground.free.pop())
    shown = Shown((f"size: {ground.size(file)}\n",))
    return Part({"file": file}, (Call("get_file_info", {"path": file}),), (shown,))


def _search(ground: Ground) -> Part:
    top = ground.free.pop()
    ending = ground.file(top).rpartition(".")[2]
    found = [path for path in ground.workspace.below(top) if path.endswith(f".{ending}")]
    call = Call("search_files", {"path": top, "pattern": f"**/*.{ending}"})
    shown = tuple(Shown((path,)) for path in found)
    return Part({"folder": top, "glob": f"*.{ending}"}, (call,), shown)


def _write(ground: Ground) -> Part:
    file = ground.new(ground.folder(ground.free.pop()), new_ending(ground.rng, ground.split))
    text = make_text(ground.rng, ground.split, 1)
    call = Call("write_file", {"path": file, "content": text})
    return Part({"file": file, "text": text}, (call,), (Holds(file, text),))


def _edit(ground: Ground) -> Part:
    file = ground.file(ground.free.pop())
    text = ground.text(file)
    old = ground.rng.choice([word for word in text.split() if text.count(word) == 1])
    new = new_name(ground.rng, ground.split)
    edits = [{"oldText": old, "newText": new}]
    call = Call("edit_file", {"path": file, "edits": edits})
    slots = {"file": file, "old": old, "new": new}
    return Part(slots, (call,), (Holds(file, text.replace(old, new)),))


def _folder(ground: Ground) -> Part:
    new = ground.new(ground.folder(ground.free.pop()))
    return Part({"new": new}, (Call("create_directory", {"path": new}),), (Holds(new, None),))


def _move(ground: Ground) -> Part:
    top = ground.free.pop()
    file = ground.file(top)
    new = ground.new(ground.folder(top), file.rpartition(".")[2])
    call = Call("move_file", {"source": file, "destination": new})
    moved = (Holds(new, ground.text(file)), Gone(file))
    return Part({"file": file, "new": new}, (call,), moved)


def _found(ground: Ground, top: str) -> tuple[str, str, Call]:
    """A file that has to be looked for, its path as the server tells it, and the call for that."""
    file = ground.file(top)
    name = file.rpartition("/")[2]
    search = Call("search_files", {"path": top, "pattern": f"**/{name}"})
    return file, str(ground.root / file), search


def _find_read(ground: Ground) -> Part:
    top = ground.free.pop()
    file, told, search = _found(ground, top)
    calls = (search, Call("read_text_file", {"path": told}))
    shown = (Shown((file,)), Shown((ground.text(file),)))
    return Part({"folder": top, "name": file.rpartition("/")[2]}, calls, shown)


def _find_info(ground: Ground) -> Part:
    top = ground.free.pop()
    file, told, search = _found(ground, top)
    calls = (search, Call("get_file_info", {"path": told}))
    shown = (Shown((file,)), Shown((f"size: {ground.size(file)}\n",)))
    return Part({"folder": top, "name": file.rpartition("/")[2]}, calls, shown)


def _find_move(ground: Ground) -> Part:
    top = ground.free.pop()
    file, told, search = _found(ground, top)
    new = ground.new(ground.folder(top), file.rpartition(".")[2])
    calls = (search, Call("move_file", {"source": told, "destination": new}))
    slots = {"folder": top, "name": file.rpartition("/")[2], "new": new}
    return Part(slots, calls, (Shown((file,)), Holds(new, ground.text(file)), Gone(file)))


def _copy(ground: Ground) -> Part:
    top = ground.free.pop()
    file = ground.file(top)
    new = ground.new(ground.folder(top), file.rpartition(".")[2])
    text = ground.text(file)
    calls = (
        Call("read_text_file", {"path": file}),
        Call("write_file", {"path": new, "content": text}),
    )
    return Part({"file": file, "new": new}, calls, (Holds(new, text),))


def _file_away(ground: Ground) -> Part:
    top = ground.free.pop()
    file, folder = ground.file(top), ground.new(top)
    new = f"{folder}/{file.rpartition('/')[2]}"
    calls = (
        Call("create_directory", {"path": folder}),
        Call("move_file", {"source": file, "destination": new}),
    )
    outputs = (Holds(folder, None), Holds(new, ground.text(file)), Gone(file))
    return Part({"file": file, "folder": folder, "new": new}, calls, outputs)


def _begin(ground: Ground) -> Part:
    folder = ground.new(ground.free.pop())
    file = ground.new(folder, new_ending(ground.rng, ground.split))
    text = make_text(ground.rng, ground.split, 1)
    calls = (
        Call("create_directory", {"path": folder}),
        Call("write_file", {"path": file, "content": text}),
    )
    outputs = (Holds(folder, None), Holds(file, text))
    return Part({"folder": folder, "file": file, "text": text}, calls, outputs)


PARTS: Mapping[str, Callable[[Ground], Part]] = {
    "read": _read,
    "head": _ends("head"),
    "tail": _ends("tail"),
    "several": _several,
    "names": _names,
    "sizes": _sizes,
    "tree": _tree,
    "info": _info,
    "search": _search,
    "write": _write,
    "edit": _edit,
    "folder": _folder,
    "move": _move,
    "find_read": _find_read,
    "find_info": _find_info,
    "find_move": _find_move,
    "copy": _copy,
    "file_away": _file_away,
    "begin": _begin,
}
