"""The progress of a run on standard error: the adapter, its loss, tokens a second, time left."""

import time

from rich.progress import TextColumn

from edgetune_export.progress import Bar, clock_text


class Display(Bar):
    """One bar for the adapter at work, in steps; its time left is that of the whole run.

    Time left is by the tokens of this sitting: adapters differ in the length of their examples.
    """

    def __init__(self, tokens: int) -> None:
        """`tokens` are still to be trained, over all adapters."""
        super().__init__(TextColumn("{task.fields[note]}"))
        self._left = tokens
        self._here = 0
        self._loss: float | None = None
        self._began = time.monotonic()
        self._adapter = self.add_task("", total=None, note="")

    def begin(self, name: str, steps: int, index: int, count: int) -> None:
        """Show the adapter `name`, number `index` (from 1) of `count`."""
        self._loss = None
        self.reset(self._adapter, description=f"{index}/{count} {name}", total=steps, note="")

    def resumed(self, steps: int, tokens: int) -> None:
        """`steps` of the adapter were done in an earlier sitting."""
        self._left -= tokens
        self.advance(self._adapter, steps)

    def step(self, tokens: int, loss: float | None) -> None:
        """One more step was done."""
        self._here += tokens
        self._left -= tokens
        speed = self._here / max(1e-9, time.monotonic() - self._began)
        note = f"{speed:,.0f} tokens/s, {clock_text(self._left / speed)} left"
        self._loss = self._loss if loss is None else loss
        if self._loss is not None:
            note = f"loss {self._loss:.4f}, {note}"
        self.update(self._adapter, advance=1, note=note)
