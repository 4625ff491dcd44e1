"""The ONNX engine on a real graph: one KV buffer, adapters bound and unbound without a trace."""

import numpy as np
import pytest

from edgetune_runtime.bundle import Bundle, open_bundle
from edgetune_runtime.engines import open_engine
from edgetune_runtime.errors import AdapterError, BundleError, InputError
from edgetune_runtime.onnx_engine import OnnxEngine

IDS = list(range(20, 60))
SELECTOR, WRITER = "home.selector", "home.arguments.get_weather"


@pytest.fixture(scope="module")
def bundle(tiny_bundle) -> Bundle:
    return open_bundle(tiny_bundle)


@pytest.fixture
def engine(bundle) -> OnnxEngine:
    return open_engine(bundle, threads=1, context_length=128)


@pytest.fixture
def tensors(bundle):
    """A copy of the selector's tensors, to be changed."""
    return {n: t.copy() for n, t in bundle.assets.adapters[SELECTOR].load().items()}


def logits(engine, ids=IDS):
    engine.rewind(0)
    return engine.forward(ids)


def test_logits_are_those_of_the_last_token(engine):
    whole = logits(engine)
    assert whole.shape == (engine.vocab_size,)
    assert whole.dtype == np.float32
    assert engine.position == len(IDS)
    assert not np.allclose(whole, logits(engine, IDS[:-1]))


def test_a_prompt_in_pieces_gives_the_logits_of_the_whole(engine):
    whole = logits(engine)
    logits(engine, IDS[:10])
    engine.forward(IDS[10:30])
    for token in IDS[30:-1]:
        engine.forward([token])
    np.testing.assert_allclose(engine.forward(IDS[-1:]), whole, atol=1e-4)


def test_rewound_tokens_leave_no_trace(engine):
    logits(engine, IDS[:20])
    expected = engine.forward(IDS[20:])
    engine.rewind(20)
    engine.forward([7, 8, 9] * 8)
    engine.rewind(20)
    assert np.array_equal(engine.forward(IDS[20:]), expected)


def test_a_restored_snapshot_is_byte_exact(engine):
    logits(engine, IDS[:20])
    kept = engine.snapshot()
    expected = engine.forward(IDS[20:])
    logits(engine, [5] * 30)
    engine.restore(kept)
    assert engine.position == 20
    assert np.array_equal(engine.forward(IDS[20:]), expected)


def test_swap_there_and_back_is_bit_identical(engine, bundle):
    base = logits(engine)
    handles = [engine.prepare(bundle.assets.adapters[n].load()) for n in (SELECTOR, WRITER)]
    seen = []
    for handle in (*handles, None, *handles):
        engine.activate(handle)
        seen.append(logits(engine))
    assert np.array_equal(seen[2], base)
    assert np.array_equal(seen[0], seen[3])
    assert np.array_equal(seen[1], seen[4])
    assert not np.allclose(seen[0], seen[1], atol=1e-3)
    assert not np.allclose(seen[0], base, atol=1e-3)


def test_an_adapter_of_zeros_is_the_base(engine, tensors):
    base = logits(engine)
    engine.activate(engine.prepare({n: np.zeros_like(t) for n, t in tensors.items()}))
    assert np.array_equal(logits(engine), base)


def test_missing_modules_and_smaller_ranks_may_be_mixed(engine, tensors):
    base = logits(engine)
    name = "layers.1.mlp.down_proj.lora_"
    one = {name + "A": tensors[name + "A"][:, :1], name + "B": tensors[name + "B"][:1]}
    engine.activate(engine.prepare(one))
    assert not np.allclose(logits(engine), base, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda t: t.update({"layers.9.attn.q_proj.lora_A": t[A]}), r"layers\.9.*no such slot"),
        (lambda t: t.update({A: t[A][:-1]}), r"\[63, 4\], this base takes \[64, r\]"),
        (lambda t: t.update({A: t[A][:, :-1]}), "rank 3"),
        (lambda t: t.update({A: t[A].astype(np.float16)}), "float16"),
        (lambda t: t.update({A: t[A].ravel()}), "shape"),
        (lambda t: t.pop(A), "is missing"),
    ],
)
def test_tensors_that_do_not_fit_are_refused_by_slot(engine, tensors, change, named):
    change(tensors)
    with pytest.raises(AdapterError, match=named):
        engine.prepare(tensors)


A = "layers.0.attn.q_proj.lora_A"


def test_a_context_that_is_full_is_refused_before_it_runs(engine):
    logits(engine, [5] * 120)
    with pytest.raises(InputError, match="129 tokens"):
        engine.forward([5] * 9)
    assert engine.position == 120
    engine.forward([5] * 8)


def test_kv_bytes_are_what_the_context_takes(engine, bundle):
    base = bundle.manifest.base
    values = 2 * base.layers * base.kv_heads * base.head_dim * engine.context_length
    assert engine.kv_bytes() == 4 * values


def test_a_target_that_is_not_in_the_bundle_is_refused(bundle):
    with pytest.raises(InputError, match="executorch"):
        open_engine(bundle, "executorch")


def test_a_file_that_is_no_graph_is_refused_by_name(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"nothing")
    with pytest.raises(BundleError, match=r"model\.onnx"):
        OnnxEngine(
            tmp_path / "model.onnx",
            context_length=8,
            kv_heads=1,
            head_dim=8,
            layers=1,
            vocab_size=8,
        )
