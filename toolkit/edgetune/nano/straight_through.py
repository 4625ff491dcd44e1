"""Training at int4 weights: forward and backward see what will ship, the optimizer steps from
float.

The straight-through estimator (arXiv:1308.3432), for a whole model at once. It knows parameters,
not how they are rounded (`edgetune_export.weights.quantize`).
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from edgetune_export.weights.quantize import fake_quantize


@contextmanager
def quantized(model: torch.nn.Module, active: bool) -> Iterator[None]:
    """Within, every matrix of `model` has its int4 values; afterwards the float weights are back,
    with gradients as taken at the rounded ones."""
    if not active:
        yield
        return
    matrices = [p for p in model.parameters() if p.ndim == 2]
    kept = [p.data for p in matrices]
    for parameter in matrices:
        parameter.data = fake_quantize(parameter.data)
    try:
        yield
    finally:
        for parameter, original in zip(matrices, kept, strict=True):
            parameter.data = original
