"""A console for one of the two standard streams: fits a terminal, leaves a pipe's lines whole.

What is piped is searched and kept: a path that is wrapped or cut there is found by nothing. Which
stream takes the results and which the progress is its users' business, and so is what is printed.
"""

from typing import Any

from rich.console import Console, ConsoleOptions

UNBOUNDED = 1_000_000
"""Columns of what no window bounds; a table takes as many of them as its cells need."""


class StreamConsole(Console):
    """Wraps as a terminal is wide, and nothing at all where none is behind the stream."""

    @property
    def attended(self) -> bool:
        """A terminal shows the stream, one on which a line can be drawn anew."""
        try:
            return self.file.isatty() and not self.is_dumb_terminal
        except ValueError:  # the stream is closed
            return False

    @property
    def options(self) -> ConsoleOptions:
        """How things are rendered by default."""
        options = super().options
        return options if self.attended else options.update(max_width=UNBOUNDED)

    def print(self, *objects: Any, **options: Any) -> None:
        """As rich's, but a title that is wider than its table stays whole in a pipe, too."""
        if not self.attended:
            options.setdefault("soft_wrap", True)
        super().print(*objects, **options)
