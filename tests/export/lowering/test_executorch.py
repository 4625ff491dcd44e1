"""The ExecuTorch target: the decoder is the base, and the program is the decoder on its codes."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from edgetune_export.listing import write_manifest
from edgetune_export.lowering import executorch_model, shared_constants
from edgetune_export.lowering.executorch import export_executorch
from edgetune_export.lowering.executorch_model import Decoder
from edgetune_export.run import open_run
from edgetune_export.verify.ladder import climb
from edgetune_runtime.agent import Agent
from edgetune_runtime.bundle import open_bundle
from edgetune_runtime.engines import open_engine
from edgetune_runtime.errors import AdapterError, BundleError, InputError
from edgetune_runtime.executorch_engine import ExecuTorchEngine
from edgetune_runtime.prompt import User

IDS = list(range(20, 50))


@pytest.mark.parametrize(("tied", "bits"), [(True, 4), (False, 4), (True, 8), (False, 8)])
@pytest.mark.parametrize("family", ["qwen2", "llama", "qwen3"])
def test_the_decoder_computes_what_transformers_does(tiny_base, monkeypatch, family, tied, bits):
    """In float activations, so that nothing but a mistake makes a difference."""
    monkeypatch.setattr(executorch_model, "ACTIVATIONS", None)
    base = tiny_base(family, tied=tied, embedding_bits=bits)
    decoder = Decoder(base, 64).eval()
    ids = torch.tensor([IDS])
    with torch.inference_mode():
        wanted = base.model()(ids).logits[0, -1]
        whole = decoder(ids, torch.tensor([0]), [])[0, -1]
        decoder(ids[:, :10], torch.tensor([0]), [])
        pieces = decoder(ids[:, 10:], torch.tensor([10]), [])[0, -1]
    torch.testing.assert_close(whole, wanted, atol=2e-5, rtol=1e-5)
    torch.testing.assert_close(pieces, wanted, atol=2e-5, rtol=1e-5)


@pytest.fixture(scope="module")
def both(both_bundle):
    return both_bundle


@pytest.fixture(scope="module")
def opened(both):
    return open_bundle(both)


@pytest.fixture(scope="module")
def engine(opened):
    return open_engine(opened, "executorch", threads=1)


@pytest.fixture
def handles(opened, engine):
    sources = opened.assets.adapters
    return {name: engine.prepare(source.load()) for name, source in sources.items()}


def logits(engine, handle=None, ids=IDS):
    engine.rewind(0)
    engine.activate(handle)
    return engine.forward(ids)


def test_one_bundle_holds_for_both_engines(both):
    result = climb(both).as_json()
    assert result["ok"], [check for check in result["checks"] if not check["ok"]]
    names = [check["name"] for check in result["checks"]]
    assert {"onnx: calls", "executorch: calls"} <= set(names)
    assert [check["name"] for check in climb(both, "executorch").as_json()["checks"]] == [
        name for name in names if not name.startswith(("onnx: ", "engine: onnx"))
    ]


def test_both_engines_bind_the_same_blobs(opened):
    agents = [Agent(opened.assets, open_engine(opened, n)) for n in ("onnx", "executorch")]
    one, other = (agent.select([User("Weather in Oslo?")], "home") for agent in agents)
    assert one.name == other.name
    assert one.probability == pytest.approx(other.probability, abs=0.05)


def test_the_programs_codes_are_the_canonical_ones(both, tiny_run):
    """Each weight that is multiplied by, found in the program byte by byte; the tied head too."""
    base = open_run(tiny_run()).base
    program = (both / "executorch" / "model.pte").read_bytes()
    weights = base.quantized()
    assert base.shape.tied
    for name in weights:
        assert packed(weights[name].codes.numpy()) in program, name


def program_of(base, directory):
    export_executorch(base, directory, slots=False, context_length=64)
    return (directory / "model.pte").read_bytes()


def opened_program(base, path):
    return ExecuTorchEngine(
        path,
        context_length=64,
        kv_bytes=0,
        vocab_size=base.shape.vocab_size,
        slots=(),
        max_rank=4,
        threads=1,
    )


@pytest.mark.slow
def test_a_tied_table_of_bytes_is_in_the_program_once(tiny_base, tmp_path, monkeypatch):
    """What looks up in it and what multiplies by it give the bits that two copies give."""
    base = tiny_base("llama", embedding_bits=8)
    table = base.quantized()["model.embed_tokens.weight"]
    codes, scales = table.codes.numpy().tobytes(), table.scales.numpy().tobytes()
    with monkeypatch.context() as patch:
        patch.setattr(shared_constants, "share_constants", lambda content: content)
        twice = program_of(base, tmp_path / "twice")
    once = shared_constants.share_constants(twice)
    (tmp_path / "once").mkdir()
    (tmp_path / "once" / "model.pte").write_bytes(once)
    for content in (codes, scales):
        assert (twice.count(content), once.count(content)) == (2, 1)
    assert len(twice) - len(once) == pytest.approx(len(codes) + len(scales), abs=512)
    found = []
    for name in ("twice", "once"):
        engine = opened_program(base, tmp_path / name / "model.pte")
        found.append([engine.forward(IDS), *(engine.forward([token]) for token in IDS[:8])])
    np.testing.assert_array_equal(*found)


@pytest.mark.slow
@pytest.mark.parametrize(("tied", "bits"), [(True, 4), (False, 8)])
def test_tables_that_are_not_the_same_bytes_stay_apart(tiny_base, tmp_path, tied, bits):
    program = program_of(tiny_base("llama", tied=tied, embedding_bits=bits), tmp_path)
    assert shared_constants.share_constants(program) is program


@pytest.mark.slow
def test_tables_of_bytes_are_in_the_program_as_they_are(tiny_base, tmp_path):
    base = tiny_base("llama", embedding_bits=8)
    codes = base.quantized()["model.embed_tokens.weight"].codes
    # Once, to look up and to multiply by.
    assert program_of(base, tmp_path).count(codes.numpy().tobytes()) == 1
    engine = opened_program(base, tmp_path / "model.pte")
    with torch.inference_mode():
        wanted = base.model()(torch.tensor([IDS])).logits[0, -1].numpy()
    # Activations are rounded to int8.
    assert np.abs(engine.forward(IDS) - wanted).max() < 0.05 * np.ptp(wanted)


def packed(codes: np.ndarray) -> bytes:
    """XNNPACK's blockwise int4: zero point 8, the even input in the low half of a byte."""
    unsigned = (codes + 8).astype(np.uint8)
    return (unsigned[:, 0::2] | unsigned[:, 1::2] << 4).tobytes()


def test_a_prompt_in_pieces_and_a_rewind_leave_no_trace(engine):
    whole = logits(engine)
    engine.rewind(12)
    engine.forward([7, 8, 9] * 4)
    engine.rewind(12)
    for token in IDS[12:-1]:
        engine.forward([token])
    np.testing.assert_allclose(engine.forward(IDS[-1:]), whole, atol=1e-4)


def test_a_restored_snapshot_runs_what_the_cache_has_lost(engine, handles):
    first, second = list(handles.values())[:2]
    expected = logits(engine, first)
    engine.rewind(20)
    kept = engine.snapshot()
    logits(engine, second)
    engine.activate(first)
    engine.restore(kept)
    assert engine.position == 20
    np.testing.assert_array_equal(engine.forward(IDS[20:]), logits_after(engine, first, 20))
    np.testing.assert_allclose(logits_after(engine, first, 20), expected, atol=1e-4)


def logits_after(engine, handle, length):
    logits(engine, handle, IDS[:length])
    return engine.forward(IDS[length:])


def test_a_swap_there_and_back_is_bit_identical(engine, handles):
    plain = logits(engine)
    first, second = list(handles.values())[:2]
    seen = [logits(engine, handle) for handle in (first, second, None, first)]
    np.testing.assert_array_equal(seen[2], plain)
    np.testing.assert_array_equal(seen[3], seen[0])
    assert not np.allclose(seen[0], seen[1], atol=1e-3)
    assert not np.allclose(seen[0], plain, atol=1e-3)


def test_missing_modules_and_other_ranks_may_be_mixed(engine, opened):
    """Mixed ranks give what the same adapter gives with zeros up to one rank."""
    blob = next(iter(opened.assets.adapters.values())).load()
    mixed, padded = {}, {}
    for number, slot in enumerate(sorted({name.rpartition(".lora_")[0] for name in blob})):
        rank = (4, 1, 0, 3)[number % 4]
        a, b = blob[f"{slot}.lora_A"].copy(), blob[f"{slot}.lora_B"].copy()
        if number != 5:
            mixed |= {f"{slot}.lora_A": a[:, :rank], f"{slot}.lora_B": b[:rank]}
        a[:, rank if number != 5 else 0 :] = 0
        padded |= {f"{slot}.lora_A": a, f"{slot}.lora_B": b}
    found = logits(engine, engine.prepare(mixed))
    np.testing.assert_allclose(found, logits(engine, engine.prepare(padded)), atol=1e-5)
    assert not np.allclose(found, logits(engine), atol=1e-3)


def test_a_rank_above_what_was_compiled_is_refused(engine):
    name = "layers.0.attn.q_proj.lora_"
    wide = {name + "A": np.zeros((64, 65), np.float32), name + "B": np.zeros((65, 64), np.float32)}
    with pytest.raises(AdapterError, match="of rank 65, but 64 is the most"):
        engine.prepare(wide)


def test_the_context_is_filled_to_its_last_token_and_no_further(engine):
    engine.rewind(0)
    assert np.isfinite(engine.forward([1] * 1024)).all()
    with pytest.raises(InputError, match="has 1024"):
        engine.forward([1])


def test_an_interrupted_call_leaves_nothing_that_is_believed(engine, handles, monkeypatch):
    first = next(iter(handles.values()))
    expected = logits_after(engine, first, 20)
    logits(engine, first, IDS[:20])
    kept = engine.snapshot()
    execute = engine._forward.execute

    class Interrupted:
        def execute(self, inputs):
            execute(inputs)
            raise KeyboardInterrupt

    engine.rewind(5)
    with monkeypatch.context() as patch:
        patch.setattr(engine, "_forward", Interrupted())
        with pytest.raises(KeyboardInterrupt):
            engine.forward([7] * 10)
    engine.restore(kept)
    np.testing.assert_allclose(engine.forward(IDS[20:]), expected, atol=1e-5)


def test_restoring_counts_what_it_runs_again(engine, handles):
    first, second = list(handles.values())[:2]
    logits(engine, first, IDS[:20])
    kept = engine.snapshot()
    assert engine.restore(kept) == 0
    logits(engine, first, [*IDS[:12], 3])
    assert engine.restore(kept) == 8
    logits(engine, second, IDS[:20])
    engine.activate(first)
    assert engine.restore(kept) == 20


@pytest.mark.parametrize("options", [{}, {"max_rank": "high"}])
def test_options_that_are_no_numbers_are_refused(opened, options):
    target = opened.manifest.targets[1].model_copy(update={"options": options})
    manifest = opened.manifest.model_copy(update={"targets": (target,)})
    with pytest.raises(BundleError, match="max_rank"):
        open_engine(replace(opened, manifest=manifest))


def test_a_damaged_program_is_named(both, tmp_path):
    copy = shutil.copytree(both, tmp_path / "copy")
    program = copy / "executorch" / "model.pte"
    program.write_bytes(program.read_bytes()[:1000])
    found = {check["name"]: check for check in climb(copy).as_json()["checks"]}
    assert "model.pte" in found["files"]["detail"]
    assert not found["files"]["ok"]


def test_a_bundle_for_executorch_alone_holds(both, tmp_path):
    """As export writes it: no ONNX graph."""
    copy = Path(shutil.copytree(both, tmp_path / "alone"))
    manifest = open_bundle(copy).manifest
    shutil.rmtree(copy / "onnx")
    (copy / "manifest.json").unlink()
    write_manifest(copy, manifest.model_copy(update={"targets": manifest.targets[1:]}))
    result = climb(copy).as_json()
    assert result["ok"], [check for check in result["checks"] if not check["ok"]]
    assert open_engine(open_bundle(copy)).name == "executorch"
