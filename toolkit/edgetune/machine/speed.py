"""How long training will take on this processor, told from a matrix product before it begins.

A rough figure: what passes between the products is a factor of theirs, which
`benchmarks/train_step.py` measures. It knows sizes, not models.
"""

from collections import Counter
from collections.abc import Sequence

from edgetune.machine.precision import ROWS, Precision, product_seconds

BETWEEN, BETWEEN_COMPILED = 3.0, 1.6
"""A step's time over that of its matrix products, as it is and with compiled layers."""


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
    return factor * 2 * products * tokens / ROWS
