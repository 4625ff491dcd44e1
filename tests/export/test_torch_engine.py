"""The reference engine is PEFT on the dequantized base, with a cache that rewinds exactly."""

import numpy as np
import pytest

from edgetune_export.slots import read_peft
from edgetune_export.torch_engine import TorchEngine
from edgetune_runtime.errors import AdapterError, InputError

IDS = [5, 60, 61, 7, 200, 3, 9, 120]


@pytest.fixture
def base(tiny_base):
    return tiny_base("qwen2")


@pytest.fixture
def engine(base):
    return TorchEngine(base)


@pytest.mark.parametrize("family", ["llama", "qwen2", "qwen3"])
def test_logits_with_and_without_an_adapter_are_pefts(
    tiny_base, random_adapter, peft_logits, family
):
    base = tiny_base(family)
    engine = TorchEngine(base)
    directory = random_adapter(base, use_rslora=True)
    handle = engine.prepare(read_peft(directory, base).tensors)
    for active, path in ((None, None), (handle, directory), (None, None)):
        engine.rewind(0)
        engine.activate(active)
        expected = peft_logits(base, path, IDS)
        np.testing.assert_allclose(engine.forward(IDS[:5]), expected[4], atol=1e-5)
        np.testing.assert_allclose(engine.forward(IDS[5:6]), expected[5], atol=1e-5)
        np.testing.assert_allclose(engine.forward(IDS[6:]), expected[7], atol=1e-5)


def test_an_adapter_changes_the_logits_and_taking_it_off_undoes_that(engine, base, random_adapter):
    handle = engine.prepare(read_peft(random_adapter(base), base).tensors)
    runs = []
    for active in (None, handle, None):
        engine.rewind(0)
        engine.activate(active)
        runs.append(engine.forward(IDS))
    assert not np.array_equal(runs[0], runs[1])
    assert np.array_equal(runs[0], runs[2])


def test_rewind_and_restore_go_back_bit_for_bit(engine):
    engine.forward(IDS[:4])
    snapshot = engine.snapshot()
    first = engine.forward(IDS[4:])
    engine.rewind(4)
    assert engine.position == 4
    assert np.array_equal(engine.forward(IDS[4:]), first)
    engine.rewind(0)
    engine.forward([1, 2])
    engine.restore(snapshot)
    assert engine.position == 4
    assert np.array_equal(engine.forward(IDS[4:]), first)
    assert engine.kv_bytes() == 2 * 2 * 8 * 32 * 4


def test_an_empty_snapshot_restores_an_empty_cache(engine):
    snapshot = engine.snapshot()
    first = engine.forward(IDS)
    engine.restore(snapshot)
    assert engine.position == 0
    assert np.array_equal(engine.forward(IDS), first)


def test_a_context_that_is_too_long_is_refused(engine):
    engine.forward(IDS)
    with pytest.raises(InputError, match="1025 tokens are needed, but this engine has 1024"):
        engine.forward([1] * (1025 - len(IDS)))
    assert engine.position == len(IDS)


@pytest.mark.parametrize(
    ("name", "a", "b"),
    [
        ("layers.9.attn.q_proj", (64, 4), (4, 64)),
        ("layers.0.attn.q_proj", (63, 4), (4, 64)),
        ("layers.0.attn.q_proj", (64, 4), (5, 64)),
        ("layers.0.attn.q_proj", (64, 4), None),
    ],
)
def test_tensors_that_fit_no_slot_are_refused_by_name(engine, name, a, b):
    tensors = {f"{name}.lora_A": np.zeros(a, np.float32)}
    if b is not None:
        tensors[f"{name}.lora_B"] = np.zeros(b, np.float32)
    with pytest.raises(AdapterError, match=name):
        engine.prepare(tensors)
