"""Adapters on the upper layers alone: what is below is kept, and nothing is learnt otherwise."""

import dataclasses
import itertools
from functools import partial

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch.nn.functional import cross_entropy

from edgetune.settings import AdapterSettings, TrainSettings
from edgetune.train import compiled, lower
from edgetune.train.adapter import Job, adapted, forward_pass, lower_layers, train_adapter
from edgetune.train.batches import BatchSize, collate, plan_steps
from edgetune.train.examples import AdapterData, Tokens
from edgetune.train.interrupt import Interrupted
from edgetune.train.passes import loss_logits
from edgetune_export.weights.base import load_base


def examples(count: int, seed: int, shared: int = 0) -> tuple[Tokens, ...]:
    """Random ids behind `shared` ones that are the same in all; the last three are learnt."""
    generator = np.random.default_rng(seed)
    made = []
    for index in range(count):
        own = generator.integers(5, 300, 8 + index % 5)
        ids = np.array([*range(5, 5 + shared), *own], dtype=np.int32)
        made.append(Tokens(ids, np.arange(len(ids)) >= len(ids) - 3))
    return tuple(made)


def job(shared: int = 0, steps: int = 12, layers: int | None = 1, **train) -> Job:
    data = AdapterData(
        "home.selector", "selector", None, examples(10, 1, shared), examples(6, 2, shared), 0, "sha"
    )
    shape = AdapterSettings(rank=4, alpha=8.0, layers=layers)
    plan = plan_steps([len(item.ids) for item in data.train], BatchSize(4), 0, steps=steps)
    return Job(data, shape, TrainSettings(learning_rate=5e-3, **train), plan)


def trained(model, what, state, precision="float32", **options):
    with adapted(model, what, "tiny") as peft_model:
        result = train_adapter(peft_model, what, precision, state, **options)
        return {
            name: parameter.detach().clone()
            for name, parameter in peft_model.named_parameters()
            if parameter.requires_grad
        }, result


def results(peft_model, forward, batch):
    """Logits and gradients."""
    logits = forward(batch)
    cross_entropy(logits, batch.targets).backward()
    gradients = [p.grad.clone() for p in peft_model.parameters() if p.grad is not None]
    peft_model.zero_grad()
    return [logits.detach(), *gradients]


@pytest.mark.parametrize("family", ["llama", "qwen2", "qwen3"])
@pytest.mark.parametrize("shared", [0, 40])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_kept_or_not_gradients_are_those_of_the_whole_model(
    family, shared, precision, tiny_checkpoint, tmp_path
):
    model = load_base(tiny_checkpoint(family), tmp_path / "base").model()
    what = job(shared)
    batch = collate(what.data.train[2:6])
    with adapted(model, what, "tiny") as peft_model:
        for name, parameter in peft_model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.1)
        inner = peft_model.base_model.model
        whole = results(peft_model, partial(loss_logits, inner, precision=precision), batch)
        below = lower_layers(inner, what, precision)
        computed = results(peft_model, forward_pass(inner, what, precision, below), batch)
        below.keep(what.data.train, tmp_path / "state")
        assert len(list(tmp_path.glob("*.lower"))) == 1
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(below, "_read", None)
            kept = results(peft_model, forward_pass(inner, what, precision, below), batch)
    assert len(whole) == 1 + 2 * 7
    assert all(map(torch.equal, whole, computed))
    tolerance = {"float32": 1e-5, "bfloat16": 2e-2}[precision]
    for one, other in zip(whole, kept, strict=True):
        assert (one - other).norm() < tolerance * one.norm()


def test_only_the_upper_layers_are_adapted(base, model, tmp_path):
    what = job(steps=2)
    with adapted(model, what, "tiny") as peft_model:
        train_adapter(peft_model, what, "float32", tmp_path / "state")
        peft_model.save_pretrained(tmp_path / "peft", save_embedding_layers=False)
    stored = load_file(tmp_path / "peft" / "adapter_model.safetensors")
    assert len(stored) == len(base.slots())  # A and B on one of two layers
    assert all(".layers.1." in name for name in stored)


@pytest.mark.parametrize("shared", [0, 40])
@pytest.mark.parametrize("after", [1, 5, 12])
def test_interrupted_and_resumed_is_as_straight_through(model, tmp_path, shared, after):
    straight, expected = trained(model, job(shared), tmp_path / "straight")
    calls = itertools.count()  # the first is about keeping what is below
    with pytest.raises(Interrupted):
        trained(model, job(shared), tmp_path / "state", stop=lambda: next(calls) == after)
    assert len(list(tmp_path.glob("state.*.lower"))) == 1
    resumed, result = trained(model, job(shared), tmp_path / "state")
    assert all(torch.equal(straight[name], resumed[name]) for name in straight)
    assert result.progress.curve == expected.progress.curve
    assert result.progress.dev_curve == expected.progress.dev_curve


def test_stopped_while_it_is_kept_leaves_nothing(model, tmp_path):
    with pytest.raises(Interrupted):
        trained(model, job(), tmp_path / "state", stop=lambda: True)
    assert not list(tmp_path.iterdir())


def test_what_is_kept_is_used_again_by_the_same_examples_alone(model, tmp_path, monkeypatch):
    what = job()
    with adapted(model, what, "tiny") as peft_model:
        inner = peft_model.base_model.model
        lower_layers(inner, what, "float32").keep(what.data.train, tmp_path / "state")
        monkeypatch.setattr(lower.LowerLayers, "_read", None)
        again = lower_layers(inner, what, "float32")
        again.keep(what.data.train, tmp_path / "state")
        for others, precision in ((what.data.dev, "float32"), (what.data.train, "bfloat16")):
            with pytest.raises(TypeError):  # would have to be computed
                lower_layers(inner, what, precision).keep(others, tmp_path / "state")


def test_nothing_is_kept_that_is_read_once_or_is_too_large(model, tmp_path, monkeypatch, capsys):
    kept, write = [], lower.LowerLayers._write
    monkeypatch.setattr(
        lower.LowerLayers, "_write", lambda *given: kept.append(given) or write(*given)
    )
    once = job(steps=2)  # two of three batches
    trained(model, once, tmp_path / "once")
    trained(model, job(layers=2), tmp_path / "all")
    assert lower_layers(model, dataclasses.replace(job(), invocation=(7,)), "float32") is None
    assert not kept
    straight, _ = trained(model, job(), tmp_path / "new" / "kept")
    assert len(kept) == 1
    assert not list(tmp_path.glob("new/*.lower"))
    monkeypatch.setattr(lower, "MOST_BYTES", 1000)
    computed, _ = trained(model, job(), tmp_path / "large")
    assert len(kept) == 1
    assert "computed at every step" in " ".join(capsys.readouterr().err.split())
    for name in straight:
        torch.testing.assert_close(straight[name], computed[name], atol=1e-3, rtol=1e-2)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_compiled_layers_give_the_same_gradients(model, tmp_path):
    what = job()
    batch = collate(what.data.train[:4])
    found = []
    try:
        with adapted(model, what, "tiny") as peft_model:
            inner = peft_model.base_model.model
            forward = forward_pass(inner, what, "float32")
            found.append(results(peft_model, forward, batch))
            compiled.compile_layers(inner, forward, batch)
            found.append(results(peft_model, forward, batch))
    finally:
        torch.compiler.reset()
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-3)
