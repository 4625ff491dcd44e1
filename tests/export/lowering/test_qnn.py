"""The QNN target: its graphs are the base, and each chip gets them compiled.

The NPU is emulated here, slowly, so few tokens go through it.
"""

import shutil

import numpy as np
import onnx
import pytest
import torch

from edgetune_export.bundle import write_bundle
from edgetune_export.lowering.chips import CHIPS, find_chips
from edgetune_export.lowering.qnn import export_qnn
from edgetune_export.lowering.static_graph import embedding_graph, static_graph
from edgetune_export.run import open_run
from edgetune_export.verify import stand as stand_module
from edgetune_export.verify.ladder import climb
from edgetune_export.verify.logits import check_logits
from edgetune_export.verify.reference import BASE, DIRECTORY, Reference
from edgetune_export.verify.stand import open_stand
from edgetune_runtime.bundle import open_bundle
from edgetune_runtime.engines import find_target, open_engine
from edgetune_runtime.errors import AdapterError, BundleError, InputError
from edgetune_runtime.qnn_engine import DECODE, EMBEDDING, PREFILL, QnnEngine

pytest.importorskip("onnxruntime_qnn")

IDS = list(range(20, 50))


@pytest.fixture
def on_cpu(tmp_path):
    """The engine on a base's graphs as they are before they are compiled, in float32."""

    def opened(base, rank=4):
        onnx.save(embedding_graph(base), tmp_path / EMBEDDING)
        for file, length in ((PREFILL, 8), (DECODE, 1)):
            onnx.save(static_graph(base, length, 48, rank), tmp_path / file)
        files = [tmp_path / file for file in (EMBEDDING, PREFILL, DECODE)]
        vocab_size = base.shape.vocab_size
        return QnnEngine(
            *files, context_length=48, vocab_size=vocab_size, provider=lambda options: None
        )

    return opened


@pytest.mark.parametrize(("tied", "bits"), [(True, 4), (False, 4), (True, 8), (False, 8)])
@pytest.mark.parametrize("family", ["qwen2", "llama", "qwen3"])
def test_the_graphs_compute_what_transformers_does(tiny_base, on_cpu, family, tied, bits):
    """Over chunks, the last one padded, single tokens, and a rewind."""
    base = tiny_base(family, tied=tied, embedding_bits=bits)
    engine = on_cpu(base)
    with torch.inference_mode():
        wanted = base.model()(torch.tensor([IDS])).logits[0].numpy()
    np.testing.assert_allclose(engine.forward(IDS[:19]), wanted[18], atol=2e-5)
    np.testing.assert_allclose(engine.forward(IDS[19:20]), wanted[19], atol=2e-5)
    engine.forward([7, 8, 9])
    engine.rewind(20)
    np.testing.assert_allclose(engine.forward(IDS[20:]), wanted[-1], atol=2e-5)


def test_a_prompt_may_fill_the_context_to_its_end(tiny_base, on_cpu):
    """The last chunk's padding reaches past it."""
    base = tiny_base("qwen2")
    engine, ids = on_cpu(base), list(range(10, 57))
    with torch.inference_mode():
        wanted = base.model()(torch.tensor([ids])).logits[0, -1].numpy()
    np.testing.assert_allclose(engine.forward(ids), wanted, atol=2e-5)
    engine.forward([1])
    with pytest.raises(InputError, match="49 tokens are needed, but this engine has 48"):
        engine.forward([1])


def test_a_snapshot_is_the_cache(tiny_base, on_cpu):
    engine = on_cpu(tiny_base("qwen2"))
    engine.forward(IDS[:12])
    kept = engine.snapshot()
    wanted = engine.forward(IDS[12:])
    engine.rewind(0)
    engine.forward(IDS[::-1])
    assert engine.restore(kept) == 0
    np.testing.assert_array_equal(engine.forward(IDS[12:]), wanted)


@pytest.fixture(scope="module")
def bundle(tiny_run, tmp_path_factory):
    """For the CPU and for two chips."""
    path = tmp_path_factory.mktemp("npu") / "home"
    write_bundle(open_run(tiny_run()), path, ["onnx", "qnn"], socs=["sm8650", "sm8550"])
    return path


def test_each_chip_has_its_binaries_and_the_blobs_are_there_once(bundle):
    for chip in ("sm8650", "sm8550"):
        for file in (PREFILL, DECODE):
            (node,) = onnx.load(bundle / "qnn" / chip / file).graph.node
            assert node.op_type == "EPContext"  # all of it went to the NPU
            binary = next(a.s.decode() for a in node.attribute if a.name == "ep_cache_context")
            assert (bundle / "qnn" / chip / binary).stat().st_size > 100_000
    target = open_bundle(bundle).manifest.targets[1]
    assert (target.model, target.options["socs"]) == (f"qnn/sm8650/{DECODE}", "sm8650,sm8550")
    one, other = (bundle / "qnn" / chip / "decode_qnn.bin" for chip in ("sm8650", "sm8550"))
    assert one.read_bytes() != other.read_bytes()


def test_the_emulated_npu_gives_pefts_logits_with_an_adapter_and_without(bundle):
    """In float16, on the int4 blocks: a weight that lost its blocks would be far off."""
    opened = open_bundle(bundle)
    stand = open_stand(opened, "qnn", Reference.load(bundle / DIRECTORY))
    name = next(iter(stand.handles))
    assert "tolerance 1.41%" in check_logits(stand, BASE)[0]
    assert "effect 1.0" in check_logits(stand, name)[0]
    probe = stand.probe(name)
    first = stand.run(name, probe)
    assert not np.array_equal(first, stand.run(BASE, probe))
    np.testing.assert_array_equal(stand.run(name, probe), first)


def test_verify_runs_what_was_compiled_for_each_chip(bundle, monkeypatch):
    models = []

    def refuse(opened, name):
        models.append(find_target(opened, name).model)
        raise BundleError("not today")

    monkeypatch.setattr(stand_module, "open_engine", refuse)
    found = climb(bundle, "qnn").as_json()["checks"]
    assert models == [f"qnn/sm8650/{DECODE}", f"qnn/sm8550/{DECODE}"]
    failed = [check["name"] for check in found if not check["ok"]]
    assert failed == ["engine: qnn sm8650", "engine: qnn sm8550"]


def test_a_sample_of_verify_holds_on_each_chip(bundle):
    checks = climb(bundle, "qnn", sample=True).as_json()["checks"]
    assert all(check["ok"] for check in checks)
    sampled = [check["name"] for check in checks if "sample" in check["name"]]
    assert [name.split(": ")[0] for name in sampled] == ["qnn sm8650", "qnn sm8550"]


def test_a_rank_above_the_compiled_one_is_refused(bundle):
    engine = open_engine(open_bundle(bundle), "qnn")
    slot = open_bundle(bundle).manifest.slots[0]
    tensors = {
        f"{slot.name}.lora_A": np.zeros((slot.in_features, 5), np.float32),
        f"{slot.name}.lora_B": np.zeros((5, slot.out_features), np.float32),
    }
    with pytest.raises(AdapterError, match="of rank 5, but 4 is the most"):
        engine.prepare(tensors)


def test_a_damaged_binary_is_named(bundle, tmp_path):
    damaged = tmp_path / "home"
    shutil.copytree(bundle, damaged)
    binary = damaged / "qnn" / "sm8650" / "prefill_qnn.bin"
    binary.write_bytes(bytes(binary.stat().st_size))
    with pytest.raises(BundleError, match=r"prefill\.onnx: ONNX Runtime cannot load it"):
        open_engine(open_bundle(damaged, check=False), "qnn")


def test_every_chip_of_the_table_compiles(tiny_base, tmp_path):
    export_qnn(tiny_base("qwen2"), tmp_path / "qnn", CHIPS, rank=2, chunk=8, context_length=32)
    assert {path.parent.name for path in (tmp_path / "qnn").rglob("*.bin")} == set(CHIPS)


def test_a_chip_that_is_not_in_the_table_is_named():
    with pytest.raises(InputError, match="--soc sm9999: unknown, expected one of sm8450"):
        find_chips(["sm8650", "sm9999"])
