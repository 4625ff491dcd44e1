"""Progress for people, on standard error: bars for counted work, a line for what has no count."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from edgetune_export.console import StreamConsole

T = TypeVar("T")

console = StreamConsole(stderr=True)
"""Where everything goes that is not a result: progress, warnings, the sentence of an error."""


class Bar(Progress):
    """Counted work: what it is, a bar with counts, the columns given, the time taken."""

    def __init__(self, *columns: ProgressColumn) -> None:
        super().__init__(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            *columns,
            TimeElapsedColumn(),
            console=console,
            transient=True,
        )


def track(items: Iterable[T], description: str, total: int | None = None) -> Iterator[T]:
    """Yield `items` under a bar with counts, time taken and time left."""
    with Bar(TimeRemainingColumn()) as progress:
        yield from progress.track(items, description=description, total=total)


@contextmanager
def stage(description: str) -> Iterator[None]:
    """A spinner with `description` while the block runs, where standard error is a terminal."""
    with console.status(description):
        yield
