"""PEFT directories become slot tensors whose product is what PEFT adds, or are refused by name."""

import json
import math

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from edgetune_export.slots import read_peft, write_blob
from edgetune_runtime.errors import AdapterError, InputError


@pytest.fixture
def base(tiny_base):
    return tiny_base("qwen2")


def edit(directory, **changes):
    path = directory / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def peft_delta(base, directory, module):
    """What PEFT itself adds to a weight, `[out, in]`."""
    from peft import PeftModel

    model = PeftModel.from_pretrained(base.model(), directory)
    return model.get_submodule(f"base_model.model.{module}").get_delta_weight("default").detach()


@pytest.mark.parametrize("rslora", [False, True])
def test_product_of_a_slot_is_what_peft_adds(base, random_adapter, rslora):
    directory = random_adapter(base, use_rslora=rslora)
    adapter = read_peft(directory, base)
    assert adapter.scale == (8 / math.sqrt(4) if rslora else 8 / 4)
    assert (adapter.rank, adapter.rslora) == (4, rslora)
    assert len(adapter.tensors) == 2 * len(base.slots())
    for slot in base.slots():
        a, b = adapter.tensors[f"{slot.name}.lora_A"], adapter.tensors[f"{slot.name}.lora_B"]
        assert (a.shape, b.shape) == ((slot.in_features, 4), (4, slot.out_features))
        delta = peft_delta(base, directory, base.slot_modules[slot.name])
        np.testing.assert_allclose((a @ b).T, delta.numpy(), atol=1e-6)


def test_patterns_of_rank_and_alpha_are_honoured(base, random_adapter):
    patterns = {"rank_pattern": {"q_proj": 2}, "alpha_pattern": {"layers.1.mlp.up_proj": 32}}
    directory = random_adapter(base, use_rslora=True, **patterns)
    adapter = read_peft(directory, base)
    assert adapter.rank == 4
    for name in ("layers.0.attn.q_proj", "layers.1.mlp.up_proj", "layers.0.mlp.up_proj"):
        product = adapter.tensors[f"{name}.lora_A"] @ adapter.tensors[f"{name}.lora_B"]
        delta = peft_delta(base, directory, base.slot_modules[name])
        np.testing.assert_allclose(product.T, delta.numpy(), atol=1e-6)


def test_modules_may_be_missing(base, random_adapter):
    adapter = read_peft(random_adapter(base, target_modules=["q_proj"]), base)
    assert set(adapter.tensors) == {
        f"layers.{layer}.attn.q_proj.lora_{side}" for layer in (0, 1) for side in "AB"
    }


def test_an_activated_adapter_is_read_with_its_invocation(base, random_adapter):
    assert read_peft(random_adapter(base), base).invocation == ()
    directory = random_adapter(base, alora_invocation_tokens=[3])
    assert read_peft(directory, base).invocation == (3,)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("use_dora", True),
        ("bias", "all"),
        ("modules_to_save", ["lm_head"]),
        ("use_qalora", True),
        ("lora_bias", True),
        ("fan_in_fan_out", True),
        ("layer_replication", [[0, 2]]),
        ("trainable_token_indices", [7]),
        ("init_lora_weights", "pissa"),
        ("an_option_of_the_future", {"x": 1}),
        ("peft_type", "IA3"),
    ],
)
def test_an_option_that_slots_cannot_express_is_refused_by_name(base, random_adapter, key, value):
    directory = random_adapter(base)
    edit(directory, **{key: value})
    with pytest.raises(InputError, match=key):
        read_peft(directory, base)


def test_an_adapter_of_a_wider_base_is_refused_with_both_shapes(base, random_adapter):
    directory = random_adapter(base)
    tensors = load_file(directory / "adapter_model.safetensors")
    name = next(key for key in tensors if "layers.1.self_attn.k_proj.lora_A" in key)
    tensors[name] = torch.zeros(4, 128)
    save_file(tensors, directory / "adapter_model.safetensors")
    with pytest.raises(AdapterError, match=r"k_proj' has shapes \[4, 128\].*\[4, 64\]"):
        read_peft(directory, base)


def test_a_rank_that_the_config_does_not_say_is_refused(base, random_adapter):
    directory = random_adapter(base)
    edit(directory, r=8)
    with pytest.raises(AdapterError, match="ask for"):
        read_peft(directory, base)


def test_a_module_that_is_no_slot_is_refused_by_name(base, random_adapter):
    directory = random_adapter(base)
    path = directory / "adapter_model.safetensors"
    tensors = {key.replace("layers.1", "layers.7"): value for key, value in load_file(path).items()}
    save_file(tensors, path)
    with pytest.raises(AdapterError, match=r"'model\.layers\.7\..*', which is no slot"):
        read_peft(directory, base)


def test_an_adapted_head_is_refused_by_name(base, random_adapter):
    with pytest.raises(InputError, match="lm_head"):
        read_peft(random_adapter(base, target_modules=["lm_head", "q_proj"]), base)


@pytest.mark.parametrize("file", ["adapter_config.json", "adapter_model.safetensors"])
def test_a_missing_or_truncated_file_is_refused_by_name(base, random_adapter, file):
    directory = random_adapter(base)
    content = (directory / file).read_bytes()
    (directory / file).write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match=file):
        read_peft(directory, base)
    (directory / file).unlink()
    with pytest.raises(InputError, match=f"{file} is missing"):
        read_peft(directory, base)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_a_blob_is_the_same_bytes_each_time_and_reads_back(base, random_adapter, tmp_path, dtype):
    tensors = read_peft(random_adapter(base), base).tensors
    metadata = {"rank": "4", "base_sha256": base.weights_sha256, "a": "b", "name": "x"}
    write_blob(tmp_path / "one", tensors, metadata, dtype)
    write_blob(tmp_path / "two", tensors, dict(reversed(metadata.items())), dtype)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    with safe_open(tmp_path / "one", "np") as file:
        assert file.metadata() == metadata
        for name, value in tensors.items():
            np.testing.assert_array_equal(file.get_tensor(name), value.astype(dtype))


def test_values_beyond_float16_are_refused(tmp_path):
    tensors = {"layers.0.attn.q_proj.lora_A": np.full((2, 2), 1e6, np.float32)}
    with pytest.raises(InputError, match="float16 cannot"):
        write_blob(tmp_path / "blob", tensors, {}, "float16")
    assert not (tmp_path / "blob").exists()
