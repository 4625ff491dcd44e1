"""Where no terminal shows standard error, long work says a plain line now and then."""

import io
import os
import sys
import time

import pytest
from rich.progress import TextColumn, TimeRemainingColumn

from edgetune_export import progress
from edgetune_export.console import StreamConsole
from edgetune_export.progress import Bar, stage, track
from edgetune_runtime.quiet import silent


class Clock:
    """Seconds that pass when they are told to; then whatever is due is said."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float, bar: Bar) -> None:
        self.now += seconds
        bar._lines.look()


@pytest.fixture
def piped(monkeypatch) -> io.StringIO:
    """What is written to a standard error that is no terminal."""
    file = io.StringIO()
    monkeypatch.setattr(progress, "console", StreamConsole(file=file))
    monkeypatch.setattr(progress, "TICK", 3600.0)  # the tests look at the clock themselves
    monkeypatch.setenv("COLUMNS", "20")
    return file


def test_long_work_says_where_it_is_soon_then_now_and_then_and_at_the_end(piped):
    clock = Clock()
    with Bar(TextColumn("{task.fields[note]}"), TimeRemainingColumn(), clock=clock) as bar:
        task = bar.add_task("1/3 a.long.name.of.an.adapter", total=100, note="")
        said = []
        for step in range(100):
            bar.update(task, advance=1, note=f"loss {1 / (step + 1):.2f}, 1,234 tokens/s")
            clock.sleep(0.5, bar)
            said.append(len(piped.getvalue().splitlines()))
    lines = piped.getvalue().splitlines()
    assert [said.index(count) for count in (1, 2, 3)] == [3, 43, 83]  # at 2, 22 and 42 seconds
    assert lines == [
        "1/3 a.long.name.of.an.adapter: 4 of 100, loss 0.25, 1,234 tokens/s, 0:48 left",
        "1/3 a.long.name.of.an.adapter: 44 of 100, loss 0.02, 1,234 tokens/s, 0:28 left",
        "1/3 a.long.name.of.an.adapter: 84 of 100, loss 0.01, 1,234 tokens/s, 0:08 left",
        "1/3 a.long.name.of.an.adapter: 100 of 100, took 0:50",
    ]


def test_work_of_less_than_two_seconds_says_nothing(piped):
    clock = Clock()
    with Bar(clock=clock) as bar:
        task = bar.add_task("quick", total=3)
        for _ in range(3):
            clock.sleep(0.6, bar)
            bar.advance(task)
    with stage("quick, too"):
        pass
    assert list(track([1, 2, 3], "and this")) == [1, 2, 3]
    assert piped.getvalue() == ""


def test_a_stage_says_what_it_is_and_how_long_it_took(piped, monkeypatch):
    for name, seconds in (("TICK", 0.01), ("SOON", 0.05), ("EVERY", 3600.0)):
        monkeypatch.setattr(progress, name, seconds)
    monkeypatch.setenv("FORCE_COLOR", "1")
    with stage("Lowering the base"):
        deadline = time.monotonic() + 20
        while not piped.getvalue() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert piped.getvalue() == "Lowering the base: 0:00 so far\n"
    last = piped.getvalue().splitlines()[-1]
    assert last.startswith("Lowering the base: took 0:")


def test_what_is_tracked_counts_while_it_lasts(piped, monkeypatch):
    for name, seconds in (("TICK", 0.01), ("SOON", 0.0), ("EVERY", 0.0)):
        monkeypatch.setattr(progress, name, seconds)
    for item in track(["a", "b", "c"], "Writing adapters"):
        deadline = time.monotonic() + 20
        sought = f"Writing adapters: {'abc'.index(item)} of 3"
        while sought not in piped.getvalue() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert sought in piped.getvalue()
    assert piped.getvalue().endswith("Writing adapters: 3 of 3, took 0:00\n")


def test_work_that_fails_has_said_how_far_it_came(piped):
    clock = Clock()

    def fail() -> None:
        with Bar(clock=clock) as bar:
            bar.add_task("Writing adapters", total=9, completed=4)
            clock.sleep(3, bar)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert piped.getvalue().splitlines() == [
        "Writing adapters: 4 of 9",
        "Writing adapters: 4 of 9, took 0:03",
    ]


def test_lines_reach_a_log_while_native_code_is_silenced(monkeypatch, tmp_path):
    kept = os.dup(2)
    try:
        with (tmp_path / "log").open("w") as log:
            os.dup2(log.fileno(), 2)
            with open(2, "w", closefd=False) as stderr:
                monkeypatch.setattr(sys, "stderr", stderr)
                monkeypatch.setattr(progress, "SOON", 0.0)
                with stage("Compiling"), silent():
                    os.write(2, b"chatter")
    finally:
        os.dup2(kept, 2)
        os.close(kept)
    assert (tmp_path / "log").read_text() == "Compiling: took 0:00\n"


def test_a_log_that_cannot_be_written_ends_no_work(piped, monkeypatch):
    def full(_text):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(piped, "write", full)
    monkeypatch.setattr(progress, "SOON", 0.0)
    assert list(track(range(3), "Quantizing")) == [0, 1, 2]
