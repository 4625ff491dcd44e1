"""A GGUF file becomes the checkpoint that it was made of, or is refused in one sentence."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from edgetune_export.cache import cache_folder
from edgetune_export.weights.base import load_base
from edgetune_export.weights.checkpoint import build_model, find_checkpoint, open_checkpoint
from edgetune_runtime.errors import InputError
from edgetune_runtime.files import sha256_file


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("family", ["llama", "qwen2", "qwen3"])
def test_a_file_becomes_the_checkpoint_it_was_made_of(tiny_checkpoint, tiny_gguf, family, tied):
    source = tiny_checkpoint(family, tied=tied)
    made = open_checkpoint(str(tiny_gguf(family, tied=tied)))
    wanted = load_file(source / "model.safetensors")
    found = dict(made.tensors())
    assert found.keys() == wanted.keys()
    for name, tensor in wanted.items():
        assert torch.equal(found[name], tensor), name


@pytest.mark.parametrize("family", ["llama", "qwen2", "qwen3"])
def test_the_configuration_is_the_files(tiny_checkpoint, tiny_gguf, family):
    config = open_checkpoint(str(tiny_gguf(family))).config
    source = json.loads((tiny_checkpoint(family) / "config.json").read_text())
    for key in ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "head_dim"):
        assert getattr(config, key) == source[key], key
    assert (config.model_type, config.num_key_value_heads) == (family, 1)
    assert (config.max_position_embeddings, config.rms_norm_eps) == (1024, 1e-5)
    assert config.rope_parameters == {"rope_type": "default", "rope_theta": 20000.0}
    assert (config.tie_word_embeddings, config.eos_token_id) == (True, source["eos_token_id"])


def test_tokenizer_and_template_are_those_of_the_source(tiny_checkpoint, tiny_gguf):
    made = open_checkpoint(str(tiny_gguf()))
    source = open_checkpoint(str(tiny_checkpoint("llama")))
    text = "<|im_start|>user\nWeather in Oslo? It's 12\u00b0 \U0001f600<|im_end|>\n"
    assert made.tokenizer.encode(text) == source.tokenizer.encode(text)
    assert made.tokenizer.decode(made.tokenizer.encode(text)) == text
    assert made.template.sha256 == source.template.sha256
    assert made.template.native


def test_generation_ends_with_every_token_that_ends_it_in_llama_cpp(tiny_gguf, tmp_path):
    base = load_base(str(tiny_gguf()), tmp_path / "base")
    tokenizer = base.tokenizer
    ends = tokenizer.convert_ids_to_tokens(list(base.end_tokens))
    assert ends == ["<|im_end|>", "<|endoftext|>"]
    assert (tokenizer.eos_token, tokenizer.pad_token) == ("<|im_end|>", "<|endoftext|>")


@pytest.mark.parametrize("kind", ["F16", "BF16", "Q8_0", "Q4_1", "Q5_0"])
def test_a_quantized_file_gives_nearly_the_same_logits(tiny_checkpoint, tiny_gguf, kind):
    source = open_checkpoint(str(tiny_checkpoint("llama")))
    made = open_checkpoint(str(tiny_gguf(kind=kind)))
    ids = torch.arange(40, 72)[None]
    with torch.inference_mode():
        one, other = (build_model(c.config, c.tensors())(ids).logits for c in (source, made))
    error = (one - other).std() / one.std()
    assert error < {"Q4_1": 0.2, "Q5_0": 0.15}.get(kind, 0.02)


def test_the_base_is_called_by_its_file_and_the_files_hash(tiny_gguf, tmp_path):
    file = tiny_gguf()
    base = load_base(str(file), tmp_path / "base")
    assert (base.name, base.revision) == (str(file), f"sha256:{sha256_file(file)}")


def test_the_same_file_is_converted_once_whatever_it_is_called(tiny_gguf, tmp_path):
    file = tiny_gguf(keys={"general.name": "once"})
    made, _ = find_checkpoint(str(file), None)
    changed = (made / "config.json").stat().st_mtime_ns
    unnamed = shutil.move(file, tmp_path / "sha256-0123")  # as Ollama keeps them
    assert find_checkpoint(str(unnamed), None)[0] == made
    assert (made / "config.json").stat().st_mtime_ns == changed
    assert made.is_relative_to(cache_folder("bases"))


def test_llama_3s_rotary_scaling_is_told_by_its_factors(tiny_gguf):
    frequencies = 20000.0 ** -(np.arange(0, 32, 2) / 32)
    waves = 2 * np.pi / frequencies
    smooth = (8192 / waves - 1) / 3
    factors = np.where(waves > 8192, 32.0, 1 / ((1 - smooth) / 32 + smooth))
    factors[waves < 2048] = 1
    file = tiny_gguf(tensors={"rope_freqs.weight": factors.astype(np.float32)})
    assert open_checkpoint(str(file)).config.rope_parameters == {
        "rope_type": "llama3",
        "rope_theta": 20000.0,
        "factor": 32.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    }


def test_a_sentence_begins_where_the_file_says_so(tiny_gguf):
    begins = {"tokenizer.ggml.bos_token_id": 0, "tokenizer.ggml.add_bos_token": True}
    tokenizer = open_checkpoint(str(tiny_gguf(keys=begins))).tokenizer
    assert tokenizer.encode("a")[0] == 0
    assert tokenizer.encode("a", add_special_tokens=False)[0] != 0


def refused(file, sentence):
    kept = cache_folder("bases")
    before = sorted(kept.glob("*")) if kept.is_dir() else []
    with pytest.raises(InputError, match=sentence) as raised:
        open_checkpoint(str(file))
    assert str(raised.value).startswith(f"{file}: ")
    assert "\n" not in str(raised.value)
    assert (sorted(kept.glob("*")) if kept.is_dir() else []) == before


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"general.architecture": "gemma3"}, "has the architecture 'gemma3', expected one of llam"),
        ({"llama.expert_count": 8}, r"'llama\.expert_count' is 8, but only 0"),
        ({"llama.rope.dimension_count": 16}, r"'llama\.rope\.dimension_count' is 16, but only 32"),
        ({"llama.rope.scaling.type": "yarn"}, r"'llama\.rope\.scaling\.type' is yarn, but only no"),
        ({"llama.block_count": None}, r"'llama\.block_count' is None, expected a number"),
        ({"llama.attention.head_count_kv": [1, 1]}, r"head_count_kv' is \[1, 1\], expected a numb"),
        ({"llama.block_count": 3}, r"the tensor blk\.2\.\S+ is missing"),
        ({"llama.block_count": 1}, r"has the tensor blk\.1\.\S+, which 'llama' does not have"),
        ({"llama.feed_forward_length": 64}, r"ffn_\S+ has shape \[\d+, \d+\], by its header \["),
        ({"tokenizer.ggml.model": "llama"}, "a tokenizer of the kind 'llama', expected 'gpt2'"),
        ({"tokenizer.ggml.pre": "tekken"}, r"by the rule 'tekken' \(tokenizer\.ggml\.pre\)"),
        ({"tokenizer.ggml.pre": None}, r"by the rule 'None' \(tokenizer\.ggml\.pre\), expected"),
        ({"tokenizer.ggml.merges": None}, r"'tokenizer\.ggml\.merges' holds no list of texts"),
        ({"tokenizer.ggml.merges": ["a zzz"]}, "its tokens and merges make no tokenizer"),
        ({"tokenizer.ggml.token_type": [1, 1]}, "its tokens and merges make no tokenizer"),
        ({"tokenizer.ggml.eos_token_id": 9999}, "its tokens and merges make no tokenizer"),
        ({"llama.attention.head_count": 0}, "transformers makes no model of it"),
        ({"split.count": 3}, "is one part of a model that was split; join the parts"),
        ({"tokenizer.chat_template": "{% for m in"}, "chat template is no valid Jinja"),
    ],
)
def test_what_cannot_be_converted_faithfully_is_one_sentence(tiny_gguf, keys, sentence):
    refused(tiny_gguf(keys=keys), sentence)


def test_weights_that_are_not_finite_are_named(tiny_gguf):
    wrong = np.full(64, np.nan, np.float32)
    file = tiny_gguf(tensors={"output_norm.weight": wrong})
    refused(file, r"model\.norm\.weight holds values that are not finite")


def test_unknown_factors_of_rotary_embeddings_are_refused(tiny_gguf):
    factors = np.linspace(1, 7, 16, dtype=np.float32)
    refused(tiny_gguf(tensors={"rope_freqs.weight": factors}), r"rope_freqs\.weight scales rotary")


def test_a_part_of_a_split_model_is_told_by_its_name(tiny_gguf):
    file = tiny_gguf(name="big-00002-of-00003.gguf", keys={"general.name": "a part"})
    refused(file, "is one part of a model that was split")


@pytest.mark.parametrize("share", [0.001, 0.05, 0.5, 0.99])
def test_a_file_cut_short_is_one_sentence(tiny_gguf, share):
    file = tiny_gguf()
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * share)])
    refused(file, "cannot be read as GGUF, it is damaged, cut short")


def test_a_text_that_is_no_text_is_named_by_its_key(tiny_gguf):
    file = tiny_gguf()
    content = file.read_bytes()
    file.write_bytes(content.replace(b"<|im_start|>", b"<|\xff\xff_start|>", 1))
    refused(file, r"'tokenizer\.\S+' is damaged \('utf-8' codec")


@pytest.mark.parametrize("content", [b"", b"version https://git-lfs", b"GGML"])
def test_a_file_that_is_called_gguf_and_is_none(tmp_path, content):
    file = tmp_path / "x.gguf"
    file.write_bytes(content)
    refused(file, "is no GGUF file")


def test_other_files_and_none_at_all(tmp_path):
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"abc")
    refused(file, "is a file, but no GGUF; give a GGUF file or the directory")
    refused(tmp_path / "none.gguf", "there is no such file")


def test_a_kind_of_blocks_that_nobody_knows_is_one_sentence(tiny_gguf):
    file = tiny_gguf()
    content = file.read_bytes()
    at = content.index(b"blk.0.attn_q.weight") + len(b"blk.0.attn_q.weight") + 4 + 2 * 8
    file.write_bytes(content[:at] + (250).to_bytes(4, "little") + content[at + 4 :])
    refused(file, r"250\)? is not a valid GGMLQuantizationType")


def test_without_the_package_the_sentence_names_it(tiny_gguf, monkeypatch):
    file = tiny_gguf()
    for name in [name for name in sys.modules if name.startswith("edgetune_export.weights.gguf")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "gguf", None)
    refused(file, "to read GGUF files takes the package gguf; run 'pip install gguf'")


@pytest.mark.slow
def test_smollm2_answers(real_gguf: Path):
    checkpoint = open_checkpoint(str(real_gguf))
    model = build_model(checkpoint.config, checkpoint.tensors())
    asked = [{"role": "user", "content": "What is the capital of Norway?"}]
    ids = checkpoint.tokenizer.apply_chat_template(
        asked, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    answer = model.generate(**ids, max_new_tokens=8, do_sample=False)[0]
    said = answer[ids["input_ids"].shape[1] :]
    assert checkpoint.tokenizer.decode(said) == "The capital of Norway is Oslo.<|im_end|>"
