"""Attention as three plain products, for training on a CPU with bfloat16 instructions.

PyTorch's fused kernel neither skips what a mask hides nor uses these instructions there: at the
lengths of pretraining the plain form takes about half its time. It knows one attention call alone.
"""

from typing import Any

import torch
from transformers import AttentionInterface

PLAIN = "edgetune_plain"


def plain_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor,
    scaling: float,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Grouped-query attention with an additive mask.

    Args:
        module: the layer that asks; not used.
        query: `[batch, heads, length, size]`.
        key: `[batch, kv_heads, length, size]`, and so is `value`.
        value: what is averaged.
        attention_mask: `[batch, 1, length, length]`, added to the scores.
        scaling: factor of the scores.

    Returns:
        `[batch, length, heads, size]`, and no weights.
    """
    batch, heads, length, size = query.shape
    grouped = (batch, key.shape[1], -1, size)  # the heads of one key stand one below the other
    scores = (query * scaling).reshape(grouped) @ key.transpose(-1, -2)
    weights = (scores.view(batch, heads, length, length) + attention_mask).softmax(-1)
    mixed = weights.view(*grouped[:3], length) @ value
    return mixed.view(batch, heads, length, size).transpose(1, 2).contiguous(), None


AttentionInterface.register(PLAIN, plain_attention)
