"""A run that takes a skill with it, and adapters that start from it."""

import json

import pytest
import torch
from safetensors.torch import load_file

from edgetune.evaluate.system import open_system
from edgetune.skill.make import make_skill
from edgetune.train.run import train
from edgetune.train.taken_skill import find_skill
from edgetune_export.bundle import write_bundle
from edgetune_export.run import open_run
from edgetune_runtime.bundle import open_bundle
from edgetune_runtime.errors import InputError
from edgetune_runtime.options import Options
from edgetune_runtime.prompt import User

QUICK = (
    "monolithic: {enabled: false}\narguments: {train: {steps: 1}}\nselector: {train: {steps: 1}}\n"
)
WEIGHTS = "adapters/skill/adapter_model.safetensors"


@pytest.fixture(scope="module")
def skill(tiny_checkpoint, tmp_path_factory):
    place = tmp_path_factory.mktemp("skill") / "skill"
    return make_skill(str(tiny_checkpoint("qwen2")), place, 6, 0).output


def test_the_run_and_its_bundle_have_the_skill(recipe, tmp_path, skill):
    config = recipe(QUICK + f"skill: {skill}\n")
    train(config, tmp_path / "run")
    assert (tmp_path / "run" / WEIGHTS).read_bytes() == (skill / WEIGHTS).read_bytes()
    entry = json.loads((tmp_path / "run" / "run.json").read_text())["adapters"][-1]
    assert (entry["role"], entry["origin"]) == ("skill", "kept")
    step = open_system(tmp_path / "run").step([User("hello")], options=Options(system="skill"))
    assert step.tool in ("get_weather", "set_alarm", "cancel_alarms", "respond")
    write_bundle(open_run(tmp_path / "run"), tmp_path / "bundle", ["onnx"])
    assert open_bundle(tmp_path / "bundle").assets.skill == "skill"
    again = train(config, tmp_path / "run")
    assert again.adapters["skill"]["origin"] == "kept"


def test_adapters_may_start_from_it(recipe, tmp_path, skill):
    config = recipe("monolithic: {enabled: false}\n", rank=16)
    shape = config.adapter.model_copy(update={"alpha": 16.0})
    start = {"start": str(skill / "adapters" / "skill"), "learning_rate": 1e-12}
    settings = config.train.model_copy(update=start)
    train(config.model_copy(update={"adapter": shape, "train": settings}), tmp_path / "run")
    before = load_file(skill / WEIGHTS)
    after = load_file(tmp_path / "run/adapters/home.selector/adapter_model.safetensors")
    assert all(torch.allclose(before[key].float(), after[key], atol=1e-6) for key in before)


def test_a_skill_of_another_quantization_is_taken_and_both_are_named(recipe, tmp_path, skill):
    train(recipe(QUICK + f"skill: {skill}\n", base=", quantization: rtn"), tmp_path / "run")
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    theirs = json.loads((skill / "run.json").read_text())["base"]["weights_sha256"]
    assert record["adapters"][-1]["start_base_sha256"] == theirs != record["base"]["weights_sha256"]


def test_the_shipped_one_is_called_as_its_base_and_fits_no_other(recipe, tmp_path):
    config = recipe(QUICK + "skill: smollm2-135m\n")
    weights = load_file(find_skill(config) / WEIGHTS)
    assert len(weights) == 30 * 7 * 2
    assert {tensor.dtype for tensor in weights.values()} == {torch.float16}
    with pytest.raises(InputError, match=r"skill: .* was trained on 'smollm2-135m' of the float"):
        train(config, tmp_path / "run")


def test_what_is_no_skill_is_refused(recipe, tmp_path, tiny_run, tiny_checkpoint, skill):
    with pytest.raises(InputError, match=r"skill: .* is a training run without a skill"):
        train(recipe(QUICK + f"skill: {tiny_run()}\n"), tmp_path / "run")
    with pytest.raises(InputError, match=r"skill: .* is neither a training run nor"):
        train(recipe(QUICK + f"skill: {tmp_path}\n"), tmp_path / "run")
    other = recipe(QUICK + f"skill: {skill}\n", model=tiny_checkpoint("qwen2", seed=5))
    with pytest.raises(InputError, match=r"skill: .* was trained on .* of the float checkpoint"):
        train(other, tmp_path / "run")
    assert not (tmp_path / "run").exists()
