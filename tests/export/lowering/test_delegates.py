"""Core ML and Vulkan: the decoder is the base, and a program is one delegate a method."""

import pytest
import torch

from edgetune_export.lowering import vulkan
from edgetune_export.lowering.coreml import COREML
from edgetune_export.lowering.delegates import MODEL, export_delegate
from edgetune_export.lowering.program_structure import check_program, read_methods
from edgetune_export.lowering.static_decoder import StaticDecoder
from edgetune_runtime.errors import BundleError, InputError

IDS = list(range(20, 30))


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("family", ["qwen2", "llama", "qwen3"])
def test_the_decoder_computes_what_transformers_does(tiny_base, family, tied):
    """A chunk with padding behind nothing, then one token behind it."""
    base = tiny_base(family, tied=tied)
    wanted = base.model()(torch.tensor([IDS])).logits[0, -1]
    chunk, one = (StaticDecoder(base, length, 24, 4).eval() for length in (12, 1))
    ids, positions, mask, _, past, slots = chunk.example
    past = [(keys.clone(), values.clone()) for keys, values in past]
    ids[0, :9] = torch.tensor(IDS[:9])
    mask[..., :24] = -1e4
    mask[0, 0, :, 24:] = torch.full((12, 12), -1e4).triu(1)
    with torch.inference_mode():
        _, new = chunk(ids, positions, mask, torch.tensor([8]), past, slots)
        for kept, made in zip(past, new, strict=True):
            for cache, values in zip(kept, made, strict=True):
                cache[:, :, :9] = values[:, :, :9]
        mask = torch.full((1, 1, 1, 25), -1e4)
        mask[..., :9] = mask[..., 24:] = 0
        last = torch.tensor([[IDS[9]]]), torch.tensor([9]), mask, torch.tensor([0])
        logits, _ = one(*last, past, slots)
    torch.testing.assert_close(logits[0, 0], wanted, atol=2e-5, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("delegate", "other"), [(COREML, vulkan.VULKAN), (vulkan.VULKAN, COREML)])
def test_a_program_is_one_delegate_a_method_with_slots_as_inputs(
    tiny_base, tmp_path, delegate, other
):
    base = tiny_base("qwen2", spare=2, embedding_bits=8)
    options = export_delegate(base, tmp_path, delegate, rank=4, chunk=4, context_length=32)
    assert options["executed"] is False
    methods = read_methods(tmp_path / MODEL)
    assert set(methods) == {"prefill", "decode"}
    assert "nothing left over" in check_program(tmp_path / MODEL, delegate.id, 2, 14)
    with pytest.raises(BundleError, match=r"takes 36 tensors where 34 were expected"):
        check_program(tmp_path / MODEL, delegate.id, 2, 13)
    with pytest.raises(BundleError, match="was expected"):
        check_program(tmp_path / MODEL, other.id, 2, 14)


def test_a_file_that_is_no_program_is_named(tmp_path):
    (tmp_path / MODEL).write_bytes(b"nothing")
    with pytest.raises(BundleError, match=r"model\.pte: is no ExecuTorch program"):
        read_methods(tmp_path / MODEL)


def test_vulkan_refuses_a_vocabulary_that_its_product_cannot_take(tiny_base, tmp_path):
    with pytest.raises(InputError, match=r"config\.json: vocab_size \d+ is no multiple of 4"):
        vulkan.lower(tiny_base("qwen2"), tmp_path, {"rank": 4})
    assert not list(tmp_path.iterdir())
