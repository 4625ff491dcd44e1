"""Adapters that start from an earlier run's, on another quantization of the same checkpoint."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file

from edgetune.skill.make import make_skill
from edgetune.train.run import train
from edgetune_export.bundle import write_bundle
from edgetune_export.run import open_run
from edgetune_export.weights.checkpoint import Checkpoint
from edgetune_runtime.bundle import open_bundle
from edgetune_runtime.errors import InputError

_STILL = "{train: {learning_rate: 1.0e-12}}"
STILL = f"arguments: {_STILL}\nselector: {_STILL}\n"


def weights(run, name):
    return load_file(run / "adapters" / name / "adapter_model.safetensors")


def begun(recipe, place, start, extra="", **options):
    """A run at `place` that starts from `start`."""
    config = recipe(extra, **options)
    settings = config.train.model_copy(update={"start": str(start)})
    train(config.model_copy(update={"train": settings}), place)
    return json.loads((place / "run.json").read_text())


@pytest.fixture
def first(recipe, tmp_path):
    train(recipe(base=", quantization: rtn"), tmp_path / "first")
    return tmp_path / "first"


def test_another_quantization_of_the_same_checkpoint_is_a_start(recipe, tmp_path, first):
    theirs = json.loads((first / "run.json").read_text())
    ours = begun(recipe, tmp_path / "run", first, STILL)
    assert ours["base"]["weights_sha256"] != theirs["base"]["weights_sha256"]
    assert ours["base"]["checkpoint_sha256"] == theirs["base"]["checkpoint_sha256"]
    for entry in ours["adapters"]:
        assert entry["start_base_sha256"] == theirs["base"]["weights_sha256"]
    for name in ("home.selector", "home.arguments.set_alarm"):
        before, after = weights(first, name), weights(tmp_path / "run", name)
        assert all(torch.allclose(before[key], after[key], atol=1e-8) for key in before)
    # The run has what it starts from, and its bundle names both bases.
    shutil.rmtree(first)
    write_bundle(open_run(tmp_path / "run"), tmp_path / "bundle", ["onnx"])
    for adapter in open_bundle(tmp_path / "bundle").manifest.adapters:
        assert adapter.base_sha256 == ours["base"]["weights_sha256"]
        assert adapter.start_base_sha256 == theirs["base"]["weights_sha256"]


def test_a_run_without_a_start_says_nothing_of_one(tiny_bundle, first):
    assert "start_base_sha256" not in (first / "run.json").read_text()
    assert "start_base_sha256" not in (tiny_bundle / "manifest.json").read_text()


def test_one_adapter_may_be_where_several_start(recipe, tmp_path, first):
    start = first / "adapters" / "home.arguments.set_alarm"
    extra = f"arguments: {{train: {{start: {start}, learning_rate: 1.0e-12}}}}\n"
    train(recipe(extra, base=", quantization: rtn"), tmp_path / "run")
    about = json.loads((tmp_path / "run" / "run.json").read_text())
    started = {entry["name"] for entry in about["adapters"] if "start_base_sha256" in entry}
    assert started == {"home.arguments.get_weather", "home.arguments.set_alarm"}
    before = weights(first, "home.arguments.set_alarm")
    for name in started:
        after = weights(tmp_path / "run", name)
        assert all(torch.allclose(before[key], after[key], atol=1e-8) for key in before)


def test_a_tool_skill_is_where_all_that_name_it_start(recipe, tmp_path, tiny_checkpoint):
    skill = make_skill(str(tiny_checkpoint("qwen2")), tmp_path / "skill", 3, 0).output
    config = recipe(f"monolithic: {{enabled: false}}\n{STILL}", rank=16)
    shape = config.adapter.model_copy(update={"alpha": 16})
    settings = config.train.model_copy(update={"start": str(skill)})
    train(config.model_copy(update={"adapter": shape, "train": settings}), tmp_path / "run")
    about = json.loads((tmp_path / "run" / "run.json").read_text())
    before = weights(skill, "skill")
    names = [entry["name"] for entry in about["adapters"]]
    assert len(names) == 3
    for name in names:
        after = weights(tmp_path / "run", name)
        assert all(torch.allclose(before[key].float(), after[key], atol=1e-8) for key in before)


def test_another_checkpoint_is_refused_and_both_are_named(recipe, tmp_path, first, tiny_checkpoint):
    other = tiny_checkpoint("qwen2", seed=3)
    ours, theirs = Checkpoint(other).sha256, Checkpoint(tiny_checkpoint("qwen2")).sha256
    with pytest.raises(InputError, match=f"checkpoint {theirs[:12]}….*made of {ours[:12]}…"):
        begun(recipe, tmp_path / "run", first, model=other)
    assert not (tmp_path / "run").exists()


def test_a_base_that_does_not_say_its_checkpoint_is_a_start_for_itself_alone(
    recipe, tmp_path, first, tiny_checkpoint
):
    about = json.loads((first / "run.json").read_text())
    del about["base"]["checkpoint_sha256"]
    (first / "run.json").write_text(json.dumps(about))
    begun(recipe, tmp_path / "same", first, model=first / "base")
    with pytest.raises(InputError, match="does not say which float checkpoint"):
        begun(recipe, tmp_path / "run", first)


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ("selector: {adapter: {rank: 8}}\n", "'adapter.rank' is 8 for home.selector.* has 4"),
        ("selector: {adapter: {alpha: 8}}\n", "'adapter.alpha' is 8.0 .* has 32.0"),
        ("selector: {adapter: {layers: 1}}\n", "'adapter.layers' is 1 .* has 2"),
        ("selector: {adapter: {targets: [q_proj]}}\n", "'adapter.targets' is q_proj .* has down"),
    ],
)
def test_another_shape_is_refused(recipe, tmp_path, first, extra, said):
    with pytest.raises(InputError, match=said):
        begun(recipe, tmp_path / "run", first, extra)


def test_what_is_no_finished_run_is_refused(recipe, tmp_path, first):
    with pytest.raises(InputError, match=r"train\.start: 'nowhere' is no directory"):
        begun(recipe, tmp_path / "run", "nowhere")
    with pytest.raises(InputError, match="is neither a training run nor"):
        begun(recipe, tmp_path / "run", first / "base")
    (first / "adapters" / "mine").mkdir()
    with pytest.raises(InputError, match="is no adapter of the run"):
        begun(recipe, tmp_path / "run", first / "adapters" / "mine")
    selected = f"selector: {{train: {{start: {first}}}}}\n"
    about = json.loads((first / "run.json").read_text())
    about["adapters"] = about["adapters"][1:]
    (first / "run.json").write_text(json.dumps(about))
    with pytest.raises(InputError, match=r"has none of the adapters home\.selector"):
        train(recipe(selected), tmp_path / "run")
    about["complete"] = False
    (first / "run.json").write_text(json.dumps(about))
    with pytest.raises(InputError, match="is not finished"):
        begun(recipe, tmp_path / "run", first)


def test_a_start_that_has_changed_is_other_data(recipe, tmp_path, first):
    begun(recipe, tmp_path / "run", first)
    changed = first / "adapters" / "home.selector" / "adapter_model.safetensors"
    content = bytearray(changed.read_bytes())
    content[-1] ^= 1
    changed.unlink()
    changed.write_bytes(content)
    with pytest.raises(InputError, match="another data"):
        begun(recipe, tmp_path / "run", first)
