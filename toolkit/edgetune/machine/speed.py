"""How long training will take on this processor, told from a matrix product before it begins.

A rough figure: what passes between the products is a factor of theirs, which
`benchmarks/train_step.py` measures. It knows sizes, not models.
"""

import time
from collections import Counter
from collections.abc import Sequence

import torch

from edgetune.machine.precision import Precision

BETWEEN, BETWEEN_COMPILED = 3.0, 1.6
"""A step's time over that of its matrix products, as it is and with compiled layers."""

_ROWS = 512
"""Tokens of a step, about."""


def training_seconds(
    tokens: int, sizes: Sequence[tuple[int, int]], precision: Precision, *, compiled: bool
) -> float:
    """About how long it takes to train on so many `tokens` with frozen matrices of `sizes`.

    Each is multiplied by twice, forward and back to its inputs.
    """
    factor = BETWEEN_COMPILED if compiled else BETWEEN
    products = sum(
        count * product_seconds(precision, *size) for size, count in Counter(sizes).items()
    )
    return factor * 2 * products * tokens / _ROWS


def product_seconds(precision: Precision, inner: int, outer: int) -> float:
    """Of one product `[512, inner] x [inner, outer]`, with as many threads as torch has."""
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    given, matrix = torch.ones(_ROWS, inner, dtype=dtype), torch.ones(inner, outer, dtype=dtype)
    least = float("inf")
    for _ in range(4):
        began = time.perf_counter()
        given @ matrix
        least = min(least, time.perf_counter() - began)
    return least
