"""Which examples stand in which step, and a step's examples as tensors.

The whole plan follows from lengths, settings and seed, so that a resumed run needs nothing but the
number of its next step. It knows neither models nor records.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from edgetune.train.examples import Tokens

DEFAULT_EPOCHS = 3.0
DEFAULT_BATCH_SIZE = 16

_POOL = 32
"""Batches among whose examples similar lengths are put together."""


@dataclass(frozen=True)
class BatchSize:
    """The limit of a step: a number of examples, or of tokens with padding."""

    examples: int = DEFAULT_BATCH_SIZE
    tokens: int | None = None
    """Where given, it counts instead of `examples`."""

    def admits(self, count: int, longest: int) -> bool:
        """Whether `count` examples, the longest of `longest` tokens, fit into one step."""
        return count <= self.examples if self.tokens is None else count * longest <= self.tokens

    def expected(self, mean: float) -> int:
        """About how many examples of `mean` tokens fit into one step."""
        return self.examples if self.tokens is None else max(1, int(self.tokens / mean))


@dataclass(frozen=True)
class Batch:
    """One step's examples, padded on the right: no causal model sees what stands further right."""

    ids: torch.Tensor
    """`[batch, longest]`, int64."""
    rows: torch.Tensor
    """`[loss tokens]`: which example a token with loss belongs to."""
    columns: torch.Tensor
    """`[loss tokens]`: the position before it, whose hidden state predicts it."""

    @property
    def targets(self) -> torch.Tensor:
        """`[loss tokens]`: the ids to be predicted."""
        return self.ids[self.rows, self.columns + 1]

    def to(self, device: torch.device) -> "Batch":
        """The same batch on a device."""
        return Batch(self.ids.to(device), self.rows.to(device), self.columns.to(device))


def plan_steps(
    lengths: Sequence[int],
    size: BatchSize,
    seed: int,
    *,
    steps: int | None = None,
    examples: int | None = None,
) -> list[list[int]]:
    """Indices of the examples of every step, over as many passes as it takes.

    Ends after `steps` steps, or when `examples` examples were drawn (the last step may be
    smaller). Every pass is in a new order; within `_POOL` batches, examples of similar length stand
    together.
    """
    plan: list[list[int]] = []
    left = examples if examples is not None else math.inf
    wanted = steps if steps is not None else math.inf
    generator = np.random.default_rng(seed)
    while left > 0 and len(plan) < wanted:
        order = generator.permutation(len(lengths))[: int(min(left, len(lengths)))]
        epoch = list(_batches(order.tolist(), lengths, size))
        for index in generator.permutation(len(epoch)):
            plan.append(epoch[index])
        left -= len(order)
    return plan if steps is None else plan[:steps]


def plan_all(lengths: Sequence[int], size: BatchSize) -> list[list[int]]:
    """Every example once, sorted by length: for measuring."""
    order = sorted(range(len(lengths)), key=lambda index: lengths[index])
    return list(_cut(order, lengths, size))


def collate(examples: Sequence[Tokens]) -> Batch:
    """Examples as tensors."""
    ids = np.zeros((len(examples), max(len(example.ids) for example in examples)), dtype=np.int64)
    rows: list[int] = []
    columns: list[int] = []
    for row, example in enumerate(examples):
        ids[row, : len(example.ids)] = example.ids
        learnt = np.flatnonzero(example.loss)
        rows.extend([row] * len(learnt))
        columns.extend((learnt - 1).tolist())
    return Batch(torch.from_numpy(ids), torch.tensor(rows), torch.tensor(columns))


def _batches(order: Sequence[int], lengths: Sequence[int], size: BatchSize) -> Iterator[list[int]]:
    pool_size = _POOL * size.expected(sum(lengths[index] for index in order) / len(order))
    for start in range(0, len(order), pool_size):
        pool = sorted(order[start : start + pool_size], key=lambda index: lengths[index])
        yield from _cut(pool, lengths, size)


def _cut(order: Sequence[int], lengths: Sequence[int], size: BatchSize) -> Iterator[list[int]]:
    """Consecutive examples, as many a batch as fit."""
    batch: list[int] = []
    longest = 0
    for index in order:
        longest = max(longest, lengths[index])
        if batch and not size.admits(len(batch) + 1, longest):
            yield batch
            batch, longest = [], lengths[index]
        batch.append(index)
    if batch:
        yield batch
