"""How long training will take on this processor, told from a matrix product before it begins.

A rough figure: what passes between the products takes a time of its own, which is hardly another
on another processor, as `benchmarks/train_step.py` measures it. It knows sizes, not models.
"""

from collections import Counter
from collections.abc import Sequence

import torch

from edgetune.machine.precision import ROWS, Precision, product_seconds

PRODUCTS = 1.1
"""A step's matrix products, over those of the frozen matrices alone."""
BETWEEN, BETWEEN_COMPILED = 13e-9, 6.4e-9
"""Seconds of one thread for each value that the frozen matrices give for a token: what passes
between the products, as it is and with compiled layers."""


def training_seconds(
    tokens: int, sizes: Sequence[tuple[int, int]], precision: Precision, *, compiled: bool
) -> float:
    """About how long it takes to train on so many `tokens` with frozen matrices of `sizes`, as many
    values in and out.

    Each is multiplied by twice, forward and back to its inputs.
    """
    products = sum(
        count * product_seconds(precision, *size) for size, count in Counter(sizes).items()
    )
    values = sum(outer for _, outer in sizes)
    between = (BETWEEN_COMPILED if compiled else BETWEEN) * values / torch.get_num_threads()
    return tokens * (PRODUCTS * 2 * products / ROWS + between)
