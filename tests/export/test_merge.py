"""A merged base is the adapter added in float and quantized afterwards."""

import numpy as np
import pytest
import torch

from edgetune_export.merge import merge_adapter
from edgetune_export.slots import read_peft
from edgetune_export.weights.base import load_base
from edgetune_export.weights.quantize import dequantize, quantize
from edgetune_runtime.errors import InputError


def test_a_merged_base_holds_the_quantized_sums(tiny_base, random_adapter, tmp_path):
    base = tiny_base("qwen2")
    directory = random_adapter(base, "helper", target_modules=["q_proj"], use_rslora=True)
    merged = merge_adapter(base, directory, tmp_path / "merged")
    tensors = read_peft(directory, base).tensors
    slots = {module: name for name, module in base.slot_modules.items()}
    before, after = dict(base.tensors()), dict(merged.tensors())
    assert set(before) == set(after)
    for name, weight in before.items():
        slot = slots.get(name.removesuffix(".weight"))
        if f"{slot}.lora_A" in tensors:
            delta = tensors[f"{slot}.lora_A"] @ tensors[f"{slot}.lora_B"]
            summed = weight + torch.from_numpy(np.ascontiguousarray(delta.T))
            assert torch.equal(after[name], dequantize(quantize(summed)))
            assert not torch.equal(after[name], weight)
        else:
            assert torch.equal(after[name], weight)


def test_what_the_adapter_leaves_alone_keeps_its_codes(tiny_checkpoint, random_adapter, tmp_path):
    source = tiny_checkpoint("qwen2")
    base = load_base(source, tmp_path / "base", method="gptq", embedding_bits=8)
    directory = random_adapter(base, "helper", target_modules=["q_proj"])
    before = base.quantized()
    after = merge_adapter(base, directory, tmp_path / "merged").quantized()
    for name, weight in before.items():
        same = torch.equal(after[name].codes, weight.codes)
        assert same != name.endswith("q_proj.weight"), name


def test_a_merged_base_is_a_base_with_its_own_name_and_hash(tiny_base, random_adapter, tmp_path):
    base = tiny_base("qwen2")
    merge_adapter(base, random_adapter(base, "helper"), tmp_path / "merged")
    merged = load_base(tmp_path / "merged")
    assert merged.name == f"{base.name}+helper"
    assert merged.weights_sha256 != base.weights_sha256
    assert merged.tokenizer.chat_template == base.tokenizer.chat_template


def test_an_activated_adapter_cannot_be_merged(tiny_base, random_adapter, tmp_path):
    base = tiny_base("qwen2")
    directory = random_adapter(base, "helper", alora_invocation_tokens=[3])
    with pytest.raises(InputError, match=r"helper: is an activated LoRA .*'kind: lora'"):
        merge_adapter(base, directory, tmp_path / "merged")
    assert not (tmp_path / "merged").exists()
