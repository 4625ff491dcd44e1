"""The layers below an adapter of the upper ones: the bare base's, which no gradient passes.

What they make of an example is the same at every step. Where a step would compute it again, it is
computed once and kept in a file, in float32, as hidden states are summed: nothing is rounded, and
only the order of sums differs with the batch that an example was read in. Knows token ids and
hidden states, neither adapters nor runs.
"""

import copy
import hashlib
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence

from edgetune.machine.precision import Precision, autocast
from edgetune.train.batches import Batch, collate
from edgetune.train.examples import Tokens
from edgetune.train.interrupt import Interrupted
from edgetune.train.passes import (
    WORTH_SHARING,
    attention,
    eager,
    measured_batches,
    shared_tokens,
    through,
)
from edgetune_export.progress import console
from edgetune_runtime.trie import shared_length

MOST_BYTES = 8_000_000_000
"""Of a file: more is computed at every step instead."""

MOST_OF_DISK = 0.5
"""The share of the free disk that a file may take."""


class LowerLayers:
    """The lower `count` layers of `model`, a causal LM; a `Below` of its adapter's passes."""

    def __init__(self, model: Any, count: int, precision: Precision) -> None:
        self.count = count
        self._model = model
        self._precision = precision
        decoder = model.get_decoder()
        self._decoder = copy.copy(decoder)
        self._decoder._modules = decoder._modules | {
            "layers": decoder.layers[:count],
            "norm": torch.nn.Identity(),
        }
        self._file: Path | None = None
        self._places: dict[bytes, tuple[int, int]] = {}
        """An example's ids to the first row of its own in the file, and how many there are."""
        self._common = torch.empty(0)
        """`[tokens, hidden]` of what all kept examples begin with."""

    def __call__(self, batch: Batch, shared: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The hidden states above these layers, `[1, shared, hidden]` of the tokens that all
        examples begin with, and `[batch, longest - shared, hidden]` of the others."""
        kept = self._kept(batch)
        if kept is None:
            return self._read(batch, shared)
        rest = pad_sequence([states[shared:] for states in kept], batch_first=True)
        return kept[0][None, :shared], rest

    def keep(
        self, examples: Sequence[Tokens], beside: Path, stop: Callable[[], bool] = lambda: False
    ) -> None:
        """Keep the hidden states of `examples` in a file that is called as `beside` is, but for its
        suffix, or find them there; what would be too large is not kept.

        Raises Interrupted, having kept nothing, where `stop()` turns true.
        """
        unique = list({_key(example.ids): example for example in examples}.values())
        plan = [[unique[index] for index in batch] for batch in measured_batches(unique)]
        common = _common_length(unique)
        rows = common
        for example in (example for batch in plan for example in batch):
            self._places[_key(example.ids)] = rows, len(example.ids) - common
            rows += len(example.ids) - common
        size = 4 * rows * self._width
        file = beside.with_suffix(f".{self._digest(plan)}.lower")
        if not file.is_file() or file.stat().st_size != size:
            file.parent.mkdir(parents=True, exist_ok=True)
            limit = min(MOST_BYTES, MOST_OF_DISK * shutil.disk_usage(file.parent).free)
            if size > limit:
                console.print(
                    f"{beside.stem}: what the lower {self.count} layers make of its examples would "
                    f"take {size / 1e9:.1f} GB, so it is computed at every step",
                    soft_wrap=True,
                )
                self._places = {}
                return
            self._write(plan, common, file, stop)
        self._file = file
        self._common = self._rows(0, common)

    def forget(self) -> None:
        """Remove the file."""
        if self._file is not None:
            self._file.unlink(missing_ok=True)
            self._file, self._places = None, {}

    @property
    def _width(self) -> int:
        return int(self._model.config.hidden_size)

    def _digest(self, plan: Sequence[Sequence[Tokens]]) -> str:
        """Of all that the file depends on but the base, of which a run has one."""
        digest = hashlib.sha256(f"{self.count} {self._precision}".encode())
        for batch in plan:
            digest.update(len(batch).to_bytes(4, "little"))
            for example in batch:
                digest.update(len(example.ids).to_bytes(4, "little") + _key(example.ids))
        return digest.hexdigest()[:16]

    def _write(
        self, plan: Sequence[Sequence[Tokens]], common: int, file: Path, stop: Callable[[], bool]
    ) -> None:
        """First the states of the `common` tokens, then each example's own, in the plan's order."""
        fresh = file.with_name(f".{file.name}")
        try:
            with fresh.open("wb") as out:
                for number, examples in enumerate(plan):
                    if stop():
                        raise Interrupted
                    batch = collate(examples).to(self._model.device)
                    shared = shared_tokens(batch)
                    beginning, rest = (part.cpu() for part in self._read(batch, shared))
                    for row, example in enumerate(examples):
                        states = torch.cat((beginning[0], rest[row]))[: len(example.ids)]
                        first = common if number or row else 0
                        states[first:].numpy().tofile(out)
            fresh.replace(file)
        finally:
            fresh.unlink(missing_ok=True)

    def _kept(self, batch: Batch) -> list[torch.Tensor] | None:
        """Each example's states `[tokens, hidden]`; None where one of them is not kept."""
        if not self._places:
            return None
        ends = torch.zeros(len(batch.ids), dtype=torch.int64, device=batch.ids.device)
        ends = ends.scatter_reduce(0, batch.rows, batch.columns + 2, "amax")
        rows = batch.ids.int().cpu().numpy()
        keys = [_key(row[:end]) for row, end in zip(rows, ends.tolist(), strict=True)]
        if not all(key in self._places for key in keys):
            return None
        return [torch.cat((self._common, self._rows(*self._places[key]))) for key in keys]

    def _rows(self, first: int, count: int) -> torch.Tensor:
        """`[count, hidden]` of the file. It is read, not mapped: pages would count as resident."""
        assert self._file is not None
        found = np.fromfile(
            self._file, np.float32, count * self._width, offset=4 * first * self._width
        )
        return torch.from_numpy(found).view(count, self._width).to(self._model.device)

    @torch.no_grad()
    def _read(self, batch: Batch, shared: int) -> tuple[torch.Tensor, torch.Tensor]:
        ids = batch.ids
        # Layers without an adapter are other code to a compiler, which would take its minutes.
        with autocast(ids.device, self._precision), attention(batch), eager(self._model):
            return through(self._decoder, ids[:1, :shared], ids[:, shared:])


def _common_length(examples: Sequence[Tokens]) -> int:
    """How many ids all examples begin with; 0 where they are not worth sharing."""
    every = [example.ids.tolist() for example in examples]
    # Of sorted sequences, the first and the last differ soonest.
    common = shared_length((min(every), max(every)))
    return common if common >= WORTH_SHARING else 0


def _key(ids: np.typing.NDArray[np.int32]) -> bytes:
    return ids.tobytes()
