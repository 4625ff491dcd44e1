"""The tools of npm's file system server that tasks need, as Python functions on a directory."""

import json
from pathlib import Path

from edgetune.agents.functions import Functions, tool


def disk(root: Path) -> Functions:
    """They answer as that server does, by relative paths or absolute ones."""

    def at(path: str) -> Path:
        return root / path

    @tool
    def read_text_file(path: str, tail: int | None = None, head: int | None = None) -> str:
        """Read a file."""
        lines = at(path).read_text().split("\n")
        return "\n".join(lines[:head] if head else lines[-tail:] if tail else lines)

    @tool
    def read_multiple_files(paths: list[str]) -> str:
        """Read several files."""
        return "\n---\n".join(f"{path}:\n{at(path).read_text()}\n" for path in paths)

    @tool
    def write_file(path: str, content: str) -> str:
        """Write a file."""
        at(path).write_text(content)
        return f"Successfully wrote to {path}"

    @tool
    def edit_file(path: str, edits: list[dict[str, str]]) -> str:
        """Edit a file."""
        text = at(path).read_text()
        for edit in edits:
            text = text.replace(edit["oldText"], edit["newText"])
        at(path).write_text(text)
        return "```diff\n```"

    @tool
    def create_directory(path: str) -> str:
        """Create a directory."""
        at(path).mkdir(parents=True, exist_ok=True)
        return f"Successfully created directory {path}"

    @tool
    def list_directory(path: str) -> str:
        """List a directory."""
        kinds = {True: "[DIR]", False: "[FILE]"}
        return "\n".join(f"{kinds[each.is_dir()]} {each.name}" for each in at(path).iterdir())

    @tool
    def list_directory_with_sizes(path: str) -> str:
        """List a directory with sizes."""
        files = [each for each in at(path).iterdir() if each.is_file()]
        return "\n".join(f"[FILE] {each.name}   {each.stat().st_size} B" for each in files)

    @tool
    def directory_tree(path: str) -> str:
        """Show a tree."""
        return json.dumps([{"name": each.name} for each in at(path).rglob("*")])

    @tool
    def move_file(source: str, destination: str) -> str:
        """Move a file."""
        at(source).rename(at(destination))
        return f"Successfully moved {source} to {destination}"

    @tool
    def search_files(path: str, pattern: str) -> str:
        """Search for files."""
        return "\n".join(map(str, at(path).glob(pattern))) or "No matches found"

    @tool
    def get_file_info(path: str) -> str:
        """Tell about a file."""
        return f"size: {at(path).stat().st_size}\nisFile: true"

    every = (
        *(read_text_file, read_multiple_files, write_file, edit_file, create_directory),
        *(list_directory, list_directory_with_sizes, directory_tree, move_file, search_files),
        get_file_info,
    )
    return Functions(every, "filesystem")
