"""A bundle is used only when all of it is what its manifest says; each fault is named."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from edgetune_runtime.agent import Agent
from edgetune_runtime.bundle import open_bundle
from edgetune_runtime.engines import open_engine
from edgetune_runtime.errors import BundleError, InputError
from edgetune_runtime.profile import profile
from edgetune_runtime.prompt import User
from edgetune_runtime.vocabulary import Vocabulary

BLOB = "adapters/home.selector.safetensors"


@pytest.fixture
def bundle(tiny_bundle, tmp_path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(tiny_bundle, tmp_path / "bundle"))


def flip(file: Path, place: int) -> None:
    content = bytearray(file.read_bytes())
    content[place] ^= 1
    file.write_bytes(content)


def test_a_whole_bundle_gives_its_assets(tiny_bundle, weather_toolset):
    assets = open_bundle(tiny_bundle).assets
    home = assets.toolsets["home"]
    assert home.toolset == weather_toolset
    assert set(home.automata) == {"get_weather", "set_alarm"}
    selector = assets.adapters["home.selector"]
    assert selector.rank == 4
    assert selector.bytes == (tiny_bundle / BLOB).stat().st_size
    assert selector.load()["layers.0.attn.q_proj.lora_A"].shape == (64, 4)


@pytest.mark.parametrize("place", [0, 20, -30, -1])
def test_one_changed_byte_of_any_file_is_refused_by_name(bundle, place):
    files = [file for file in sorted(bundle.rglob("*")) if file.is_file()]
    assert {bundle / name for name in (BLOB, "manifest.json", "manifest.sha256")} < set(files)
    needed_by = {entry.path: entry.needed_by for entry in open_bundle(bundle).manifest.files}
    for file in files:
        whole = file.read_bytes()
        flip(file, place)
        if needed_by.get(file.relative_to(bundle).as_posix(), "any") in ("any", "onnx"):
            with pytest.raises(BundleError, match=file.name):
                open_engine(open_bundle(bundle), "onnx", threads=1)
        else:  # nothing here reads it
            assert open_bundle(bundle)
        file.write_bytes(whole)
    assert open_engine(open_bundle(bundle), "onnx", threads=1)


def part(bundle: Path, place: Path, *needed_by: str) -> Path:
    """What somebody copies to a phone: the manifest and the files that one of these needs."""
    for entry in open_bundle(bundle).manifest.files:
        if entry.needed_by in needed_by:
            (place / entry.path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(bundle / entry.path, place / entry.path)
    for name in ("manifest.json", "manifest.sha256"):
        shutil.copyfile(bundle / name, place / name)
    return place


def test_a_part_of_a_bundle_is_whole_for_its_engine(tiny_bundle, tmp_path):
    copied = part(tiny_bundle, tmp_path / "part", "any", "onnx")
    assert not (copied / "reference").exists()
    assert sorted(path.name for path in (copied / "onnx").iterdir()) == [
        "model.onnx",
        "model.onnx.data",
    ]
    agents = []
    for path in (tiny_bundle, copied):
        bundle = open_bundle(path)
        agents.append(Agent(bundle.assets, open_engine(bundle, threads=1)))
    whole, here = (agent.step([User("Weather in Oslo?")]) for agent in agents)
    assert (here.tool, here.arguments) == (whole.tool, whole.arguments)
    assert profile(open_bundle(copied), "onnx", threads=1)


def test_a_part_without_the_engines_files_names_them(tiny_bundle, tmp_path):
    opened = open_bundle(part(tiny_bundle, tmp_path / "part", "any"))
    with pytest.raises(
        BundleError, match=r"part: lacks onnx/model\.onnx, onnx/.* \(needed by onnx\);"
    ):
        open_engine(opened, "onnx")


@pytest.mark.parametrize("path", ["tokenizer.json", "onnx/model.onnx"])
def test_a_file_that_is_read_but_listed_for_somebody_else_is_refused(
    bundle, rewrite_manifest, path
):
    """Its hash would not be looked at."""

    def hide(manifest):
        for entry in manifest["files"]:
            if entry["path"] == path:
                entry["needed_by"] = "verify"

    edit(bundle, rewrite_manifest, hide)
    with pytest.raises(BundleError, match=rf"{path}: used by the bundle but not listed"):
        open_engine(open_bundle(bundle), "onnx")


def test_keys_and_values_of_a_type_that_no_engine_has_are_refused(bundle, rewrite_manifest):
    edit(bundle, rewrite_manifest, lambda manifest: manifest["targets"][0].update(kv_type="int8"))
    with pytest.raises(BundleError, match="target 'onnx' keeps keys and values in 'int8'"):
        open_engine(open_bundle(bundle), "onnx")


def test_a_graph_of_other_keys_and_values_than_the_manifest_says_is_refused(
    bundle, rewrite_manifest
):
    edit(bundle, rewrite_manifest, lambda m: m["targets"][0].update(kv_type="float16"))
    with pytest.raises(BundleError, match=r"no input 'past_key_values\.0\.key' of float16"):
        open_engine(open_bundle(bundle), "onnx")


def test_each_byte_of_the_manifests_digest_counts(bundle):
    digest = bundle / "manifest.sha256"
    whole = digest.read_bytes()
    for place in range(len(whole)):
        flip(digest, place)
        with pytest.raises(BundleError, match=r"manifest\.sha256 is not its SHA-256"):
            open_bundle(bundle)
        digest.write_bytes(whole)
    for other in (b"", whole.strip(), whole + whole, whole.replace(b"\n", b"\r\n")):
        digest.write_bytes(other)
        with pytest.raises(BundleError, match=r"manifest\.sha256"):
            open_bundle(bundle)


@pytest.mark.parametrize("name", [BLOB, "tokenizer.json", "manifest.sha256"])
def test_a_missing_file_is_refused_by_name(bundle, name):
    (bundle / name).unlink()
    with pytest.raises(BundleError, match=Path(name).name):
        open_bundle(bundle)


def test_a_truncated_blob_is_refused_even_without_hashing(bundle):
    blob = bundle / BLOB
    blob.write_bytes(blob.read_bytes()[:-100])
    with pytest.raises(BundleError, match=r"home\.selector\.safetensors"):
        open_bundle(bundle, check=False)


def test_no_bundle_at_all_is_bad_input(tmp_path):
    with pytest.raises(InputError, match="no bundle"):
        open_bundle(tmp_path)


def edit(bundle: Path, rewrite, change) -> None:
    """Change the manifest and sign it anew: what is left is a bundle that contradicts itself."""
    manifest = json.loads((bundle / "manifest.json").read_text())
    change(manifest)
    rewrite(bundle, manifest)


@pytest.mark.parametrize("version", [2, 99])
def test_another_schema_version_is_refused(bundle, rewrite_manifest, version):
    edit(bundle, rewrite_manifest, lambda manifest: manifest.update(schema_version=version))
    with pytest.raises(BundleError, match=f"schema version {version}, .* export the bundle again"):
        open_bundle(bundle)


def test_an_unknown_manifest_field_is_refused(bundle, rewrite_manifest):
    edit(bundle, rewrite_manifest, lambda manifest: manifest.update(surprise=1))
    with pytest.raises(BundleError, match="surprise"):
        open_bundle(bundle)


def test_a_bundle_without_a_target_is_refused(bundle, rewrite_manifest):
    edit(bundle, rewrite_manifest, lambda manifest: manifest.update(targets=[]))
    with pytest.raises(BundleError, match="targets"):
        open_bundle(bundle)


def test_a_path_out_of_the_bundle_is_refused(bundle, rewrite_manifest):
    edit(bundle, rewrite_manifest, lambda m: m["adapters"][0].update(file="../secret"))
    with pytest.raises(BundleError, match="secret"):
        open_bundle(bundle)


def test_other_tools_than_the_bundle_was_made_for_are_refused(bundle, rewrite_manifest):
    tools = json.loads((bundle / "tools.json").read_text())
    tools["toolsets"][0]["tools"][0]["function"]["description"] = "another"
    (bundle / "tools.json").write_text(json.dumps(tools))
    edit(bundle, rewrite_manifest, lambda manifest: None)
    with pytest.raises(BundleError, match=r"tools\.json.*'home'"):
        open_bundle(bundle)


def resave(file: Path, change, base: str) -> None:
    from edgetune_export.slots import write_blob
    from edgetune_runtime.adapters import read_blob

    tensors = {name: tensor.copy() for name, tensor in read_blob(file).items()}
    change(tensors)
    file.unlink()
    write_blob(file, tensors, {"base_sha256": base})


def base_of(bundle: Path) -> str:
    return json.loads((bundle / "manifest.json").read_text())["base"]["weights_sha256"]


def test_a_blob_of_another_base_is_refused_and_both_are_named(bundle, rewrite_manifest):
    resave(bundle / BLOB, lambda tensors: None, base="f" * 64)
    edit(bundle, rewrite_manifest, lambda manifest: None)
    with pytest.raises(BundleError, match="fffffff") as caught:
        open_bundle(bundle)
    assert base_of(bundle)[:12] in str(caught.value)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda t: t.update({"layers.9.attn.q_proj.lora_A": np.zeros((64, 4))}), "layers.9"),
        (lambda t: t.update({"layers.0.attn.q_proj.lora_A": np.zeros((63, 4))}), r"\[63, 4\]"),
        (lambda t: t.update({"layers.0.attn.q_proj.lora_A": np.zeros((64, 5))}), r"\[64, 5\]"),
        (lambda t: t.pop("layers.0.attn.q_proj.lora_A"), r"'.*q_proj\.lora_A' is missing"),
        (
            lambda t: t.update(
                {
                    "layers.0.attn.q_proj.lora_A": np.zeros((64, 5)),
                    "layers.0.attn.q_proj.lora_B": np.zeros((5, 64)),
                }
            ),
            r"home\.selector\.safetensors: .* of rank 5, but 4 is the most",
        ),
    ],
)
def test_a_blob_that_does_not_fit_the_slots_is_refused(bundle, rewrite_manifest, change, named):
    resave(bundle / BLOB, change, base_of(bundle))
    edit(bundle, rewrite_manifest, lambda manifest: None)
    with pytest.raises(BundleError, match=named):
        open_bundle(bundle)


def test_a_missing_module_is_allowed(bundle, rewrite_manifest):
    def drop(tensors):
        del tensors["layers.0.attn.q_proj.lora_A"], tensors["layers.0.attn.q_proj.lora_B"]

    resave(bundle / BLOB, drop, base_of(bundle))
    edit(bundle, rewrite_manifest, lambda manifest: None)
    assert open_bundle(bundle)


def test_a_kind_that_contradicts_the_invocation_is_refused(bundle, rewrite_manifest):
    edit(bundle, rewrite_manifest, lambda manifest: manifest["adapters"][0].update(kind="alora"))
    with pytest.raises(BundleError, match=r"adapters\.0.*'kind' and 'invocation' contradict"):
        open_bundle(bundle)


def change_json(file: Path, change) -> None:
    value = json.loads(file.read_text())
    change(value["toolsets"]["home"])
    file.write_text(json.dumps(value))


def use_a_token_too_large(trie):
    trie["opening_ids"][0] = 10**6


def resize_vocabulary(file: Path, more: list[bytes], count: int | None = None) -> None:
    vocabulary = Vocabulary.load(file)
    tokens = [vocabulary[token] for token in range(len(vocabulary))]
    Vocabulary([*tokens[:count], *more]).save(file)


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        ("names.json", lambda f: change_json(f, use_a_token_too_large), "token 1000000"),
        ("names.json", lambda f: change_json(f, lambda t: t["names"].pop()), "home"),
        ("prompts.json", lambda f: change_json(f, lambda t: t["arguments"].clear()), "no prompt"),
        ("vocabulary.safetensors", lambda f: resize_vocabulary(f, [], 100), "100 tokens"),
        ("vocabulary.safetensors", lambda f: resize_vocabulary(f, [b"x"] * 9), "tokens where"),
    ],
)
def test_what_was_worked_out_at_export_has_to_fit_the_rest(
    bundle, rewrite_manifest, name, change, says
):
    change(bundle / name)
    edit(bundle, rewrite_manifest, lambda manifest: None)
    with pytest.raises(BundleError, match=rf"{name}: .*{says}"):
        open_bundle(bundle)
