"""The decoder for compilers that know plain operators and fixed shapes alone (Core ML, Vulkan).

Its contract is `static_graph`'s, in torch and with the embedding: the caller keeps the K/V cache.
"""

from collections.abc import Sequence

import torch

from edgetune_export.lowering.executorch_model import Layers, Pair
from edgetune_export.weights.base import Base

Inputs = tuple[
    torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor, Sequence[Pair], Sequence[Pair]
]


class StaticDecoder(Layers):
    """The base for a fixed number of tokens behind a cache of fixed length."""

    def __init__(self, base: Base, length: int, context: int, rank: int) -> None:
        # A padded chunk may reach past the context.
        super().__init__(base, context + length, activations=None)
        shape = base.shape
        past = torch.zeros(1, shape.kv_heads, context, shape.head_dim)
        self.example: Inputs = (
            torch.zeros(1, length, dtype=torch.int64),
            torch.arange(length),
            torch.zeros(1, 1, length, context + length),
            torch.zeros(1, dtype=torch.int64),
            [(past, past) for _ in range(shape.layers)],
            [
                (torch.zeros(1, slot.in_features, rank), torch.zeros(1, rank, slot.out_features))
                for slot in base.slots()
            ],
        )
        """Inputs of the right shapes, to trace with."""

    def forward(
        self,
        ids: torch.Tensor,
        positions: torch.Tensor,
        mask: torch.Tensor,
        last: torch.Tensor,
        past: Sequence[Pair],
        slots: Sequence[Pair],
    ) -> tuple[torch.Tensor, list[Pair]]:
        """Logits `[1, 1, vocab]` of row `last` `[1]` of `ids` `[1, S]`, and each layer's new keys
        and values `[1, kv_heads, S, head_dim]`.

        `positions` is `[S]`, `mask` `[1, 1, S, context + S]` is added to scores, and `past` has
        each layer's keys and values `[1, kv_heads, context, head_dim]`.
        """
        new: list[Pair] = []

        def attend(
            layer: int, queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor
        ) -> torch.Tensor:
            queries, keys, values = (x.transpose(1, 2) for x in (queries, keys, values))
            new.append((keys, values))
            keys, values = (torch.cat(pair, 2) for pair in zip(past[layer], new[-1], strict=True))
            # Each key's group of queries at once.
            grouped = queries.reshape(1, keys.shape[1], -1, self.head_dim)
            scores = (grouped @ keys.transpose(2, 3)) * self.head_dim**-0.5
            scores = scores.reshape(1, queries.shape[1], -1, keys.shape[2]) + mask
            weights = scores.softmax(-1).reshape(1, keys.shape[1], -1, keys.shape[2])
            return (weights @ values).reshape(queries.shape).transpose(1, 2)

        angles = self.cos.index_select(0, positions), self.sin.index_select(0, positions)
        hidden = self.compute(ids, angles, slots, attend).index_select(1, last)
        return self.head(self.norm(hidden)), new
