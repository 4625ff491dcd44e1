"""A whole run: what it writes, and that it can be stopped and gone on with."""

import json
import shutil
import signal
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import edgetune.train
from edgetune.cli import main
from edgetune.evaluate.system import open_system
from edgetune.train import local_engine
from edgetune.train.run import TrainingStopped, train
from edgetune_export.bundle import write_bundle
from edgetune_export.run import open_run
from edgetune_export.verify.ladder import climb
from edgetune_runtime.errors import InputError
from edgetune_runtime.prompt import User


def weights(run: Path) -> dict:
    return {
        directory.name: load_file(directory / "adapter_model.safetensors")
        for directory in sorted((run / "adapters").iterdir())
    }


def assert_same_weights(one: Path, other: Path) -> None:
    first, second = weights(one), weights(other)
    assert first.keys() == second.keys()
    for name in first:
        assert all((first[name][key] == second[name][key]).all() for key in first[name]), name


def press_ctrl_c_at(monkeypatch, number: int) -> None:
    """Send SIGINT in the `number`th step that is trained from now on."""
    steps = iter(range(1, 10_000))
    original = local_engine.Display.step

    def step(self, tokens, loss):
        if next(steps) == number:
            signal.raise_signal(signal.SIGINT)
        original(self, tokens, loss)

    monkeypatch.setattr(local_engine.Display, "step", step)


def test_a_run_holds_all_that_export_needs(recipe, tmp_path):
    summary = train(recipe(), tmp_path / "run")
    run = json.loads((tmp_path / "run" / "run.json").read_text())
    assert run["complete"]
    assert [entry["name"] for entry in run["adapters"]] == [
        "home.selector",
        "home.arguments.get_weather",
        "home.arguments.set_alarm",
        "home.monolithic",
    ]
    assert [entry["role"] for entry in run["adapters"]] == [
        *("selector", "arguments", "arguments", "monolithic")
    ]
    assert run["config"]["adapter"]["alpha"] == 32.0  # resolved: defaults are written out
    assert len(run["base"]["weights_sha256"]) == 64
    present = {str(path.relative_to(tmp_path / "run")) for path in (tmp_path / "run").rglob("*")}
    assert present >= {
        *("base/base.json", "tools.json", "data/train.jsonl", "data/dev.jsonl"),
        *("metrics.json", "curves.png", "report.html"),
        *(f"adapters/home.selector/{name}" for name in ("adapter_config.json", "README.md")),
    }
    assert {entry["name"] for entry in run["adapters"] if "selection_temperature" in entry} == {
        *("home.selector", "home.monolithic")
    }
    assert not (tmp_path / "run" / "state").exists()
    assert summary.as_json()["adapters"]["home.selector"]["examples"] == 12
    assert summary.as_json()["complete"]


def test_the_baseline_sees_as_many_examples_as_all_others_together(recipe, tmp_path):
    adapters = train(recipe(epochs=1.5), tmp_path / "run").adapters
    *decoupled, monolithic = adapters.values()
    assert [adapter["examples_seen"] for adapter in decoupled] == [18, 8, 8]
    assert monolithic["examples_seen"] == 34
    assert {adapter["rank"] for adapter in adapters.values()} == {4}


def test_a_tool_may_take_longer_than_the_others(recipe, tmp_path):
    adapters = train(
        recipe("arguments: {tools: {set_alarm: {epochs: 4}}}\n"), tmp_path / "run"
    ).adapters
    assert [adapter["examples_seen"] for adapter in adapters.values()] == [24, 10, 20, 54]


def test_arguments_adapters_start_from_a_common_one(recipe, tmp_path):
    still = "arguments: {common_epochs: 2, train: {learning_rate: 1.0e-12}}\n"
    moving = "arguments: {common_epochs: 2}\n"
    for name, extra in (("still", still), ("moving", moving)):
        adapters = train(recipe(extra), tmp_path / name).adapters
        assert list(adapters)[:2] == ["home.selector", "home.arguments"]
        assert adapters["home.arguments"]["examples_seen"] == 20
        assert adapters["home.monolithic"]["examples_seen"] == 24 + 20 + 20
        assert [a.name for a in open_run(tmp_path / name).adapters] == [
            *("home.selector", "home.arguments.get_weather", "home.arguments.set_alarm"),
            "home.monolithic",
        ]
    for name, same in (("still", True), ("moving", False)):
        found = weights(tmp_path / name)
        common, own = found["home.arguments"], found["home.arguments.set_alarm"]
        assert common.keys() == own.keys()
        assert all(torch.allclose(common[key], own[key], atol=1e-8) for key in common) == same
    # `arguments.train` is not for the common one.
    still_common, common = (
        weights(tmp_path / name)["home.arguments"] for name in ("still", "moving")
    )
    assert all(torch.equal(still_common[key], common[key]) for key in common)


def test_ctrl_c_leaves_a_state_that_resumes(recipe, tmp_path, monkeypatch, capsys):
    straight = tmp_path / "straight"
    train(recipe(), straight)
    with monkeypatch.context() as patch:
        press_ctrl_c_at(patch, 8)  # the second of six steps was the selector's last
        with pytest.raises(TrainingStopped) as stopped:
            train(recipe(), tmp_path / "run")
    assert stopped.value.code == 130
    line = " ".join(capsys.readouterr().err.split())
    assert f"edgetune train {tmp_path / 'recipe.yaml'} --output {tmp_path / 'run'}" in line
    assert not json.loads((tmp_path / "run" / "run.json").read_text())["complete"]
    assert list((tmp_path / "run" / "state").iterdir())

    summary = train(recipe(), tmp_path / "run")
    assert_same_weights(straight, tmp_path / "run")
    one, other = (
        json.loads((run / "metrics.json").read_text())["adapters"]
        for run in (straight, tmp_path / "run")
    )
    for name in one:
        assert one[name]["curve"] == other[name]["curve"]
        assert one[name]["dev"] == other[name]["dev"]
    assert summary.adapters.keys() == one.keys()


def test_ctrl_c_is_as_before_after_a_run(recipe, tmp_path):
    before = signal.getsignal(signal.SIGINT)
    train(recipe(), tmp_path / "run")
    assert signal.getsignal(signal.SIGINT) is before


def test_a_finished_run_is_not_trained_again(recipe, tmp_path, monkeypatch):
    first = train(recipe(), tmp_path / "run")
    monkeypatch.setattr(local_engine, "train_task", None)
    assert train(recipe(), tmp_path / "run").as_json() == first.as_json()


def test_the_report_loads_nothing_from_elsewhere(recipe, tmp_path):
    train(recipe("monolithic: {enabled: false}\n"), tmp_path / "run")
    report = (tmp_path / "run" / "report.html").read_text()
    assert "data:image/png;base64," in report
    assert "http" not in report
    assert "home.arguments.set_alarm" in report
    assert "monolithic" not in json.dumps([p.name for p in (tmp_path / "run/adapters").iterdir()])


def test_a_cluster_is_refused_without_its_package_before_anything_is_written(
    recipe, tmp_path, monkeypatch, capsys
):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "edgetune.train.ray_engine", raising=False)
    monkeypatch.delattr(edgetune.train, "ray_engine", raising=False)
    config = recipe("machine: {engine: ray}\n")
    command = ["edgetune", "train", str(config.source), "--output", str(tmp_path / "run")]
    monkeypatch.setattr("sys.argv", command)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "this needs the package 'ray', which is not installed" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_run_on_a_float_base_is_not_exported_but_evaluated(recipe, tmp_path, tiny_bundle):
    config = recipe("monolithic: {enabled: false}\n", base=", quantization: float")
    train(config, tmp_path / "run")
    with pytest.raises(InputError, match=r"edgetune export takes int4 bases alone"):
        write_bundle(open_run(tmp_path / "run"), tmp_path / "bundle", ["onnx"])
    assert not (tmp_path / "bundle").exists()
    with pytest.raises(InputError, match=r"edgetune verify takes int4 bases alone"):
        climb(tiny_bundle, run=tmp_path / "run").as_json()
    step = open_system(tmp_path / "run").step([User("weather in Oslo")])
    assert step.tool in ("get_weather", "set_alarm", "cancel_alarms", "respond")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["lora", "alora"])
def test_adapters_of_the_upper_layers_alone_are_exported_and_verified(recipe, tmp_path, kind):
    config = recipe("arguments: {common_epochs: 2, adapter: {layers: 1}}\n")
    shape = config.adapter.model_copy(update={"kind": kind})
    train(config.model_copy(update={"adapter": shape}), tmp_path / "run")
    found = weights(tmp_path / "run")
    own = len(found["home.arguments.set_alarm"])
    assert own == len(found["home.arguments"]) == len(found["home.monolithic"]) // 2
    write_bundle(open_run(tmp_path / "run"), tmp_path / "bundle", ["onnx"])
    assert climb(tmp_path / "bundle").as_json()["ok"]


def test_a_base_is_never_exchanged_under_its_adapters(recipe, tmp_path):
    """That float adapters can be laid on the int4 base is the benchmark's own doing."""
    train(recipe("monolithic: {enabled: false}\n"), tmp_path / "int4")
    config = recipe("monolithic: {enabled: false}\n", base=", quantization: float")
    train(config, tmp_path / "float")
    shutil.rmtree(tmp_path / "float" / "base")
    shutil.copytree(tmp_path / "int4" / "base", tmp_path / "float" / "base")
    with pytest.raises(InputError, match="but the run was trained on"):
        open_run(tmp_path / "float")


def test_the_selector_mines_its_own_confusions_in_as_many_steps(recipe, tmp_path):
    plain = train(recipe(), tmp_path / "plain").adapters["home.selector"]
    extra = "selector: {hard_negatives: {epochs: 0.7, share: 0.5}}\n"
    mined = train(recipe(extra), tmp_path / "run").adapters["home.selector"]
    assert (plain["steps"], plain["examples_seen"]) == (mined["steps"], mined["examples_seen"])
    written = tmp_path / "run" / "data" / "home.selector.hard_negatives.json"
    assert json.loads(written.read_text())["start"] == 3
    with pytest.raises(InputError, match=r"selector\.hard_negatives\.epochs: 2' contradicts"):
        train(recipe("selector: {hard_negatives: {epochs: 2}}\n"), tmp_path / "other")


def test_an_adapter_whose_files_are_gone_is_trained_anew(recipe, tmp_path):
    train(recipe(), tmp_path / "run")
    shutil.copytree(tmp_path / "run", tmp_path / "whole")
    shutil.rmtree(tmp_path / "run" / "adapters" / "home.arguments.set_alarm")
    with pytest.raises(InputError, match="it trains it anew"):
        open_system(tmp_path / "run")
    assert train(recipe(), tmp_path / "run").as_json()["complete"]
    assert_same_weights(tmp_path / "run", tmp_path / "whole")


def test_blank_lines_and_records_that_are_too_long_hinder_no_export(recipe, tmp_path, record):
    config = recipe("monolithic: {enabled: false}\n")
    for name in ("train", "dev"):
        path = tmp_path / f"{name}.jsonl"
        long = record("weather in " + "far " * 3000, "get_weather", city="far")
        path.write_text(f"\n{json.dumps(long)}\n\n{path.read_text()}\n")
    train(config, tmp_path / "run")
    write_bundle(open_run(tmp_path / "run"), tmp_path / "bundle", ["onnx"])
    result = climb(tmp_path / "bundle", run=tmp_path / "run").as_json()
    assert result["ok"], result
