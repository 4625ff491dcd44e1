"""`verify` is ok for a bundle as it was exported, and names what was done to any other."""

import json
import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer

from edgetune_export.bundle import write_bundle
from edgetune_export.listing import write_manifest
from edgetune_export.run import open_run
from edgetune_export.slots import write_blob
from edgetune_export.verify.contents import delta_norm
from edgetune_export.verify.ladder import climb
from edgetune_runtime.adapters import read_blob, read_blob_metadata
from edgetune_runtime.errors import InputError
from edgetune_runtime.manifest import Manifest

BLOB = "adapters/home.arguments.set_alarm.safetensors"


@pytest.fixture(scope="module")
def exported(tiny_run, tmp_path_factory):
    path = tmp_path_factory.mktemp("exported") / "home"
    write_bundle(open_run(tiny_run()), path, ["onnx"], genai=True)
    return path


@pytest.fixture
def bundle(exported, tmp_path):
    return shutil.copytree(exported, tmp_path / "home")


def failures(result):
    """Names and details of the rungs that do not hold."""
    assert result["ok"] == all(check["ok"] for check in result["checks"])
    return {check["name"]: check["detail"] for check in result["checks"] if not check["ok"]}


def flip(path, place):
    """Change one bit of one byte, at a share of the file."""
    content = bytearray(path.read_bytes())
    content[int(place * (len(content) - 1))] ^= 1
    path.write_bytes(content)


def rehash(bundle):
    """What an attacker would do: the manifest's hashes made to fit the files."""
    text = (bundle / "manifest.json").read_text()
    (bundle / "manifest.json").unlink()
    write_manifest(bundle, Manifest.model_validate_json(text))


@pytest.mark.parametrize("family", ["qwen2", "llama", "qwen3"])
def test_exported_bundle_holds(family, tiny_run, exported, tmp_path):
    path = exported
    if family != "qwen2":
        path = tmp_path / family
        write_bundle(open_run(tiny_run(family)), path, ["onnx"])
    result = climb(path).as_json()
    assert result["ok"], failures(result)
    names = [check["name"] for check in result["checks"]]
    for rung in ("manifest", "files", "prompts"):
        assert rung in names
    for rung in ("calls", "no adapter is the base, bit for bit"):
        assert f"onnx: {rung}" in names
    for rung in ("blob", "scale", "onnx: slots", "onnx: logits"):
        assert f"{rung}: home.arguments.set_alarm" in names


@pytest.mark.parametrize("invocation", ["<tool_call>", "<|im_start|>user"])
def test_activated_adapters_hold_and_are_named_so(tiny_run, tmp_path, invocation):
    write_bundle(open_run(tiny_run(invocation=invocation)), tmp_path / "home", ["onnx"])
    result = climb(tmp_path / "home", run=tiny_run(invocation=invocation)).as_json()
    assert result["ok"], failures(result)
    manifest = json.loads((tmp_path / "home" / "manifest.json").read_text())
    for adapter in manifest["adapters"]:
        assert adapter["kind"] == "alora"
        assert adapter["invocation"]
    [toolset] = json.loads((tmp_path / "home" / "prompts.json").read_text())["toolsets"].values()
    assert toolset["shared"]
    assert set(toolset["arguments"].values()) == {toolset["selector"]}


def test_a_plain_adapter_that_is_served_as_activated_is_found(exported, bundle):
    manifest = json.loads((bundle / "manifest.json").read_text())
    mark = Tokenizer.from_file(str(bundle / "tokenizer.json")).token_to_id("<tool_call>")
    for adapter in manifest["adapters"]:
        adapter |= {"kind": "alora", "invocation": [mark]}
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    rehash(bundle)
    assert "onnx: logits: home.selector" in failures(climb(bundle).as_json())


def test_reference_can_be_computed_anew_from_the_run(exported, tiny_run):
    assert climb(exported, run=tiny_run()).as_json()["ok"]


def test_another_run_does_not_hold(exported, tiny_run):
    found = failures(climb(exported, run=tiny_run(seed=1)).as_json())
    assert "its base is" in found["reference"]


@pytest.mark.parametrize("place", [0.0, 0.02, 0.3, 0.7, 1.0])
@pytest.mark.parametrize(
    "file",
    [
        BLOB,
        BLOB.replace("safetensors", "onnx_adapter"),
        "onnx/model.onnx",
        "onnx/model.onnx.data",
        "onnx/tokenizer.json",
        "tokenizer.json",
        "tools.json",
        "prompts.json",
        "grammars/home/set_alarm.safetensors",
        "reference/logits.safetensors",
    ],
)
def test_one_changed_byte_is_found_and_its_file_named(bundle, file, place):
    flip(bundle / file, place)
    assert file in failures(climb(bundle).as_json())["files"]


@pytest.mark.parametrize("place", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_one_changed_byte_of_the_manifest_is_found(bundle, place):
    flip(bundle / "manifest.json", place)
    assert "manifest.json" in failures(climb(bundle).as_json())["manifest"]


@pytest.mark.parametrize("place", [0.0, 0.3])
def test_a_changed_digest_is_found(bundle, place):
    flip(bundle / "manifest.sha256", place)
    assert "manifest" in failures(climb(bundle).as_json())


def test_truncated_blob_is_named(bundle):
    (bundle / BLOB).write_bytes((bundle / BLOB).read_bytes()[:-100])
    found = failures(climb(bundle).as_json())
    assert BLOB in found["files"]
    assert BLOB in found["blob: home.arguments.set_alarm"]


def test_missing_files_are_named(bundle):
    (bundle / "onnx/model.onnx.data").unlink()
    assert "onnx/model.onnx.data" in failures(climb(bundle).as_json())["files"]


def test_a_part_of_a_bundle_says_what_verify_lacks(bundle):
    shutil.rmtree(bundle / "reference")
    for path in bundle.glob("adapters/*.onnx_adapter"):
        path.unlink()
    for engine in (None, "onnx"):
        found = failures(climb(bundle, engine).as_json())["files"]
        assert "reference/deltas.json, reference/logits.safetensors (needed by verify)" in found
        assert ("and 1 more (needed by genai)" in found) == (engine is None)


def test_with_an_engine_only_its_files_and_the_reference_are_asked_for(bundle, tiny_run):
    for path in bundle.glob("adapters/*.onnx_adapter"):
        path.unlink()
    assert climb(bundle, "onnx").as_json()["ok"]
    shutil.rmtree(bundle / "reference")
    assert climb(bundle, "onnx", tiny_run()).as_json()["ok"]


def test_an_empty_directory_is_not_ok(tmp_path):
    assert "manifest" in failures(climb(tmp_path).as_json())


def test_a_path_that_is_not_there_is_bad_input(tmp_path):
    with pytest.raises(InputError, match="no such directory"):
        climb(tmp_path / "nothing").as_json()


def test_manifest_of_nonsense_does_not_raise(bundle):
    (bundle / "manifest.json").write_text("[1, 2")
    assert not climb(bundle).as_json()["ok"]


def test_blob_of_another_base_is_refused_even_with_new_hashes(bundle, tiny_run, tmp_path):
    write_bundle(open_run(tiny_run(seed=1)), tmp_path / "other", ["onnx"])
    shutil.copyfile(tmp_path / "other" / BLOB, bundle / BLOB)
    rehash(bundle)
    found = failures(climb(bundle).as_json())
    assert "was trained on base" in found["blob: home.arguments.set_alarm"]
    assert BLOB in found["blob: home.arguments.set_alarm"]


def rewrite(bundle, change, onnx_adapter=True):
    """Store changed tensors in the blob, and in its twin, with its metadata and fitting hashes."""
    from edgetune_export.lowering.onnx import write_onnx_adapter

    blob, metadata = read_blob(bundle / BLOB), read_blob_metadata(bundle / BLOB)
    tensors = {name: np.array(change(name, tensor), np.float32) for name, tensor in blob.items()}
    (bundle / BLOB).unlink()
    write_blob(bundle / BLOB, tensors, metadata)
    if onnx_adapter:
        write_onnx_adapter(tensors, bundle / BLOB.replace("safetensors", "onnx_adapter"))
    rehash(bundle)


@pytest.mark.parametrize("factor", [2.0, 0.5])
def test_scale_off_by_the_root_of_the_rank_is_found_despite_new_hashes(bundle, factor):
    rewrite(bundle, lambda name, tensor: tensor * factor if name.endswith("B") else tensor)
    found = failures(climb(bundle).as_json())
    assert "layers.0.attn.k_proj" in found["scale: home.arguments.set_alarm"]
    assert BLOB in found["onnx: logits: home.arguments.set_alarm"]


def test_scale_of_one_slot_is_found(bundle):
    slot = "layers.1.mlp.up_proj.lora_B"
    rewrite(bundle, lambda name, tensor: tensor * 2 if name == slot else tensor)
    assert (
        "layers.1.mlp.up_proj"
        in failures(climb(bundle).as_json())["scale: home.arguments.set_alarm"]
    )


def test_wrong_scale_is_found_by_the_logits_alone(bundle):
    """Where the norms were made to fit as well."""
    rewrite(bundle, lambda name, tensor: tensor * 2 if name.endswith("B") else tensor)
    path = bundle / "reference/deltas.json"
    norms = json.loads(path.read_text())
    changed = norms["home.arguments.set_alarm"]
    norms["home.arguments.set_alarm"] = {slot: 2 * norm for slot, norm in changed.items()}
    path.write_text(json.dumps(norms))
    rehash(bundle)
    assert set(failures(climb(bundle).as_json())) >= {"onnx: logits: home.arguments.set_alarm"}


def test_blob_with_another_adapters_tensors_is_found(bundle):
    other = read_blob(bundle / "adapters/home.selector.safetensors")
    rewrite(bundle, lambda name, tensor: other[name])
    assert "onnx: logits: home.arguments.set_alarm" in failures(climb(bundle).as_json())


def test_onnx_adapter_that_is_not_the_blob_is_found(bundle):
    rewrite(bundle, lambda name, tensor: tensor + 1e-3, onnx_adapter=False)
    assert "onnx_adapter" in failures(climb(bundle).as_json())["blob: home.arguments.set_alarm"]


def test_other_base_weights_are_found_despite_new_hashes(bundle, tiny_run, tmp_path):
    write_bundle(open_run(tiny_run(seed=1)), tmp_path / "other", ["onnx"])
    for name in ("model.onnx", "model.onnx.data"):
        shutil.copyfile(tmp_path / "other/onnx" / name, bundle / "onnx" / name)
    rehash(bundle)
    assert "model.onnx" in failures(climb(bundle).as_json())["onnx: logits: base"]
    sample = failures(climb(bundle, sample=True).as_json())
    assert "the logits of 'base' differ" in sample["onnx: logits of a sample: home.selector"]


def test_a_sample_asks_an_engine_for_two_rows_of_one_adapter(exported):
    checks = climb(exported, "onnx", sample=True).as_json()["checks"]
    assert all(check["ok"] for check in checks)
    (asked,) = (check for check in checks if check["name"].startswith("onnx:"))
    assert asked["name"] == "onnx: logits of a sample: home.selector"
    assert "effect 1.000 times" in asked["detail"]


def test_changed_prompt_is_found_despite_new_hashes(bundle):
    path = bundle / "prompts.json"
    path.write_text(path.read_text().replace("Set an alarm.", "Set an  alarm."))
    rehash(bundle)
    assert "prompts.json" in failures(climb(bundle).as_json())["prompts"]


def test_slot_that_the_graph_ignores_is_named(bundle):
    import onnx

    path = bundle / "onnx/model.onnx"
    model = onnx.load(path, load_external_data=False)
    total = next(n for n in model.graph.node if n.name == "layers.0.attn.v_proj/sum")
    total.input[1] = total.input[0]
    total.op_type = "Max"  # max(x, x) is x: the slot's product is not used
    onnx.save(model, path)
    rehash(bundle)
    found = failures(climb(bundle).as_json())
    assert "layers.0.attn.v_proj" in found["onnx: slots: home.selector"]


def test_changed_call_is_found(bundle):
    path = bundle / "reference/calls.json"
    calls = json.loads(path.read_text())
    assert calls["calls"], "the sample has no call that is stable"
    calls["calls"][0]["tool"] = "respond"
    path.write_text(json.dumps(calls))
    rehash(bundle)
    assert "with torch respond" in failures(climb(bundle).as_json())["onnx: calls"]


def test_reference_without_an_adapter_is_named(bundle):
    path = bundle / "reference/logits.safetensors"
    tensors = load_file(path)
    save_file({k: v for k, v in tensors.items() if not k.startswith("home.selector")}, path)
    rehash(bundle)
    assert "home.selector" in failures(climb(bundle).as_json())["reference"]


def test_the_size_of_a_delta_is_exact_for_wide_slots():
    rng = np.random.default_rng(0)
    a = rng.standard_normal((896, 8)).astype(np.float32)
    b = rng.standard_normal((8, 4864)).astype(np.float32) * 1e-3
    wanted = np.linalg.norm(a.astype(np.float64) @ b.astype(np.float64))
    assert delta_norm(a, b) == pytest.approx(wanted, rel=1e-9)


def test_an_engine_that_the_bundle_has_no_target_for_is_bad_input(exported):
    with pytest.raises(InputError, match=r"--engine executorch: .*has \['onnx'\]"):
        climb(exported, engine="executorch").as_json()


def test_a_folder_with_another_programs_manifest_is_left_alone(tiny_run, tmp_path):
    (tmp_path / "web").mkdir()
    for name in ("manifest.json", "index.html"):
        (tmp_path / "web" / name).write_text("{}")
    with pytest.raises(InputError, match="exists and is no bundle"):
        write_bundle(open_run(tiny_run()), tmp_path / "web", ["onnx"])
    assert (tmp_path / "web" / "index.html").exists()
