"""Progress for people, on standard error: bars for counted work, a line for what has no count.

Where no terminal shows standard error, under `nohup` or in CI, plain lines are said instead of
bars drawn: soon, then now and then, and at the end; nothing of what is done in two seconds.
"""

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from operator import length_hint
from typing import IO, TypeVar

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from edgetune_export.console import StreamConsole

T = TypeVar("T")

SOON = 2.0
"""Seconds until plain lines tell of work, and that work has to take for that."""

EVERY = 20.0
"""Seconds between two plain lines."""

TICK = 0.5
"""Seconds between two looks at the clock."""

console = StreamConsole(stderr=True)
"""Where everything goes that is not a result: progress, warnings, the sentence of an error."""


class Bar(Progress):
    """Counted work: what it is, a bar with counts, the columns given, the time taken.

    A plain line has the task's field `note` behind the counts, and the time left where a column
    shows that.
    """

    def __init__(
        self, *columns: ProgressColumn, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`clock` gives seconds."""
        super().__init__(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            *columns,
            TimeElapsedColumn(),
            console=console,
            transient=True,
            get_time=clock,
            disable=not console.attended,
        )
        self._estimates = any(isinstance(column, TimeRemainingColumn) for column in columns)
        self._lines: PlainLines | None = None

    def start(self) -> None:
        """Begin to show."""
        super().start()
        if self.disable and self._lines is None:
            self._lines = PlainLines(self._text, self.get_time)
            self._lines.start()

    def stop(self) -> None:
        """Show no more."""
        super().stop()
        if self._lines is not None:
            self._lines.end()
            self._lines = None

    def _text(self, ended: bool) -> str:
        return "\n".join(self._line(task, ended) for task in self.tasks)

    def _line(self, task: Task, ended: bool) -> str:
        parts = []
        if task.total is not None:
            parts.append(f"{task.completed:.0f} of {task.total:.0f}")
        if ended:
            parts.append(f"took {clock_text(task.elapsed or 0)}")
        elif task.total is None:
            parts.append(f"{clock_text(task.elapsed or 0)} so far")
        else:
            parts.append(task.fields.get("note", ""))
            if self._estimates and task.time_remaining is not None:
                parts.append(f"{clock_text(task.time_remaining)} left")
        return f"{task.description}: {', '.join(filter(None, parts))}"


class PlainLines(threading.Thread):
    """Says how far some work is: soon, then now and then, and when it has ended."""

    def __init__(self, text: Callable[[bool], str], clock: Callable[[], float]) -> None:
        """`text` says how far it is, and whether that is the end; `clock` gives seconds."""
        super().__init__(daemon=True)
        self._text, self._clock = text, clock
        self._due = clock() + SOON
        self._worth_an_end = self._due
        self._ended = threading.Event()
        self._file = _own_handle(console.file)

    def run(self) -> None:
        """Look at the clock until the work ends: one step of it can take minutes."""
        while not self._ended.wait(TICK):
            self.look()

    def look(self) -> None:
        """Say a line if one is due."""
        now = self._clock()
        if now >= self._due:
            self._due = now + EVERY
            self._say(ended=False)

    def end(self) -> None:
        """The work has ended."""
        self._ended.set()
        self.join()
        if self._clock() >= self._worth_an_end:
            self._say(ended=True)
        if self._file is not console.file:
            self._file.close()

    def _say(self, ended: bool) -> None:
        with suppress(OSError):  # a log that nobody reads, or a full disk, ends no training
            print(self._text(ended), file=self._file, flush=True)


def _own_handle(file: IO[str]) -> IO[str]:
    """`file` under a descriptor of its own, which silencing standard error does not turn away."""
    if not isinstance(file, TextIOWrapper):  # it is caught by a test or a notebook
        return file
    try:
        return open(os.dup(file.fileno()), "w", encoding=file.encoding, errors=file.errors)
    except OSError:  # it is closed
        return file


def track(items: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
    """Yield `items` under a bar with counts, time taken and time left."""
    with Bar(TimeRemainingColumn()) as bar:
        task = bar.add_task(description, total=total or length_hint(items) or None)
        for item in items:
            yield item
            bar.advance(task)


@contextmanager
def stage(description: str) -> Iterator[None]:
    """A spinner with `description` while the block runs, or plain lines that count its time."""
    if console.attended:
        with console.status(description):
            yield
        return
    with Bar() as bar:
        bar.add_task(description, total=None)
        yield


def clock_text(seconds: float) -> str:
    """`1:02:03`, or `2:03`."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
