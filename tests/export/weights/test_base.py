"""The canonical quantized base: made from every family's checkpoint, opened, copied, refused."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from edgetune_export.weights.base import load_base
from edgetune_export.weights.checkpoint import Checkpoint
from edgetune_export.weights.quantize import dequantize, quantize
from edgetune_export.weights.quantizers import QUANTIZERS, Quantizer
from edgetune_export.weights.stored import WEIGHTS
from edgetune_runtime.errors import InputError

FAMILIES = ["llama", "qwen2", "qwen3"]
IDS = torch.tensor([[5, 60, 61, 7, 200, 3]])


@pytest.fixture(scope="module")
def base(tiny_checkpoint, tmp_path_factory):
    return load_base(tiny_checkpoint("qwen2"), tmp_path_factory.mktemp("base") / "base")


def edited(checkpoint, target, **changes):
    """A copy of a checkpoint with its config changed."""
    shutil.copytree(checkpoint, target)
    path = target / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return target


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("family", FAMILIES)
def test_model_is_the_checkpoint_with_every_matrix_quantized(
    tiny_checkpoint, tmp_path, family, tied
):
    source = tiny_checkpoint(family, tied=tied)
    base = load_base(source, tmp_path / "base")
    expected = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32).eval()
    with torch.no_grad():
        for parameter in expected.parameters():
            if parameter.dim() == 2:
                parameter.copy_(dequantize(quantize(parameter)))
    with torch.no_grad():
        assert torch.equal(base.model()(IDS).logits, expected(IDS).logits)
    assert ("lm_head.weight" in base.quantized()) is not tied
    assert base.shape.tied is tied


@pytest.mark.parametrize("tied", [True, False])
def test_tables_of_bytes_are_the_embedding_and_the_head_alone(tiny_checkpoint, tmp_path, tied):
    source = tiny_checkpoint("llama", tied=tied)
    base = load_base(source, tmp_path / "base", embedding_bits=8)
    tables = {"model.embed_tokens.weight", *(() if tied else ("lm_head.weight",))}
    weights = base.quantized()
    assert {name for name in weights if weights[name].bits == 8} == tables
    assert load_base(base.directory).embedding_bits == 8
    whole = dict(Checkpoint(source).tensors())
    for name in tables:
        wanted = quantize(whole[name], bits=8)
        assert torch.equal(weights[name].codes, wanted.codes)
        assert torch.equal(weights[name].scales, wanted.scales)
    assert torch.equal(
        dict(base.tensors())["model.embed_tokens.weight"],
        dequantize(quantize(whole["model.embed_tokens.weight"], bits=8)),
    )


def test_a_large_base_has_tables_of_bytes_unless_told_otherwise(
    tiny_checkpoint, tmp_path, monkeypatch
):
    assert load_base(tiny_checkpoint("llama"), tmp_path / "small").embedding_bits == 4
    monkeypatch.setattr("edgetune_export.base_size.LARGE", 10_000)
    large = load_base(tiny_checkpoint("llama"), tmp_path / "large")
    assert (large.embedding_bits, large.method, large.wide) == (8, "gptq", ("v_proj",))
    weights = large.quantized()
    wide = {name for name in weights if weights[name].bits == 8}
    assert wide == {
        "model.embed_tokens.weight",
        *(f"model.layers.{layer}.self_attn.v_proj.weight" for layer in range(2)),
    }
    mixed = load_base(tiny_checkpoint("llama"), tmp_path / "rtn", method="rtn")
    assert mixed.quantized()["model.layers.0.self_attn.v_proj.weight"].bits == 8
    assert large.parameters == Checkpoint(tiny_checkpoint("llama")).parameters
    told = load_base(tiny_checkpoint("llama"), tmp_path / "told", embedding_bits=4)
    assert told.embedding_bits == 4
    with pytest.raises(InputError, match="embedding of 6 bits, expected 4 or 8"):
        load_base(tiny_checkpoint("llama"), tmp_path / "other", embedding_bits=6)


def test_shape_and_slots_are_those_of_the_model(base):
    modules = dict(base.model().named_modules())
    assert len(base.slots()) == 14
    for slot in base.slots():
        linear = modules[base.slot_modules[slot.name]]
        assert (slot.in_features, slot.out_features) == (linear.in_features, linear.out_features)
    shape = base.shape
    assert (shape.layers, shape.attention_heads, shape.kv_heads, shape.head_dim) == (2, 2, 1, 32)
    assert shape.vocab_size == len(base.tokenizer)
    assert base.end_tokens == (base.tokenizer.eos_token_id,)


def test_the_same_checkpoint_gives_the_same_hash(tiny_checkpoint, base, tmp_path):
    again = load_base(tiny_checkpoint("qwen2"), tmp_path / "again")
    other = load_base(tiny_checkpoint("qwen2", seed=1), tmp_path / "other")
    assert again.weights_sha256 == base.weights_sha256 != other.weights_sha256


def test_a_copy_of_a_base_shares_its_bytes_on_disk(base, tmp_path):
    copy = load_base(base.directory, tmp_path / "copy")
    assert copy.directory == tmp_path / "copy"
    assert (copy.directory / WEIGHTS).samefile(base.directory / WEIGHTS)
    assert copy.tokenizer.get_vocab() == base.tokenizer.get_vocab()


def test_a_sharded_checkpoint_is_read_whole(tiny_checkpoint, base, tmp_path):
    sharded = tmp_path / "sharded"
    shutil.copytree(tiny_checkpoint("qwen2"), sharded)
    (sharded / "model.safetensors").unlink()
    model = AutoModelForCausalLM.from_pretrained(tiny_checkpoint("qwen2"), dtype=torch.float32)
    model.save_pretrained(sharded, max_shard_size="100KB")
    assert len(list(sharded.glob("*.safetensors"))) > 1
    assert load_base(sharded, tmp_path / "base").weights_sha256 == base.weights_sha256


def test_a_base_says_how_it_was_made(tiny_checkpoint, base, tmp_path):
    rtn = load_base(tiny_checkpoint("qwen2"), tmp_path / "rtn", method="rtn")
    assert (base.method, rtn.method) == ("mse", "rtn")
    assert rtn.weights_sha256 != base.weights_sha256
    name = "model.layers.0.mlp.up_proj.weight"
    weight = load_file(tiny_checkpoint("qwen2") / "model.safetensors")[name]
    assert torch.equal(rtn.quantized()[name].codes, quantize(weight, method="rtn").codes)


def test_a_method_that_is_none_is_refused(tiny_checkpoint, tmp_path):
    with pytest.raises(InputError, match="quantization int3: unknown, expected one of rtn, mse"):
        load_base(tiny_checkpoint("qwen2"), tmp_path / "base", method="int3")
    assert not (tmp_path / "base").exists()


def test_a_new_line_of_the_table_is_a_quantizer(tiny_checkpoint, base, tmp_path, monkeypatch):
    """One that rounds each weight by itself takes no more than that."""
    monkeypatch.setitem(QUANTIZERS, "clipping", Quantizer("by a scale that clips", (9.0,)))
    made = load_base(tiny_checkpoint("qwen2"), tmp_path / "made", method="clipping")
    assert (made.method, made.weights_sha256 == base.weights_sha256) == ("clipping", False)


def test_a_base_of_an_earlier_version_is_of_the_one_method_that_there_was(base, tmp_path):
    copy = shutil.copytree(base.directory, tmp_path / "copy")
    about = json.loads((copy / "base.json").read_text())
    assert about["quantization"].pop("method") == "mse"
    (copy / "base.json").write_text(json.dumps(about))
    assert load_base(copy).method == "mse"


@pytest.mark.parametrize("tied", [True, False])
def test_a_float_base_is_the_checkpoint_itself(tiny_checkpoint, tmp_path, tied):
    source = tiny_checkpoint("llama", tied=tied)
    base = load_base(source, tmp_path / "base", method="float")
    expected = AutoModelForCausalLM.from_pretrained(source, dtype=torch.float32).eval()
    with torch.no_grad():
        assert torch.equal(base.model()(IDS).logits, expected(IDS).logits)
    assert load_base(tmp_path / "base").method == "float"
    assert len(base.quantized()) == 0
    with pytest.raises(InputError, match=f"this takes int4 bases alone, but {base.directory}"):
        base.require_codes("this")


def test_a_damaged_base_is_refused(base, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(base.directory, copy)
    content = bytearray((copy / WEIGHTS).read_bytes())
    content[-1] ^= 1
    (copy / WEIGHTS).write_bytes(content)
    with pytest.raises(InputError, match=rf"{WEIGHTS} has the hash .* damaged"):
        load_base(copy)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"model_type": "gpt2"}, "model_type 'gpt2' is not supported; .* llama, qwen2, qwen3"),
        ({"quantization_config": {"quant_method": "gptq"}}, "already quantized"),
        ({"hidden_size": 128}, r"has shape .* its config.json says"),
        ({"num_hidden_layers": 3, "layer_types": None}, r"layers\.2\..* is missing"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused(tiny_checkpoint, tmp_path, changes, sentence):
    source = edited(tiny_checkpoint("llama"), tmp_path / "source", **changes)
    with pytest.raises(InputError, match=sentence):
        load_base(source, tmp_path / "base")
    assert not (tmp_path / "base").exists()


def test_a_width_without_whole_groups_is_refused_by_name(tiny_checkpoint, tmp_path):
    source = edited(tiny_checkpoint("llama"), tmp_path / "source", intermediate_size=80)
    weights = load_file(source / "model.safetensors")
    for name, tensor in weights.items():
        if "gate_proj" in name or "up_proj" in name:
            weights[name] = tensor[:80].clone()
        elif "down_proj" in name:
            weights[name] = tensor[:, :80].clone()
    save_file(weights, source / "model.safetensors", {"format": "pt"})
    with pytest.raises(InputError, match=r"down_proj\.weight has shape \[64, 80\]"):
        load_base(source, tmp_path / "base")


def test_a_checkpoint_without_safetensors_is_refused(tiny_checkpoint, tmp_path):
    shutil.copytree(tiny_checkpoint("llama"), tmp_path / "source")
    (tmp_path / "source/model.safetensors").rename(tmp_path / "source/pytorch_model.bin")
    with pytest.raises(InputError, match=r"model\.safetensors is missing; weights must be"):
        load_base(tmp_path / "source", tmp_path / "base")


def test_a_truncated_checkpoint_is_refused(tiny_checkpoint, tmp_path):
    shutil.copytree(tiny_checkpoint("llama"), tmp_path / "source")
    path = tmp_path / "source/model.safetensors"
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(InputError, match=r"model\.safetensors is damaged"):
        load_base(tmp_path / "source", tmp_path / "base")


def test_a_float_source_needs_a_place_to_be_quantized_to(tiny_checkpoint):
    with pytest.raises(InputError, match="is no quantized base"):
        load_base(tiny_checkpoint("llama"))


def test_a_base_that_is_neither_here_nor_on_the_hub_is_refused(tmp_path):
    with pytest.raises(InputError, match="is no directory and could not be downloaded"):
        load_base("edgetune-tests/no-such-base", tmp_path / "base")


def test_the_checkpoints_hash_is_of_its_values_in_whatever_files(tiny_checkpoint, tmp_path):
    source = tiny_checkpoint("qwen2")
    shutil.copytree(source, tmp_path / "sharded", ignore=shutil.ignore_patterns("*.safetensors"))
    model = AutoModelForCausalLM.from_pretrained(source)
    model.save_pretrained(tmp_path / "sharded", max_shard_size="50KB")
    assert len(list((tmp_path / "sharded").glob("*.safetensors"))) > 1
    bases = [
        load_base(checkpoint, tmp_path / method, method=method)
        for checkpoint, method in ((source, "rtn"), (tmp_path / "sharded", "float"))
    ]
    assert bases[0].checkpoint_sha256 == bases[1].checkpoint_sha256 == Checkpoint(source).sha256
    assert Checkpoint(tiny_checkpoint("qwen2", seed=3)).sha256 != bases[0].checkpoint_sha256
