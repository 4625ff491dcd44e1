"""A pipe gets every line whole; a terminal gets lines that fit it."""

import io
import re

import pytest
from rich.console import Group
from rich.table import Table

from edgetune_export.console import StreamConsole

PATH = "/somewhere/" + "a/long/way/" * 12 + "model.onnx.data"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def table() -> Table:
    made = Table("file", "why", title=PATH, title_justify="left", caption=PATH)
    made.add_row(PATH, f"{PATH}: its content is not what the manifest says; copy it again.")
    made.add_row("short", "東京")
    return made


def printed(file: io.StringIO, *objects) -> list[str]:
    StreamConsole(file=file).print(*objects)
    return re.sub(r"\x1b\[[0-9;]*m", "", file.getvalue()).splitlines()


def test_a_pipe_gets_whole_lines_that_are_as_wide_as_they_need():
    lines = printed(io.StringIO(), Group(table(), f"say {PATH}"))
    assert [line.count(PATH) for line in lines if PATH in line] == [1, 2, 1, 1]
    assert lines[0].rstrip() == PATH
    assert lines[-1] == f"say {PATH}"
    assert max(map(len, lines)) < 2 * len(PATH) + 100
    [header, row] = [next(line for line in lines if word in line) for word in ("why", "content")]
    assert [i for i, mark in enumerate(header) if mark == "┃"] == [
        i for i, mark in enumerate(row) if mark == "│"
    ]


@pytest.mark.parametrize("forced", ["", "1"])
def test_asking_for_colours_in_a_pipe_wraps_nothing(monkeypatch, forced):
    monkeypatch.setenv("FORCE_COLOR", forced)
    monkeypatch.setenv("COLUMNS", "40")
    assert any(PATH in line for line in printed(io.StringIO(), PATH))


def test_a_terminal_gets_lines_that_fit(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "60")
    lines = printed(Terminal(), Group(table(), PATH))
    assert not any(PATH in line for line in lines)
    assert max(map(len, lines)) <= 60
