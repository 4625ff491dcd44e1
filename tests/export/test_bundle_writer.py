"""Writing a bundle: what is in it, that it opens without the workstation, and how it fails."""

import json
import zipfile

import numpy as np
import pytest

from edgetune_export import base_size
from edgetune_export import bundle as writer
from edgetune_export.bundle import write_bundle
from edgetune_export.lowering import targets
from edgetune_export.run import open_run, read_adapter, run_assets, samples
from edgetune_export.torch_engine import TorchEngine
from edgetune_export.verify.ladder import climb
from edgetune_runtime.agent import Agent
from edgetune_runtime.bundle import open_bundle
from edgetune_runtime.engines import open_engine
from edgetune_runtime.errors import InputError
from edgetune_runtime.files import write_json
from edgetune_runtime.options import Options
from edgetune_runtime.prompt import User
from edgetune_runtime.spans import Spans


@pytest.fixture
def bundle(tiny_bundle):
    return tiny_bundle


def test_bundle_opens_and_calls(bundle):
    opened = open_bundle(bundle)
    agent = Agent(opened.assets, open_engine(opened, "onnx"))
    for system in ("decoupled", "monolithic", "base"):
        options = Options(system=system, max_tokens=40)
        step = agent.step([User("Weather in Oslo?")], options=options)
        assert step.tool in opened.assets.toolsets["home"].toolset.names


def test_copied_values_are_words_of_the_request(bundle):
    """Whatever random adapters would write."""
    opened = open_bundle(bundle)
    assert opened.assets.toolsets["home"].copied == {"get_weather": ("city",)}
    agent = Agent(opened.assets, open_engine(opened, "onnx"))
    options = Options(max_tokens=40)
    for text in ("Weather in Oslo?", "how warm will it be", "é"):
        written = agent.arguments([User(text)], "home", "get_weather", options)
        assert Spans([User(text)], ()).holds(written.arguments["city"])


def test_bundle_gives_the_assets_of_its_run(bundle, tiny_run):
    run, opened = open_run(tiny_run()), open_bundle(bundle)
    wanted, found = run_assets(run), opened.assets
    assert found.pieces == wanted.pieces
    assert found.toolsets["home"].prompts == wanted.toolsets["home"].prompts
    assert found.toolsets["home"].prompts.tools_shown == "compact"
    assert (found.reply, found.toolsets["home"].trie) == (
        wanted.reply,
        wanted.toolsets["home"].trie,
    )
    assert found.tokenizer.to_str() == wanted.tokenizer.to_str()
    for name, source in wanted.adapters.items():
        for slot, tensor in source.load().items():
            np.testing.assert_array_equal(found.adapters[name].load()[slot], tensor)


def test_bundle_and_run_give_the_same_calibrated_probabilities(bundle, tiny_run):
    """A run that was trained before there were temperatures, or an adapter without, has 1."""
    opened = open_bundle(bundle)
    run = run_assets(open_run(tiny_run()), grammars=False)
    for name, temperature in (("home.selector", 1.5), ("home.monolithic", 1.0)):
        assert run.adapters[name].selection_temperature == temperature
        assert opened.assets.adapters[name].selection_temperature == temperature
    first = Agent(run, TorchEngine(open_run(tiny_run()).base))
    second = Agent(opened.assets, open_engine(opened, "onnx"))
    exact = Options(exact=True)
    for text in ("Weather in Oslo?", "Wake me at 7:30"):
        wanted = first.select([User(text)], options=exact).probabilities
        assert second.select([User(text)], options=exact).probabilities == pytest.approx(
            wanted, rel=1e-3
        )


def test_every_file_is_listed(bundle):
    listed = {entry.path for entry in open_bundle(bundle).manifest.files}
    present = {p.relative_to(bundle).as_posix() for p in bundle.rglob("*") if p.is_file()}
    assert present - listed == {"manifest.json", "manifest.sha256"}


def test_each_file_says_who_needs_it(tiny_run, tmp_path):
    options = {"genai": True, "merge": "home.selector"}
    write_bundle(open_run(tiny_run()), tmp_path / "b", ["onnx"], **options)
    manifest = open_bundle(tmp_path / "b").manifest
    found = {entry.path: entry.needed_by for entry in manifest.files}
    wanted = {
        "tokenizer.json": "any",
        "grammars/home/set_alarm.safetensors": "any",
        "adapters/home.selector.safetensors": "any",
        "adapters/home.selector.onnx_adapter": "genai",
        "onnx/model.onnx": "onnx",
        "onnx/model.onnx.data": "onnx",
        "onnx/genai_config.json": "genai",
        "merged/home.selector/model.onnx": "genai",
        "reference/calls.json": "verify",
    }
    assert {path: found[path] for path in wanted} == wanted
    for adapter in manifest.adapters:
        assert found[adapter.onnx_adapter] == "genai"
    [target] = manifest.targets
    assert (target.context_length, target.kv_type) == (1024, "float32")


def test_each_adapter_is_there_once_unless_asked_for(bundle):
    adapters = open_bundle(bundle).manifest.adapters
    assert {path.name for path in (bundle / "adapters").iterdir()} == {
        adapter.file.removeprefix("adapters/") for adapter in adapters
    }
    assert all(adapter.onnx_adapter is None for adapter in adapters)


def test_folded_scale_is_in_the_manifest(bundle):
    for adapter in open_bundle(bundle).manifest.adapters:
        assert adapter.rslora
        assert adapter.scale == pytest.approx(8 / 2)  # alpha / sqrt(r)


def test_zip_holds_the_same_files(bundle):
    with zipfile.ZipFile(bundle.with_name("home.zip")) as archive:
        assert archive.testzip() is None
        assert archive.read("home/manifest.json") == (bundle / "manifest.json").read_bytes()


def test_float16_halves_the_blobs(tiny_run, bundle, tmp_path):
    write_bundle(open_run(tiny_run()), tmp_path / "half", ["onnx"], blob_type="float16")
    halved = open_bundle(tmp_path / "half").manifest
    for adapter in halved.adapters:
        assert adapter.dtype == "float16"
        size = (bundle / adapter.file).stat().st_size
        assert (tmp_path / "half" / adapter.file).stat().st_size < 0.75 * size


def test_a_graph_that_rounds_activations_says_so_and_is_still_the_base(tiny_run, tmp_path):
    write_bundle(open_run(tiny_run()), tmp_path / "b", ["onnx"], int8_activations=True)
    [target] = open_bundle(tmp_path / "b").manifest.targets
    assert target.options["accuracy_level"] == 4
    assert climb(tmp_path / "b").as_json()["ok"]


@pytest.mark.parametrize(
    ("large", "chosen", "level", "dtype"),
    [
        (False, {}, 0, "float32"),
        (True, {}, 4, "float16"),
        (True, {"int8_activations": False, "blob_type": "float32"}, 0, "float32"),
    ],
)
def test_the_bases_size_decides_what_nobody_chose(
    tiny_run, tmp_path, monkeypatch, large, chosen, level, dtype
):
    """Another base is wrong by as much as ever: the tolerance of rounded activations is wider."""
    run = open_run(tiny_run())
    least = run.base.parameters
    monkeypatch.setattr(base_size, "LARGE", least - 1 if large else least)
    write_bundle(run, tmp_path / "b", ["onnx"], **chosen)
    manifest = open_bundle(tmp_path / "b").manifest
    assert manifest.targets[0].options["accuracy_level"] == level
    assert {adapter.dtype for adapter in manifest.adapters} == {dtype}
    result = climb(tmp_path / "b")
    assert result.ok, result.failed
    (base,) = [check for check in result.checks if check.name == "onnx: logits: base"]
    assert f"tolerance {'4.24' if level else '0.14'}%" in base.detail


@pytest.mark.parametrize("tied", [True, False])
def test_the_parameters_of_a_base_are_those_of_its_matrices(tiny_base, tied):
    base = tiny_base("llama", tied=tied)
    counted = sum(weight.codes.numel() for weight in base.quantized().values())
    assert base.parameters == counted


def test_merged_model_is_written_without_slots(tiny_run, tmp_path):
    import onnx

    write_bundle(open_run(tiny_run()), tmp_path / "b", ["onnx"], merge="home.selector")
    graph = onnx.load(tmp_path / "b/merged/home.selector/model.onnx", load_external_data=False)
    assert not [value.name for value in graph.graph.input if "lora" in value.name]


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"targets": ["tpu"]}, "--target tpu"),
        ({"merge": "home.nothing"}, "home.nothing"),
        ({"blob_type": "int1"}, "int1"),
    ],
)
def test_unknown_option_leaves_nothing_behind(tiny_run, tmp_path, options, what):
    with pytest.raises(InputError, match=what):
        write_bundle(open_run(tiny_run()), tmp_path / "b", **{"targets": ["onnx"], **options})
    assert not list(tmp_path.iterdir())


def test_a_target_without_its_packages_names_them(tiny_run, tmp_path, monkeypatch):
    monkeypatch.setattr(targets, "find_spec", lambda name: None if name == "torchao" else name)
    with pytest.raises(InputError, match=r"--target executorch: torchao is not installed.*pip"):
        write_bundle(open_run(tiny_run()), tmp_path / "b", ["onnx", "executorch"])
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_no_bundle_is_never_replaced(tiny_run, tmp_path):
    (tmp_path / "precious.txt").write_text("keep")
    with pytest.raises(InputError, match="exists and is no bundle"):
        write_bundle(open_run(tiny_run()), tmp_path, ["onnx"])
    assert (tmp_path / "precious.txt").read_text() == "keep"


def test_full_disk_keeps_the_old_bundle(tiny_run, tmp_path, monkeypatch):
    old = tmp_path / "b"
    old.mkdir()
    for name in ("manifest.json", "manifest.sha256"):
        (old / name).write_text("old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writer, "compute_reference", full)
    with pytest.raises(InputError, match="disk is full"):
        write_bundle(open_run(tiny_run()), old, ["onnx"])
    assert [path.name for path in tmp_path.iterdir()] == ["b"]
    assert (old / "manifest.json").read_text() == "old"


def copied(run, target):
    import shutil

    shutil.copytree(run, target)
    return target


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"complete": False}, "not finished"),
        ({"base": {"weights_sha256": "f" * 64}}, "was trained on"),
        ({"adapters": [{"name": "x"}]}, "role"),
    ],
)
def test_unfit_run_is_refused(tiny_run, tmp_path, change, what):
    run = copied(tiny_run(), tmp_path / "run")
    about = json.loads((run / "run.json").read_text())
    write_json(run / "run.json", {**about, **change})
    with pytest.raises(InputError, match=what):
        open_run(run)


def test_missing_run_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"run\.json is missing"):
        open_run(tmp_path)


def test_samples_are_requests_with_their_calls(tiny_run):
    run = open_run(tiny_run())
    found = list(samples(run, run.toolsets["home"]))
    assert [sample.request for sample in found][:2] == ["Weather in Oslo?", "Wake me at 7:30"]
    assert found[1].call.arguments == {"time": "7:30"}


def test_run_adapter_is_read_with_its_scale(tiny_run):
    run = open_run(tiny_run())
    assert read_adapter(run, run.adapter("home.selector")).scale == pytest.approx(4)
