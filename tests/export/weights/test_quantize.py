"""Int4 codes and scales: exact where they must be, close where they can be."""

import pytest
import torch

from edgetune_export.weights.quantize import (
    dequantize,
    fake_quantize,
    pack,
    quantize,
    unpack,
    unsigned_bytes,
)
from edgetune_runtime.errors import InputError


@pytest.fixture
def weight() -> torch.Tensor:
    return torch.randn(48, 96, generator=torch.Generator().manual_seed(0))


def test_scales_are_positive_and_exact_in_bfloat16(weight):
    scales = quantize(weight).scales
    assert scales.shape == (48, 3)
    assert (scales > 0).all()
    assert torch.equal(scales.bfloat16().float(), scales)


def test_codes_use_the_whole_int4_range_and_no_more(weight):
    codes = quantize(weight).codes
    assert codes.dtype == torch.int8
    assert (int(codes.min()), int(codes.max())) == (-8, 7)


def test_bytes_share_a_scale_along_a_row_and_are_far_closer(weight):
    found = quantize(weight, bits=8)
    assert (found.bits, found.scales.shape, found.group) == (8, (48, 1), 96)
    assert int(found.codes.abs().max()) in (127, 128)
    assert torch.equal(found.scales.bfloat16().float(), found.scales)
    error = (dequantize(found) - weight).square().mean()
    assert error < 0.01 * (dequantize(quantize(weight)) - weight).square().mean()


@pytest.mark.parametrize("bits", [4, 8])
def test_unsigned_codes_and_scales_of_blocks_are_the_same_weight(weight, bits):
    found = quantize(weight, bits=bits)
    data, half = unsigned_bytes(found), 1 << (bits - 1)
    codes = data.int() - half
    if bits == 4:
        codes = torch.stack((data & 15, data >> 4), -1).flatten(1).int() - half
    assert found.block == 32  # 96 inputs are three times 32
    wide = found.scales_of(found.block).repeat_interleave(found.block, 1)
    assert torch.equal(codes * wide, dequantize(found))


def test_quantizing_again_gives_the_same_codes(weight):
    once = quantize(weight)
    again = quantize(dequantize(once))
    assert torch.equal(once.codes, again.codes)
    assert torch.equal(once.scales, again.scales)


@pytest.mark.parametrize("divisor", [7.0, 8.0])
def test_error_is_a_seventh_below_any_fixed_divisor(weight, divisor):
    groups = weight.unflatten(1, (-1, 32))
    scales = (groups.abs().amax(-1, keepdim=True) / divisor).bfloat16().float()
    plain = ((groups / scales).round().clamp(-8, 7) * scales).flatten(1)
    error = (dequantize(quantize(weight)) - weight).square().mean()
    assert error < 0.9 * (plain - weight).square().mean()


def test_plain_rounding_takes_a_seventh_of_the_largest_magnitude(weight):
    groups = weight.unflatten(1, (-1, 32))
    scales = (groups.abs().amax(-1) / 7).bfloat16().float()
    found = quantize(weight, method="rtn")
    assert torch.equal(found.scales, scales)
    assert (dequantize(found) - weight).abs().max() <= 0.51 * scales.max()  # nothing is clipped


def test_a_group_of_zeros_stays_zero():
    quantized = quantize(torch.zeros(2, 32))
    assert torch.equal(dequantize(quantized), torch.zeros(2, 32))
    assert (quantized.scales > 0).all()


def test_large_weights_are_quantized_in_parts_alike(weight, monkeypatch):
    whole = quantize(weight)
    monkeypatch.setattr("edgetune_export.weights.quantize._CHUNK", 500)
    parts = quantize(weight)
    assert torch.equal(whole.codes, parts.codes)
    assert torch.equal(whole.scales, parts.scales)


def test_unpack_undoes_pack(weight):
    codes = quantize(weight).codes
    packed = pack(codes)
    assert (packed.dtype, packed.shape) == (torch.uint8, (48, 48))
    assert torch.equal(unpack(packed), codes)


def test_fake_quantize_rounds_forward_and_passes_gradients_through(weight):
    weight.requires_grad_()
    rounded = fake_quantize(weight)
    torch.testing.assert_close(rounded, dequantize(quantize(weight)), rtol=0, atol=1e-6)
    (rounded * 3).sum().backward()
    assert torch.equal(weight.grad, torch.full_like(weight, 3))


@pytest.mark.parametrize("shape", [(4, 48), (64,)])
def test_a_weight_without_whole_groups_is_refused_by_name(shape):
    with pytest.raises(InputError, match=r"layer\.weight has shape"):
        quantize(torch.zeros(shape), "layer.weight")


def test_a_weight_that_is_not_finite_is_refused_by_name(weight):
    weight[3, 4] = torch.nan
    with pytest.raises(InputError, match=r"layer\.weight holds values that are not finite"):
        quantize(weight, "layer.weight")
