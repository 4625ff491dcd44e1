"""What a pretraining tells: `metrics.jsonl` for later, a bar on standard error for now.

It knows losses and clocks, not how a step is made.
"""

import json
import time
from pathlib import Path
from typing import Any

from rich.progress import TextColumn, TimeRemainingColumn

from edgetune.nano.checkpoint import Done
from edgetune_export.progress import Bar, console

NOTE_EVERY = 10
"""Steps between two lines of metrics."""


class Log(Bar):
    """Shown while a run trains; `step` after each step, `note` for whatever else is to be kept."""

    def __init__(self, output: Path, done: Done, steps: int) -> None:
        super().__init__(TextColumn("{task.fields[note]}"), TimeRemainingColumn())
        self._file = output / "metrics.jsonl"
        self._task = self.add_task("step", total=steps, completed=done.step, note="")
        self._open_window(done)

    def step(self, done: Done, loss: float, waited: float, **more: Any) -> None:
        """One more step, whose data took `waited` seconds to come."""
        self._losses.append(loss)
        self._waited += waited
        self.update(self._task, completed=done.step)
        if done.step % NOTE_EVERY:
            return
        speed = (done.tokens - self._tokens) / (time.monotonic() - self._began)
        row = {
            "step": done.step,
            "loss": round(sum(self._losses) / len(self._losses), 4),
            "tokens": done.tokens,
            "tokens_per_s": round(speed),
            "waited_s": round(self._waited, 2),
            "seconds": round(done.seconds),
            **more,
        }
        self.note(row)
        self.update(self._task, note=f"loss {row['loss']:.3f}, {speed:,.0f} tokens/s")
        self._open_window(done)

    def accuracy(self, done: Done, shares: dict[str, float]) -> None:
        """How well the model does at this step on what it never saw."""
        self.note({"step": done.step, **shares})
        told = ", ".join(f"{key.removesuffix('_accuracy')} {x:.3f}" for key, x in shares.items())
        console.print(f"step {done.step}, held-out tools: {told}", highlight=False)
        self._open_window(done)

    def note(self, row: dict[str, Any]) -> None:
        """Append a row to `metrics.jsonl`."""
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")

    def _open_window(self, done: Done) -> None:
        self._began, self._tokens = time.monotonic(), done.tokens
        self._losses: list[float] = []
        self._waited = 0.0
