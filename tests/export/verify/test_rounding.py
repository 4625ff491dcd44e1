"""What rounding activations does is known in torch, and an engine that rounds is held to that."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from edgetune_export.bundle import write_bundle
from edgetune_export.listing import write_manifest
from edgetune_export.lowering.executorch_model import Decoder
from edgetune_export.run import open_run
from edgetune_export.slots import write_blob
from edgetune_export.verify import rounding
from edgetune_export.verify.ladder import climb
from edgetune_export.verify.logits import check_logits
from edgetune_export.verify.reference import Prefill, Reference
from edgetune_export.verify.rounding import (
    NOISE,
    Rounder,
    Rounding,
    effect_share,
    measure,
    relative,
    round_blocks,
    round_tokens,
)
from edgetune_export.verify.stand import LAYER_TOLERANCE, Stand
from edgetune_runtime.adapters import read_blob, read_blob_metadata
from edgetune_runtime.bundle import open_bundle
from edgetune_runtime.engines import open_engine
from edgetune_runtime.errors import BundleError
from edgetune_runtime.manifest import Manifest

IDS = torch.tensor([list(range(20, 50))])
ADAPTER = "home.arguments.set_alarm"
BLOB = f"adapters/{ADAPTER}.safetensors"


def logits_of(model):
    return lambda: model(input_ids=IDS).logits[0].detach().numpy()


def test_tokens_are_rounded_as_torchao_rounds_them():
    from torchao.quantization.utils import per_token_dynamic_quant

    x = torch.randn(3, 5, 64) * torch.tensor([1e-3, 1.0, 50.0])[:, None, None]
    torch.testing.assert_close(round_tokens(x), per_token_dynamic_quant(x), rtol=0, atol=1e-6)


def test_a_token_is_rounded_by_half_a_step_at_the_most():
    x = torch.randn(7, 64) + torch.linspace(-5, 5, 7)[:, None]
    step = (x.amax(-1).clamp(min=0) - x.amin(-1).clamp(max=0)) / 255
    assert ((round_tokens(x) - x).abs().amax(-1) <= step * 1.001).all()
    assert (round_tokens(torch.zeros(2, 8)) == 0).all()


def test_the_rounded_model_is_the_decoder_that_is_lowered(tiny_base, monkeypatch):
    """It multiplies by the codes what torchao rounds; the float model is further off."""
    monkeypatch.setattr(rounding, "NOISE", 0.0)
    base = tiny_base("llama", embedding_bits=8)
    model, decoder = base.model(), Decoder(base, 64).eval()
    with torch.inference_mode():
        wanted = decoder(IDS, torch.tensor([0]), [])[0].numpy()
        found = Rounder(model, "token").draws(logits_of(model))[0][-1:]
        plain = logits_of(model)()[-1:]
    assert relative(found - wanted, wanted)[0] < relative(plain - wanted, wanted)[0] / 4


@torch.inference_mode()
def test_afterwards_the_model_is_what_it_was(tiny_base):
    model = tiny_base("llama").model()
    plain = logits_of(model)()
    first, *others = Rounder(model, "token").draws(logits_of(model))
    for other in others:
        assert 0 < relative(other - first, first).max() < 0.2
    np.testing.assert_array_equal(logits_of(model)(), plain)
    np.testing.assert_array_equal(Rounder(model, "token").draws(logits_of(model))[0], first)


def test_the_noise_itself_moves_next_to_nothing(tiny_base):
    model = tiny_base("llama").model()
    with torch.inference_mode():
        plain = logits_of(model)()
        model.get_input_embeddings().register_forward_hook(rounding._Noise(0))
        assert relative(logits_of(model)() - plain, plain).max() < 10 * NOISE


def test_what_rounding_does_is_measured_over_all_rows_and_times():
    wanted = np.array([[1, -1, 1, -1], [2, -2, 2, -2]], np.float32)
    draws = [wanted * 1.1, wanted * 0.7]
    assert measure(wanted, draws).logits == pytest.approx(np.sqrt((0.01 + 0.09) / 2))
    plain = wanted * 0.5
    found = measure(wanted, draws, plain, [plain, plain])
    assert found.effect == pytest.approx(np.sqrt((0.2**2 + 0.6**2) / 2))
    assert measure(wanted, draws, wanted, [wanted, wanted]).effect == 1.0


def test_half_an_effect_is_half_a_share():
    effect = np.random.default_rng(0).standard_normal((4, 50)).astype(np.float32)
    assert effect_share(effect / 2, effect) == pytest.approx(0.5)


def test_a_block_is_rounded_by_half_a_step_of_its_own_at_the_most():
    x = torch.randn(3, 64)
    x[:, 40] = 100.0
    steps = x.unflatten(-1, (2, 32)).abs().amax(-1, keepdim=True) / 127
    off = (round_blocks(x) - x).unflatten(-1, (2, 32)).abs()
    assert (off <= steps * 0.501).all()
    assert off[:, 0].max() < off[:, 1].max() / 10, "an outlier costs its own block alone"
    assert (round_blocks(torch.zeros(2, 32)) == 0).all()


@pytest.fixture
def bundle(both_bundle, tmp_path):
    return shutil.copytree(both_bundle, tmp_path / "home")


def failures(bundle):
    checks = climb(bundle, "executorch").as_json()["checks"]
    return {check["name"]: check["detail"] for check in checks if not check["ok"]}


def rehash(bundle):
    text = (bundle / "manifest.json").read_text()
    (bundle / "manifest.json").unlink()
    write_manifest(bundle, Manifest.model_validate_json(text))


def rewrite(bundle, change):
    """Change the tensors of a blob, with fitting hashes, and norms that fit as well."""
    metadata, before = read_blob_metadata(bundle / BLOB), read_blob(bundle / BLOB)
    after = {name: np.array(change(name, tensor), np.float32) for name, tensor in before.items()}
    (bundle / BLOB).unlink()
    write_blob(bundle / BLOB, after, metadata)
    path = bundle / "reference" / "deltas.json"
    norms = json.loads(path.read_text())
    for slot in norms[ADAPTER]:
        norms[ADAPTER][slot] = float(
            np.linalg.norm(after[f"{slot}.lora_A"] @ after[f"{slot}.lora_B"])
        )
    path.write_text(json.dumps(norms))
    rehash(bundle)


def test_the_bundle_says_what_rounding_does_to_each(bundle):
    stored = json.loads((bundle / "reference" / "activations.json").read_text())
    found = {name: Rounding(**each) for name, each in stored["token"].items()}
    assert {"base", ADAPTER} < set(found)
    assert all(1e-4 < each.logits < 0.05 for each in found.values())
    assert found[ADAPTER].effect < 0.05
    assert "by what rounding does in torch" in climb(bundle).as_json()["checks"][-2]["detail"]


@pytest.mark.parametrize("factor", [2.0, 0.5])
def test_a_scale_off_by_the_root_of_the_rank_is_found_by_the_logits_alone(bundle, factor):
    rewrite(bundle, lambda name, tensor: tensor * factor if name.endswith("B") else tensor)
    assert list(failures(bundle)) == [f"executorch: logits: {ADAPTER}"]


class Scripted:
    """An engine that answers with the rows it was given, of the base and of the bound adapter."""

    name = "executorch"

    def __init__(self, plain, adapted):
        self._rows, self._plain, self._adapted = [], plain, adapted

    def activate(self, handle):
        self._rows = list(self._plain if handle is None else self._adapted)

    def rewind(self, position):
        assert position == 0

    def forward(self, ids):
        return self._rows.pop(0)


@pytest.mark.parametrize(
    ("scale", "certain"), [(1.0, True), (2.0, True), (0.7, True), (2.0, False)]
)
def test_the_effect_tells_a_scale_where_the_logits_cannot(tiny_bundle, scale, certain):
    """As on a base whose activations have outliers, where rounding moves them by a fifth."""
    rng = np.random.default_rng(0)
    plain, effect, noise, other = rng.standard_normal((4, 3, 5000)).astype(np.float32)
    effect *= 0.3
    known = Rounding(0.2, 0.03 if certain else 0.06)
    prefill = Prefill(np.arange(5), plain + effect)
    reference = Reference(
        {ADAPTER: prefill}, {ADAPTER: plain}, {}, (), 0, 0, rounding={"token": {ADAPTER: known}}
    )
    found = plain + scale * effect + noise * 0.15
    engine = Scripted(plain + other * 0.15, found)
    opened = open_bundle(tiny_bundle)
    rounding_target = opened.manifest.targets[0].model_copy(
        update={"name": engine.name, "options": {"activations": "int8"}}
    )
    manifest = opened.manifest.model_copy(update={"targets": (rounding_target,)})
    stand = Stand(replace(opened, manifest=manifest), engine, {ADAPTER: object()}, reference)
    if scale == 1.0 or not certain:
        detail, _ = check_logits(stand, ADAPTER)
        assert ("times PEFT's" if certain else "too small beside the engine's rounding") in detail
    else:
        with pytest.raises(BundleError, match="times PEFT's"):
            check_logits(stand, ADAPTER)


def test_another_adapters_tensors_are_found(bundle):
    other = read_blob(bundle / "adapters" / "home.selector.safetensors")
    rewrite(bundle, lambda name, tensor: other[name])
    assert list(failures(bundle)) == [f"executorch: logits: {ADAPTER}"]


def test_another_base_is_found(bundle, tiny_run, tmp_path):
    """What is compared with is another base's, which is the same as the program's being so."""
    write_bundle(open_run(tiny_run(seed=1)), tmp_path / "other", ["onnx"])
    file = "reference/logits.safetensors"
    ours, theirs = load_file(bundle / file), load_file(tmp_path / "other" / file)
    save_file({**theirs, "base.ids": ours["base.ids"]}, bundle / file)
    rehash(bundle)
    assert "executorch: logits: base" in failures(bundle)


def test_a_reference_without_rounding_is_named(bundle):
    (bundle / "reference" / "activations.json").unlink()
    rehash(bundle)
    assert "does not say what rounding" in failures(bundle)["engine: executorch"]


def test_a_slot_that_is_lost_in_rounding_is_tried_with_made_up_values(bundle):
    slot = "layers.1.mlp.down_proj"
    rewrite(bundle, lambda name, tensor: tensor * 1e-12 if name == f"{slot}.lora_B" else tensor)
    checks = {each["name"]: each for each in climb(bundle, "executorch").as_json()["checks"]}
    found = checks[f"executorch: slots: {ADAPTER}"]
    assert found["ok"]
    assert "(1 are lost in rounding: tried with made-up values)" in found["detail"]


def test_kernels_that_round_in_blocks_are_held_to_what_that_does(tiny_run, tmp_path):
    """At the least to a fixed share, since not all processors round by the same blocks; to more
    where the base and the adapter are more sensitive than that."""
    path = tmp_path / "blocks"
    write_bundle(open_run(tiny_run()), path, ["onnx"], int8_activations=True)
    stored = json.loads((path / "reference" / "activations.json").read_text())
    assert set(stored) == {"block"}
    assert climb(path, "onnx").ok
    bundle = open_bundle(path)
    known = {name: Rounding(**each) for name, each in stored["block"].items()}
    stand = Stand(bundle, open_engine(bundle, "onnx"), {}, Reference.load(path / "reference"))
    least = LAYER_TOLERANCE * bundle.manifest.base.layers**0.5
    assert stand.tolerance(ADAPTER) == pytest.approx(max(least, 2 * known[ADAPTER].logits))
    sensitive = replace(stand.wanted, rounding={"block": {ADAPTER: Rounding(least, 0.1)}})
    assert replace(stand, wanted=sensitive).tolerance(ADAPTER) == pytest.approx(2 * least)
