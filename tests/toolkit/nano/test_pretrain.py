"""The recipe: stopping and going on changes nothing; int4 steps leave the float weights float."""

import json
import os
import shutil
import signal
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from edgetune.cli import main
from edgetune.nano import pretrain as pretraining
from edgetune.nano.pretrain import pretrain
from edgetune.nano.recipe import Recipe, easy_share, rate_factor, read_recipe
from edgetune.nano.straight_through import quantized
from edgetune_export.weights.quantize import dequantize, quantize

TINY = """\
seed: 3
steps: 8
tokens: 600
hidden: 64
layers: 2
heads: 2
kv_heads: 2
intermediate: 64
warmup: 2
easy_steps: 4
int4: 0.25
evaluate_every: 100
chunk: 4
threads: 1
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "tiny.yaml"
    path.write_text(TINY)
    return path


def weights(directory: Path) -> dict[str, torch.Tensor]:
    return load_file(directory / "model.safetensors")


def interrupted_after(steps: int) -> Callable[..., float]:
    """A step of training, at the last of which somebody presses Ctrl-C."""
    step, done = pretraining._step, count(1)

    def interrupted(*arguments: Any) -> float:
        if next(done) == steps:
            os.kill(os.getpid(), signal.SIGINT)
        return step(*arguments)

    return interrupted


@pytest.mark.slow
def test_a_run_that_stops_and_goes_on_ends_at_the_same_weights(
    config: Path, tokenizer_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for output in ("straight", "resumed"):
        shutil.copytree(tokenizer_file.parent, tmp_path / output / "tokenizer")
    straight = weights(pretrain(config, tmp_path / "straight"))
    with monkeypatch.context() as patched:
        patched.setattr(pretraining, "_step", interrupted_after(4))
        pretrain(config, tmp_path / "resumed")
    halfway = torch.load(tmp_path / "resumed" / "checkpoint.pt", weights_only=True)
    assert halfway["step"] == 4
    directory = pretrain(config, tmp_path / "resumed")
    resumed = weights(directory)
    assert straight.keys() == resumed.keys()
    assert all(torch.equal(straight[name], resumed[name]) for name in straight)

    model = AutoModelForCausalLM.from_pretrained(str(directory))
    tokenizer = AutoTokenizer.from_pretrained(str(directory))
    assert model.config.model_type == "qwen2"
    assert model.config.tie_word_embeddings
    assert tokenizer.chat_template
    rows = [
        json.loads(line)
        for line in (tmp_path / "resumed" / "metrics.jsonl").read_text().splitlines()
    ]
    assert "arguments_accuracy" in rows[-1]
    assert (tmp_path / "resumed" / "curves.png").stat().st_size > 1000


def test_an_unknown_key_is_named(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("stepz: 3\n")
    with pytest.raises(Exception, match="stepz"):
        read_recipe(path)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "found no keys"),
        ("# steps: 6000\n", "found no keys"),
        ("- steps", "found no keys"),
        ("steps: [1", "is not valid YAML"),
        ("steps: yes", "'steps' is True, expected a whole number"),
        ("steps: 0", "'steps' is 0, expected a whole number from 1 on"),
        ("steps: 1.5", "'steps' is 1.5, expected a whole number"),
        ("adam_rate: fast", "'adam_rate' is 'fast', expected a number"),
        ("adam_rate: .nan", "'adam_rate' is nan, expected a number"),
        ("threads: 4096", "threads 4096: more threads than this machine has cores"),
    ],
)
def test_a_recipe_that_says_nothing_or_no_numbers_trains_nothing(
    monkeypatch, capsys, tmp_path, text, named
):
    path = tmp_path / "pretrain.yaml"
    path.write_text(text)
    command = ["edgetune", "nano", "pretrain", str(path), "-o", str(tmp_path / "run")]
    monkeypatch.setattr("sys.argv", command)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    [sentence] = capsys.readouterr().err.splitlines()
    assert str(path) in sentence
    assert named in sentence
    assert [file.name for file in tmp_path.iterdir()] == ["pretrain.yaml"]


def test_the_shipped_recipe_is_read() -> None:
    root = Path(__file__).resolve().parents[3]
    assert read_recipe(root / "configs/nano/pretrain.yaml").hidden == 256


def test_the_rate_warms_up_stays_and_falls() -> None:
    recipe = Recipe(steps=1000, warmup=50)
    assert rate_factor(0, recipe) < 0.05
    assert rate_factor(50, recipe) == rate_factor(700, recipe) == 1.0
    assert 0 < rate_factor(999, recipe) < 0.01


def test_the_curriculum_opens_with_easy_groups() -> None:
    recipe = Recipe()
    assert easy_share(0, recipe) > easy_share(recipe.easy_steps, recipe) > easy_share(10**6, recipe)


def test_int4_steps_see_what_the_quantizer_ships_and_give_the_float_weights_back() -> None:
    model = torch.nn.Linear(64, 32)
    before = model.weight.detach().clone()
    with quantized(model, active=True):
        assert torch.equal(model.weight.detach(), dequantize(quantize(before)))
        model(torch.ones(1, 64)).sum().backward()
    assert torch.equal(model.weight.detach(), before)
    assert model.weight.grad is not None
    with quantized(model, active=False):
        assert torch.equal(model.weight.detach(), before)
