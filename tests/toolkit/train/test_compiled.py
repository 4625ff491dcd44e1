"""Compiled layers: the loss and gradients are what they are without, for every adapter in turn."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from torch._dynamo.utils import counters
from torch.nn.functional import cross_entropy

from edgetune.machine.precision import keep_in
from edgetune.settings import AdapterSettings, TrainSettings
from edgetune.train import compiled
from edgetune.train.adapter import Job, adapted
from edgetune.train.batches import collate
from edgetune.train.examples import AdapterData, Tokens
from edgetune.train.passes import is_compiled, loss_logits
from edgetune_export.weights.base import load_base
from edgetune_runtime.errors import InputError


def job(name: str) -> Job:
    data = AdapterData(name, "selector", None, (), (), 0, "sha")
    return Job(data, AdapterSettings(rank=4, alpha=8.0), TrainSettings(), [])


def batch(count: int, length: int):
    generator = np.random.default_rng(length)
    ids = [generator.integers(5, 300, length).astype(np.int32) for _ in range(count)]
    return collate([Tokens(each, np.arange(length) >= length - 3) for each in ids])


def plain_pass(model):
    return partial(loss_logits, model, precision="float32")


def loss_and_gradient(model, given):
    loss = cross_entropy(loss_logits(model, given, "float32"), given.targets)
    loss.backward()
    gradient = torch.cat([p.grad.flatten() for p in model.parameters() if p.requires_grad])
    model.zero_grad(set_to_none=True)
    return loss.item(), gradient


@pytest.fixture
def model(tiny_checkpoint, tmp_path):
    yield load_base(tiny_checkpoint("qwen2"), tmp_path / "base").model()
    torch.compiler.reset()


@pytest.mark.timeout(300)
def test_one_compilation_serves_every_adapter_and_shape(model):
    plain = {}
    for name in ("home.one", "home.two"):
        with adapted(model, job(name), "tiny"):
            plain[name] = [loss_and_gradient(model, batch(*size)) for size in ((3, 9), (4, 12))]
    for name in plain:
        with adapted(model, job(name), "tiny"):
            if not is_compiled(model):
                compiled.compile_layers(model, plain_pass(model), batch(3, 9))
                graphs = counters["stats"]["unique_graphs"]
            for size, (loss, gradient) in zip(((3, 9), (4, 12)), plain[name], strict=True):
                again, same = loss_and_gradient(model, batch(*size))
                assert again == pytest.approx(loss, abs=1e-5)
                torch.testing.assert_close(same, gradient, atol=1e-5, rtol=1e-3)
            # A single example, or one that nothing is learnt from, is not compiled for.
            loss_and_gradient(model, batch(1, 10))
            with torch.no_grad():
                loss_logits(model, batch(2, 10), "float32")
    assert counters["stats"]["unique_graphs"] == graphs


def test_a_compiler_that_fails_is_one_sentence(model):
    def fail(*_, **__):
        raise RuntimeError("No working C++ compiler found\nin many lines")

    with pytest.raises(InputError, match=r"'machine.compile'.*No working C\+\+ compiler found\)"):
        compiled.compile_layers(model, fail, batch(2, 9))


def test_matrices_kept_in_bfloat16_give_the_same_gradients(model):
    found = []
    for kept in (False, True):
        if kept:
            keep_in(model, "bfloat16")
            layer = model.get_decoder().layers[0]
            assert layer.mlp.down_proj.weight.dtype == torch.bfloat16
            assert layer.input_layernorm.weight.dtype == torch.float32
            assert model.get_input_embeddings().weight.dtype == torch.float32
        with adapted(model, job("home.one"), "tiny"):
            loss = cross_entropy(loss_logits(model, batch(3, 9), "bfloat16"), batch(3, 9).targets)
            loss.backward()
            trained = [p for p in model.parameters() if p.requires_grad]
            assert {p.dtype for p in trained} == {torch.float32}
            found.append([loss.item(), *(p.grad.clone() for p in trained)])
    plain, same = found
    assert plain[0] == same[0]
    assert all(map(torch.equal, plain[1:], same[1:]))


def test_a_large_base_that_is_trained_for_long_is_compiled_unasked(
    tiny_checkpoint, tmp_path, monkeypatch
):
    base = load_base(tiny_checkpoint("qwen2"), tmp_path / "of")
    monkeypatch.setattr(compiled.shutil, "which", lambda name: f"/usr/bin/{name}")
    long, short = ([replace(job("home.one"), plan=[[0]] * steps)] for steps in (200, 199))
    assert not compiled.pays(None, base, long)
    monkeypatch.setattr("edgetune_export.base_size.LARGE", 10_000)
    assert compiled.pays(None, base, long)
    assert not compiled.pays(None, base, short)
    assert not compiled.pays(False, base, long)
    assert not compiled.pays(None, base, [replace(long[0], invocation=(1,))])
    monkeypatch.setattr(compiled.shutil, "which", lambda name: None)
    assert not compiled.pays(None, base, long)
    assert compiled.pays(True, base, long)
