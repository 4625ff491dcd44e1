"""What a checkpoint says is looked at when it is first touched, before anything is made of it."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from edgetune_export.weights.base import load_base
from edgetune_export.weights.checkpoint import open_checkpoint
from edgetune_runtime.errors import InputError

TABLE = "model.embed_tokens.weight"
NORM = "model.layers.1.input_layernorm.weight"


@pytest.fixture
def source(tiny_checkpoint, tmp_path):
    """A copy of a checkpoint, to be changed."""
    return shutil.copytree(tiny_checkpoint("qwen2"), tmp_path / "source")


def with_tensors(source, **tensors):
    """The checkpoint with these tensors besides its own; dots are written as double underscores."""
    weights = load_file(source / "model.safetensors")
    weights |= {name.replace("__", "."): tensor for name, tensor in tensors.items()}
    save_file(weights, source / "model.safetensors", {"format": "pt"})


def with_json(source, name, **changes):
    path = source / name
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def refused(source, sentence):
    with pytest.raises(InputError, match=sentence) as raised:
        load_base(source, source.parent / "base")
    assert "\n" not in str(raised.value)
    assert [path.name for path in source.parent.iterdir()] == ["source"]


def test_an_own_head_beside_tied_embeddings_is_refused(source):
    table = load_file(source / "model.safetensors")[TABLE]
    with_tensors(source, lm_head__weight=table + 1e-3)
    refused(source, r"lm_head\.weight is another than .* 'tie_word_embeddings: true'")


def test_a_copy_of_the_table_as_the_head_is_the_tied_head(source, tiny_checkpoint, tmp_path):
    table = load_file(source / "model.safetensors")[TABLE]
    with_tensors(source, lm_head__weight=table.clone())
    made, plain = (
        load_base(each, tmp_path / name)
        for each, name in ((source, "made"), (tiny_checkpoint("qwen2"), "plain"))
    )
    assert made.weights_sha256 == plain.weights_sha256


@pytest.mark.parametrize(
    "name",
    ["model.layers.0.mlp.up_proj.bias", "model.layers.0.mlp.up_proj.lora_A", "model.layers.2.x"],
)
def test_a_tensor_that_the_model_does_not_list_is_named(source, name):
    with_tensors(source, **{name.replace(".", "__"): torch.zeros(96)})
    refused(source, rf"its config\.json describes has no tensor {name}, which would be left out")


def test_buffers_that_the_model_computes_are_left_out(source):
    with_tensors(source, model__layers__0__self_attn__rotary_emb__inv_freq=torch.zeros(16))
    assert open_checkpoint(str(source)).shapes[NORM] == (64,)


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("name", [NORM, TABLE])
def test_a_weight_that_is_not_finite_is_named(source, name, wrong):
    tensor = load_file(source / "model.safetensors")[name].clone()
    tensor.view(-1)[3] = wrong
    with_tensors(source, **{name.replace(".", "__"): tensor})
    refused(source, rf"{name} holds values that are not finite")


def test_weights_that_are_no_floats_are_named(source):
    with_tensors(source, model__norm__weight=torch.ones(64, dtype=torch.int8))
    refused(source, r"model\.norm\.weight holds int8, float32, float16 or bfloat16 was expected")


def test_more_tokens_than_rows_are_refused_by_the_last_one(source):
    tokenizer = json.loads((source / "tokenizer.json").read_text())
    rows = json.loads((source / "config.json").read_text())["vocab_size"]
    added = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    tokenizer["added_tokens"] += [
        {"id": rows + i, "content": f"<extra_{i}>", "special": True, **added} for i in range(2)
    ]
    (source / "tokenizer.json").write_text(json.dumps(tokenizer))
    refused(source, rf"has 2 tokens beyond the {rows} rows .*\(as '<extra_1>', {rows + 1}\)")


@pytest.mark.parametrize("left", [(), ("vocab.json",)])
@pytest.mark.parametrize("family", ["llama", "qwen2", "qwen3"])
def test_without_a_vocabulary_there_is_no_tokenizer(tiny_checkpoint, tmp_path, family, left):
    source = shutil.copytree(tiny_checkpoint(family), tmp_path / "source")
    (source / "tokenizer.json").unlink()
    for name in left:
        (source / name).write_text('{"a": 0}')
    refused(source, r"source: has no tokenizer\.json, nor vocab\.json with merges\.txt, nor")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"hidden_size": "wide"}, "hidden_size"),
        ({"num_attention_heads": 0}, "ZeroDivisionError"),
        ({"rope_parameters": {"rope_type": "longrope"}}, "longrope"),
        ({"rope_parameters": "yarn"}, "rope_parameters"),
        ({"layer_types": ["a", "b"]}, "layer_types"),
    ],
)
def test_a_configuration_that_makes_no_model_is_one_sentence(source, changes, said):
    with_json(source, "config.json", **changes)
    refused(source, rf"config\.json: transformers makes no model of it \(.*{said}")


@pytest.mark.parametrize("listed", [None, ["model.safetensors"], {TABLE: 1}])
def test_an_index_that_lists_no_files_is_named(source, listed):
    (source / "model.safetensors.index.json").write_text(json.dumps({"weight_map": listed}))
    refused(source, r"index\.json: 'weight_map' must give each tensor its file")


def test_a_template_that_cannot_be_used_is_refused_with_the_rest(source):
    (source / "chat_template.jinja").write_text("{% for message in messages %}")
    refused(source, "line 1 of the chat template is no valid Jinja")
