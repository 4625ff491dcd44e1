"""A base that cannot be trained on or exported is refused by `train` and `quantize` in a sentence,
before anything is written."""

import json
import shutil
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

from edgetune.cli import main
from edgetune.train import prepare
from edgetune_runtime.errors import InputError
from edgetune_runtime.toolsets import dump_toolsets


def run(monkeypatch, *arguments) -> int:
    monkeypatch.setattr(sys, "argv", ["edgetune", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code or 0


def with_rope(source, kind):
    path = source / "config.json"
    about = json.loads(path.read_text())
    rope = {"rope_type": kind, "factor": 4.0, "original_max_position_embeddings": 256}
    about.pop("rope_parameters", None)
    path.write_text(json.dumps(about | {"rope_scaling": rope}))


def with_own_head(source):
    path = source / "model.safetensors"
    weights = load_file(path)
    weights["lm_head.weight"] = torch.zeros_like(weights["model.embed_tokens.weight"])
    save_file(weights, path, {"format": "pt"})


def without_tokenizer(source):
    (source / "tokenizer.json").unlink()


def with_template(source, text):
    (source / "chat_template.jinja").write_text(text)


WRONG = {
    "no target takes this base: rope_type 'yarn'": lambda source: with_rope(source, "yarn"),
    "no target takes this base: rope_type 'dynamic'": lambda source: with_rope(source, "dynamic"),
    "lm_head.weight is another than": with_own_head,
    "has no tokenizer.json": without_tokenizer,
    "no valid Jinja": lambda source: with_template(source, "{{ messages"),
    "refuses a conversation (No.)": lambda s: with_template(s, "{{ raise_exception('No.') }}"),
}


@pytest.fixture
def source(tiny_checkpoint, tmp_path):
    """A checkpoint to be changed, with a recipe for it beside it."""
    return shutil.copytree(tiny_checkpoint("qwen2"), tmp_path / "source")


@pytest.fixture
def recipe(source, weather_toolset, tmp_path):
    (tmp_path / "tools.json").write_text(json.dumps(dump_toolsets([weather_toolset])))
    call = {"function": {"name": "cancel_alarms", "arguments": {}}}
    answer = {"role": "assistant", "content": None, "tool_calls": [call]}
    record = {"messages": [{"role": "user", "content": "No more alarms"}, answer]}
    (tmp_path / "train.jsonl").write_text((json.dumps(record) + "\n") * 4)
    (tmp_path / "recipe.yaml").write_text(
        f"base: {{model: {source}}}\ntoolset: {{tools: tools.json}}\ndata: {{train: train.jsonl}}\n"
        "adapter: {rank: 4}\ntrain: {epochs: 1}\nmonolithic: {enabled: false}\n"
    )
    return tmp_path / "recipe.yaml"


@pytest.mark.parametrize("verb", ["train", "quantize"])
@pytest.mark.parametrize("sentence", WRONG)
def test_a_base_that_cannot_be_used_is_one_sentence(
    monkeypatch, capsys, tmp_path, source, recipe, verb, sentence
):
    WRONG[sentence](source)
    before = sorted(path.name for path in tmp_path.iterdir())
    given = recipe if verb == "train" else source
    capsys.readouterr()  # what making the checkpoint said
    assert run(monkeypatch, verb, given, "-o", tmp_path / "made") == 2
    printed = capsys.readouterr()
    assert printed.err.startswith("error: ")
    assert sentence in printed.err
    assert (printed.err.count("\n"), printed.out) == (1, "")
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_train_tells_which_targets_will_refuse_what_others_take(
    monkeypatch, capsys, tmp_path, source, recipe
):
    path = source / "config.json"
    rows = json.loads(path.read_text())["vocab_size"]
    assert rows % 4
    assert run(monkeypatch, "train", recipe, "-o", tmp_path / "run") == 0
    said = capsys.readouterr().err
    assert f"--target vulkan will refuse this base: vocab_size {rows} is no multiple of 4" in said
    assert "--target onnx" not in said


def test_the_beginning_of_another_run_is_kept_where_a_base_is_refused(
    monkeypatch, capsys, tmp_path, source, recipe
):
    def stopped(*_args, **_options):
        raise InputError("stopped")

    with monkeypatch.context() as patched:
        patched.setattr(prepare, "load_base", stopped)
        assert run(monkeypatch, "train", recipe, "-o", tmp_path / "run") == 2
    begun = (tmp_path / "run" / "run.json").read_bytes()
    with_own_head(source)
    assert run(monkeypatch, "train", recipe, "-o", tmp_path / "run") == 2
    assert "lm_head.weight" in capsys.readouterr().err
    assert (tmp_path / "run" / "run.json").read_bytes() == begun
