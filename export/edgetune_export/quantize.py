"""The one int4 quantizer: symmetric codes in groups of 32 along the input, scales that bf16 holds.

Every target is built from the codes made here, and training runs on what they dequantize to; no
other place rounds a weight. It knows tensors, not models or files (`base`), nor how a target lays
its codes out (`onnx`).
"""

from dataclasses import dataclass

import torch

from edgetune_runtime.errors import InputError

GROUP = 32
"""Inputs that share a scale."""

_DIVISORS = (7.0, 7.5, 8.0, 8.5, 9.0)
"""Scales tried for each group: its largest magnitude over one of these. Choosing by the error of
the group takes a fifth off the mean squared error of the largest magnitude over 7, for Gaussian,
Laplace and Student-t weights alike. Scales stay positive: XNNPACK takes no others."""

_CHUNK = 1 << 22
"""Weights that are quantized at a time, so that an embedding table needs no copies of itself."""


@dataclass(frozen=True)
class Quantized:
    """A weight `[out, in]` as int8 `codes` `[out, in]` in -8..7 and float32 `scales` `[out, in/32]`
    that bfloat16 represents exactly."""

    codes: torch.Tensor
    scales: torch.Tensor


def quantize(weight: torch.Tensor, name: str = "weight") -> Quantized:
    """Round `weight` `[out, in]` to int4, group by group, with the scale of least squared error.

    A weight that was dequantized in float32 gets its codes back. Raises InputError, naming the
    tensor, where `in` is no multiple of 32 or a weight is not finite.
    """
    if weight.dim() != 2 or weight.shape[1] % GROUP:
        raise InputError(
            f"{name} has shape {list(weight.shape)}, but int4 groups need two dimensions and a "
            f"last one that is a multiple of {GROUP}; choose a base with such widths."
        )
    rows = max(1, _CHUNK // weight.shape[1])
    codes = torch.empty(weight.shape, dtype=torch.int8)
    scales = torch.empty((weight.shape[0], weight.shape[1] // GROUP), dtype=torch.float32)
    for start in range(0, weight.shape[0], rows):
        part = slice(start, start + rows)
        groups = weight[part].detach().float().unflatten(1, (-1, GROUP))
        if not torch.isfinite(groups).all():
            raise InputError(f"{name} holds values that are not finite; get the checkpoint again.")
        best = _best_scales(groups)
        codes[part] = _round(groups, best).to(torch.int8).flatten(1)
        scales[part] = best
    return Quantized(codes, scales)


def dequantize(quantized: Quantized, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """The weight `[out, in]` that the codes stand for: code times the scale of its group."""
    groups = quantized.codes.float().unflatten(1, (-1, GROUP))
    return (groups * quantized.scales.unsqueeze(-1)).flatten(1).to(dtype)


def fake_quantize(weight: torch.Tensor) -> torch.Tensor:
    """`dequantize(quantize(weight))` whose gradient passes straight through to `weight`.

    For training a base that will be shipped in int4 (straight-through estimator,
    arXiv:1308.3432); works on any device.
    """
    with torch.no_grad():
        groups = weight.float().unflatten(1, (-1, GROUP))
        scales = _best_scales(groups)
        rounded = (_round(groups, scales) * scales.unsqueeze(-1)).flatten(1).to(weight.dtype)
    return weight + (rounded - weight).detach()


def pack(codes: torch.Tensor) -> torch.Tensor:
    """Two codes a byte, uint8 `[out, in/2]`: code + 8, the even input in the low half."""
    unsigned = (codes + 8).to(torch.uint8)
    return unsigned[:, 0::2] | (unsigned[:, 1::2] << 4)


def unpack(packed: torch.Tensor) -> torch.Tensor:
    """The int8 codes `[out, in]` of a packed uint8 `[out, in/2]`."""
    halves = torch.stack((packed & 0xF, packed >> 4), dim=-1)
    return halves.flatten(-2).to(torch.int8) - 8


def _best_scales(groups: torch.Tensor) -> torch.Tensor:
    """Scales `[out, in/32]` for `groups` `[out, in/32, 32]`."""
    largest = groups.abs().amax(-1)
    tiny = torch.finfo(torch.bfloat16).tiny
    best = torch.ones_like(largest)
    least = torch.full_like(largest, torch.inf)
    for divisor in _DIVISORS:
        scales = (largest / divisor).clamp_min(tiny).bfloat16().float()
        error = (_round(groups, scales) * scales.unsqueeze(-1) - groups).square_().sum(-1)
        better = error < least
        best = torch.where(better, scales, best)
        least = torch.where(better, error, least)
    return best


def _round(groups: torch.Tensor, scales: torch.Tensor) -> torch.Tensor:
    return (groups / scales.unsqueeze(-1)).round_().clamp_(-8, 7)
