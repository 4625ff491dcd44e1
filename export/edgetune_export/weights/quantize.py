"""The one quantizer: symmetric codes, scales that bfloat16 holds.

Int4 codes share a scale in groups of 32 along the input. Int8 codes share one along a whole row,
since XNNPACK multiplies by no others. Every target is built from codes on this grid, and training
runs on what they dequantize to. Here a weight is rounded by itself; `gptq` rounds on the same grid
by what its errors do to a layer's outputs, and no other place rounds a weight. It knows tensors,
not models or files (`base`), nor how a target lays its codes out (`onnx`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from edgetune_export.weights.quantizers import DEFAULT_QUANTIZER, QUANTIZERS
from edgetune_runtime.errors import InputError

GROUP = 32
"""Inputs that share a scale."""

_OF_BYTES = (127.0,)
"""Divisors of int8 codes: to clip gains nothing there."""

_CHUNK = 1 << 22
"""Weights that are quantized at a time, so that an embedding table needs no copies of itself."""


@dataclass(frozen=True)
class Quantized:
    """A weight `[out, in]`: int8 `codes` `[out, in]`, -8..7 or, of 8 bits, -128..127, and float32
    `scales` that bfloat16 represents exactly, `[out, in/32]` or, of 8 bits, `[out, 1]`."""

    codes: torch.Tensor
    scales: torch.Tensor
    bits: int = 4

    @property
    def group(self) -> int:
        """Inputs that share a scale."""
        return self.codes.shape[1] // self.scales.shape[1]

    @property
    def block(self) -> int:
        """The largest group that ONNX Runtime's ops take: a power of two, up to 256."""
        return min(256, self.group & -self.group)

    def scales_of(self, inputs: int) -> torch.Tensor:
        """The scales by groups of so many `inputs`: that of a row stands for all its groups."""
        return self.scales.repeat_interleave(self.group // inputs, 1)


def quantize(
    weight: torch.Tensor, name: str = "weight", method: str = DEFAULT_QUANTIZER, bits: int = 4
) -> Quantized:
    """Round `weight` `[out, in]` to the nearest code of `bits` bits, 4 or 8, by the scales of the
    quantizer `method`.

    A weight that was dequantized in float32 gets its codes back by `mse`. Raises InputError, naming
    the tensor, where `in` is no multiple of 32 or a weight is not finite.
    """
    check_groups(weight, name)
    rows = max(1, _CHUNK // weight.shape[1])
    group, divisors = GROUP, QUANTIZERS[method].divisors
    if bits == 8:
        group, divisors = weight.shape[1], _OF_BYTES
    codes = torch.empty(weight.shape, dtype=torch.int8)
    scales = torch.empty((weight.shape[0], weight.shape[1] // group), dtype=torch.float32)
    for start in range(0, weight.shape[0], rows):
        part = slice(start, start + rows)
        groups = weight[part].detach().float().unflatten(1, (-1, group))
        best = _best_scales(groups, divisors, bits)
        codes[part] = to_codes(groups, best.unsqueeze(-1), bits).to(torch.int8).flatten(1)
        scales[part] = best
    return Quantized(codes, scales, bits)


def bits_of(projection: str, wide: Sequence[str]) -> int:
    """8 for the weight of one of the projections `wide`, by its checkpoint name; 4 for another."""
    return 8 if projection.removesuffix(".weight").endswith(tuple(wide)) else 4


def check_groups(weight: torch.Tensor, name: str) -> None:
    """Raise InputError, naming the tensor, where `weight` cannot be quantized in groups."""
    if weight.dim() != 2 or weight.shape[1] % GROUP:
        raise InputError(
            f"{name} has shape {list(weight.shape)}, but int4 groups need two dimensions and a "
            f"last one that is a multiple of {GROUP}; choose a base with such widths."
        )
    if not all(torch.isfinite(end) for end in weight.aminmax()):
        raise InputError(f"{name} holds values that are not finite; get the checkpoint again.")


def dequantize(quantized: Quantized, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """The weight `[out, in]` that the codes stand for: code times the scale of its group."""
    groups = quantized.codes.float().unflatten(1, (-1, quantized.group))
    return (groups * quantized.scales.unsqueeze(-1)).flatten(1).to(dtype)


def fake_quantize(weight: torch.Tensor) -> torch.Tensor:
    """`dequantize(quantize(weight))` whose gradient passes straight through to `weight`.

    For training a base that will be shipped in int4 (straight-through estimator,
    arXiv:1308.3432); works on any device.
    """
    with torch.no_grad():
        groups = weight.float().unflatten(1, (-1, GROUP))
        scales = _best_scales(groups, QUANTIZERS[DEFAULT_QUANTIZER].divisors).unsqueeze(-1)
        rounded = (to_codes(groups, scales) * scales).flatten(1).to(weight.dtype)
    return weight + (rounded - weight).detach()


def pack(codes: torch.Tensor) -> torch.Tensor:
    """Two int4 codes a byte, uint8 `[out, in/2]`: code + 8, the even input in the low half."""
    unsigned = (codes + 8).to(torch.uint8)
    return unsigned[:, 0::2] | (unsigned[:, 1::2] << 4)


def unsigned_bytes(quantized: Quantized) -> torch.Tensor:
    """The codes without signs, as ONNX Runtime's ops take them: uint8 `[out, in * bits / 8]`."""
    if quantized.bits == 8:
        return (quantized.codes.to(torch.int16) + 128).to(torch.uint8)
    return pack(quantized.codes)


def unpack(packed: torch.Tensor) -> torch.Tensor:
    """The int8 codes `[out, in]` of a packed uint8 `[out, in/2]`."""
    halves = torch.stack((packed & 0xF, packed >> 4), dim=-1)
    return halves.flatten(-2).to(torch.int8) - 8


def scales_for(largest: torch.Tensor, divisor: float) -> torch.Tensor:
    """Scales of groups by their largest magnitudes: exact in bfloat16, and positive, since XNNPACK
    takes no others."""
    tiny = torch.finfo(torch.bfloat16).tiny
    return (largest / divisor).clamp_min(tiny).bfloat16().float()


def to_codes(weights: torch.Tensor, scales: torch.Tensor, bits: int = 4) -> torch.Tensor:
    """The nearest codes, as floats; `scales` broadcasts against `weights`."""
    half = 1 << (bits - 1)
    return (weights / scales).round_().clamp_(-half, half - 1)


def _best_scales(groups: torch.Tensor, divisors: tuple[float, ...], bits: int = 4) -> torch.Tensor:
    """Scales `[out, groups]` of least squared error for `groups` `[out, groups, inputs]`."""
    largest = groups.abs().amax(-1)
    best = torch.ones_like(largest)
    least = torch.full_like(largest, torch.inf)
    for divisor in divisors:
        scales = scales_for(largest, divisor)
        wide = scales.unsqueeze(-1)
        error = (to_codes(groups, wide, bits) * wide - groups).square_().sum(-1)
        better = error < least
        best = torch.where(better, scales, best)
        least = torch.where(better, error, least)
    return best
