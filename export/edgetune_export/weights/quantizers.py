"""How a float checkpoint may be made int4: the one table of quantizers.

All of them round to the same grid, which is `quantize`'s. This module imports nothing heavy, so
that a recipe can be checked and a command line can list the names.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Quantizer:
    """One quantizer."""

    about: str
    """What it rounds by, in a few words."""
    divisors: tuple[float, ...]
    """Scales tried for each group of a weight that is rounded by itself: its largest magnitude over
    one of these; the one of least squared error is taken. Over 7 nothing is clipped."""
    module: str | None = None
    """Of one that reads texts: has `quantize_layers(checkpoint, sequences, name, embedding_bits,
    wide)`, which rounds the projections of all layers by what that does to outputs. Other weights
    are rounded by themselves."""


_LEAST_ERROR = (7.0, 7.5, 8.0, 8.5, 9.0)
"""Choosing by the error of the group takes a fifth off the mean squared error of 7 alone, for
Gaussian, Laplace and Student-t weights alike."""

QUANTIZERS: Mapping[str, Quantizer] = {
    "rtn": Quantizer("to the nearest", (7.0,)),
    "mse": Quantizer("by the scale of least error", _LEAST_ERROR),
    "gptq": Quantizer(
        "by what it does to outputs on texts and calls",
        _LEAST_ERROR,
        module="edgetune_export.weights.gptq",
    ),
}
"""By the name that `--method`, recipes and base.json use."""

DEFAULT_QUANTIZER = "mse"
LARGE_QUANTIZER = "gptq"
"""The default of bases of over 50 million parameters."""

FLOAT = "float"
"""Instead of a quantizer: the checkpoint is left as it is."""


def methods() -> tuple[str, ...]:
    """How a base can be made of a float checkpoint."""
    return (*QUANTIZERS, FLOAT)
