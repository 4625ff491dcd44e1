"""A whole run: what it writes, that it can be stopped and gone on with, and what it refuses."""

import json
import shutil
import signal
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from edgetune.config import read_config
from edgetune.data import copied
from edgetune.evaluate.system import open_system
from edgetune.train import prepare as prepare_module
from edgetune.train import run as run_module
from edgetune.train.run import TrainingStopped, train
from edgetune_export.bundle import write_bundle
from edgetune_export.run import open_run
from edgetune_export.verify.ladder import verify
from edgetune_export.weights.base import Base
from edgetune_runtime.errors import InputError
from edgetune_runtime.prompt import User
from edgetune_runtime.toolsets import dump_toolsets

CITIES = ("Oslo", "Lima", "Rome", "Bonn", "Kyiv")


def record(request: str, tool: str | None = None, **arguments) -> dict:
    if tool is None:
        answer = {"role": "assistant", "content": "Hello."}
    else:
        call = {"type": "function", "function": {"name": tool, "arguments": arguments}}
        answer = {"role": "assistant", "content": None, "tool_calls": [call]}
    return {"messages": [{"role": "user", "content": request}, answer]}


@pytest.fixture
def recipe(tmp_path, tiny_checkpoint, weather_toolset):
    """A factory of configs over a small data set beside the recipe."""
    tools = dump_toolsets([weather_toolset])
    (tmp_path / "tools.json").write_text(json.dumps(tools))
    records = [record("hello"), record("stop the alarms", "cancel_alarms")]
    for index, city in enumerate(CITIES):
        records.append(record(f"weather in {city}", "get_weather", city=city))
        records.append(record(f"alarm at {index}", "set_alarm", time=str(index)))
    for name, lines in (("train", records), ("dev", records[:5])):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    def make(extra: str = "", epochs: float = 2, rank: int = 4, data: str = "") -> object:
        path = tmp_path / "recipe.yaml"
        path.write_text(
            f"base: {{model: {tiny_checkpoint('qwen2')}}}\n"
            "toolset: {tools: tools.json}\n"
            f"data: {{train: train.jsonl, dev: dev.jsonl{data}}}\n"
            "prompt: {tools: names}\n"
            f"adapter: {{rank: {rank}}}\n"
            f"train: {{epochs: {epochs}, batch_size: 4, learning_rate: 5.0e-3, evaluations: 2}}\n"
            + extra
        )
        return read_config(path)

    return make


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
    original = run_module.Display.step

    def step(self, tokens, loss):
        if next(steps) == number:
            signal.raise_signal(signal.SIGINT)
        original(self, tokens, loss)

    monkeypatch.setattr(run_module.Display, "step", step)


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


@pytest.mark.parametrize("hold", [True, False])
def test_a_run_says_which_values_are_copied(recipe, tmp_path, monkeypatch, hold):
    monkeypatch.setattr(copied, "ENOUGH", 5)
    config = recipe(f"arguments: {{hold_copied: {str(hold).lower()}}}\n")
    train(config, tmp_path / "run")
    copied_of = {"get_weather": ("city",), "set_alarm": ("time",)}
    expected = {"home": copied_of} if hold else {}
    assert open_run(tmp_path / "run").copied == expected


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


def test_settings_of_an_unknown_tool_are_refused_before_anything_is_written(recipe, tmp_path):
    with pytest.raises(InputError, match=r"arguments\.tools\.set_alarms: .* set_alarm\)"):
        train(recipe("arguments: {tools: {set_alarms: {epochs: 4}}}\n"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


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
    monkeypatch.setattr(run_module, "train_adapter", None)
    assert train(recipe(), tmp_path / "run").as_json() == first.as_json()


def test_another_recipes_run_is_refused(recipe, tmp_path):
    train(recipe(), tmp_path / "run")
    with pytest.raises(InputError, match=r"'adapter\.rank' is 4 there and 8 here"):
        train(recipe(rank=8), tmp_path / "run")


def test_a_run_from_before_a_key_of_recipes_goes_on(recipe, tmp_path, monkeypatch):
    first = train(recipe(), tmp_path / "run")
    about = json.loads((tmp_path / "run" / "run.json").read_text())
    for key in ("toolsets", "router"):
        del about["config"][key]
    (tmp_path / "run" / "run.json").write_text(json.dumps(about))
    monkeypatch.setattr(run_module, "train_adapter", None)
    assert train(recipe(), tmp_path / "run").as_json() == first.as_json()


def test_a_run_of_other_data_is_refused(recipe, tmp_path):
    train(recipe(), tmp_path / "run")
    with (tmp_path / "train.jsonl").open("a") as file:
        file.write(json.dumps(record("good evening")) + "\n")
    with pytest.raises(InputError, match="run of another data"):
        train(recipe(), tmp_path / "run")


def test_a_folder_that_is_no_run_is_left_alone(recipe, tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="is no training run"):
        train(recipe(), tmp_path / "notes")
    assert [path.name for path in (tmp_path / "notes").iterdir()] == ["mine.txt"]


def test_nothing_is_written_for_data_that_is_not_there(recipe, tmp_path):
    (tmp_path / "train.jsonl").unlink()
    with pytest.raises(InputError, match=r"data\.train: 'train\.jsonl' is no file"):
        train(recipe(), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_record_that_breaks_its_schema_is_named_by_line(recipe, tmp_path):
    with (tmp_path / "train.jsonl").open("a") as file:
        file.write(json.dumps(record("weather", "get_weather", days=3)) + "\n")
    with pytest.raises(InputError, match=r"train\.jsonl:13: .*'city' is missing"):
        train(recipe(), tmp_path / "run")


def test_the_report_loads_nothing_from_elsewhere(recipe, tmp_path):
    train(recipe("monolithic: {enabled: false}\n"), tmp_path / "run")
    report = (tmp_path / "run" / "report.html").read_text()
    assert "data:image/png;base64," in report
    assert "http" not in report
    assert "home.arguments.set_alarm" in report
    assert "monolithic" not in json.dumps([p.name for p in (tmp_path / "run/adapters").iterdir()])


def test_a_run_that_failed_before_training_gives_way_to_a_corrected_recipe(recipe, tmp_path):
    config = recipe()
    wrong = config.model_copy(
        update={"base": config.base.model_copy(update={"model": str(tmp_path / "gpt2")})}
    )
    (tmp_path / "gpt2").mkdir()
    (tmp_path / "gpt2" / "config.json").write_text('{"model_type": "gpt2"}')
    with pytest.raises(InputError, match="gpt2"):
        train(wrong, tmp_path / "run")
    assert train(config, tmp_path / "run").as_json()["complete"]


def test_a_corrected_record_starts_the_run_again(recipe, tmp_path):
    config = recipe()
    good = (tmp_path / "train.jsonl").read_text()
    (tmp_path / "train.jsonl").write_text(good.replace('"time": "1"', '"time": 1'))
    with pytest.raises(InputError, match="expected the type string"):
        train(config, tmp_path / "run")
    (tmp_path / "train.jsonl").write_text(good)
    assert train(config, tmp_path / "run").as_json()["complete"]


def test_another_programs_folder_is_left_alone(recipe, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text('{"experiment": 7}')
    (tmp_path / "run" / "thesis.txt").write_text("three years of work")
    with pytest.raises(InputError, match="none of edgetune's"):
        train(recipe(), tmp_path / "run")
    assert (tmp_path / "run" / "thesis.txt").exists()


def on_base(config, **changes):
    return config.model_copy(update={"base": config.base.model_copy(update=changes)})


@pytest.mark.parametrize("method", ["rtn", "gptq", "float"])
def test_a_recipe_says_how_its_base_is_made(recipe, tmp_path, method):
    config = recipe("monolithic: {enabled: false}\n", epochs=1)
    summary = train(on_base(config, quantization=method), tmp_path / "run")
    other = train(config, tmp_path / "other")
    run = open_run(tmp_path / "run")
    assert run.base.method == method
    assert summary.weights_sha256 == run.base.weights_sha256 != other.weights_sha256
    one, same = (
        [adapter.data_sha256 for adapter in open_run(tmp_path / name).adapters]
        for name in ("run", "other")
    )
    assert one == same


def test_another_way_than_the_bases_own_is_refused_before_anything_is_written(recipe, tmp_path):
    train(recipe("monolithic: {enabled: false}\n"), tmp_path / "run")
    made = str(tmp_path / "run" / "base")
    with pytest.raises(
        InputError,
        match=r"'base\.quantization: gptq' contradicts 'base\.model: .*"
        r"made already, by mse",
    ):
        train(on_base(recipe(), model=made, quantization="gptq"), tmp_path / "again")
    assert not (tmp_path / "again").exists()
    same = on_base(recipe("monolithic: {enabled: false}\n"), model=made, quantization="mse")
    assert train(same, tmp_path / "again").as_json()["complete"]


def test_a_run_on_a_float_base_is_not_exported_but_evaluated(recipe, tmp_path, tiny_bundle):
    config = on_base(recipe("monolithic: {enabled: false}\n"), quantization="float")
    train(config, tmp_path / "run")
    with pytest.raises(InputError, match=r"edgetune export takes int4 bases alone"):
        write_bundle(open_run(tmp_path / "run"), tmp_path / "bundle", ["onnx"])
    assert not (tmp_path / "bundle").exists()
    with pytest.raises(InputError, match=r"edgetune verify takes int4 bases alone"):
        verify(tiny_bundle, run=tmp_path / "run")
    step = open_system(tmp_path / "run").step([User("weather in Oslo")])
    assert step.tool in ("get_weather", "set_alarm", "cancel_alarms", "respond")


def test_a_base_is_never_exchanged_under_its_adapters(recipe, tmp_path):
    """That float adapters can be laid on the int4 base is the benchmark's own doing."""
    train(recipe("monolithic: {enabled: false}\n"), tmp_path / "int4")
    config = on_base(recipe("monolithic: {enabled: false}\n"), quantization="float")
    train(config, tmp_path / "float")
    shutil.rmtree(tmp_path / "float" / "base")
    shutil.copytree(tmp_path / "int4" / "base", tmp_path / "float" / "base")
    with pytest.raises(InputError, match="but the run was trained on"):
        open_run(tmp_path / "float")


def test_a_run_from_before_a_key_of_the_recipe_was_known_is_still_the_same_run(recipe, tmp_path):
    train(recipe(), tmp_path / "run")
    path = tmp_path / "run" / "run.json"
    run = json.loads(path.read_text())
    del run["config"]["data"]["swap_values"]
    path.write_text(json.dumps(run))
    assert train(recipe(), tmp_path / "run").as_json()["complete"]


def test_requests_that_no_tool_serves_join_where_tools_are_selected(recipe, tmp_path):
    plain = train(recipe(), tmp_path / "plain").adapters
    adapters = train(recipe(data=", negatives: 0.5"), tmp_path / "run").adapters
    # 12 examples, one of them talk: ten more make it 11 of 22.
    assert [plain[f"home.{name}"]["examples"] for name in ("selector", "monolithic")] == [12, 12]
    assert [adapters[f"home.{name}"]["examples"] for name in ("selector", "monolithic")] == [22, 22]
    hashes = [
        {entry["name"]: entry["data_sha256"] for entry in json.loads(path.read_text())["adapters"]}
        for path in (tmp_path / "plain" / "run.json", tmp_path / "run" / "run.json")
    ]
    for tool in ("get_weather", "set_alarm"):
        assert hashes[0][f"home.arguments.{tool}"] == hashes[1][f"home.arguments.{tool}"]
    assert len((tmp_path / "run" / "data" / "negatives.jsonl").read_text().splitlines()) == 10
    assert not (tmp_path / "plain" / "data" / "negatives.jsonl").exists()


def test_the_selector_mines_its_own_confusions_in_as_many_steps(recipe, tmp_path):
    plain = train(recipe(), tmp_path / "plain").adapters["home.selector"]
    extra = "selector: {hard_negatives: {epochs: 0.7, share: 0.5}}\n"
    mined = train(recipe(extra), tmp_path / "run").adapters["home.selector"]
    assert (plain["steps"], plain["examples_seen"]) == (mined["steps"], mined["examples_seen"])
    written = tmp_path / "run" / "data" / "home.selector.hard_negatives.json"
    assert json.loads(written.read_text())["start"] == 3
    with pytest.raises(InputError, match=r"selector\.hard_negatives\.epochs: 2' contradicts"):
        train(recipe("selector: {hard_negatives: {epochs: 2}}\n"), tmp_path / "other")


def failing(*_, **__):
    raise InputError("no disk")


def fail_to_start(config, run, monkeypatch) -> None:
    """A start that ends when tools and records are written, over the base."""
    with monkeypatch.context() as patch:
        patch.setattr(prepare_module, "load_base", failing)
        with pytest.raises(InputError, match="no disk"):
            train(config, run)


def test_an_adapter_whose_files_are_gone_is_trained_anew(recipe, tmp_path):
    train(recipe(), tmp_path / "run")
    shutil.copytree(tmp_path / "run", tmp_path / "whole")
    shutil.rmtree(tmp_path / "run" / "adapters" / "home.arguments.set_alarm")
    with pytest.raises(InputError, match="it trains it anew"):
        open_system(tmp_path / "run")
    assert train(recipe(), tmp_path / "run").as_json()["complete"]
    assert_same_weights(tmp_path / "run", tmp_path / "whole")


def test_records_that_lie_in_the_run_are_never_removed(recipe, tmp_path, monkeypatch):
    config = recipe()
    fail_to_start(config, tmp_path / "run", monkeypatch)
    path = tmp_path / "recipe.yaml"
    path.write_text(path.read_text().replace("train: train.jsonl", "train: run/data/train.jsonl"))
    with pytest.raises(InputError, match=r"train\.jsonl: lies in .*move it"):
        train(read_config(path), tmp_path / "run")
    assert (tmp_path / "run" / "data" / "train.jsonl").exists()


def test_starting_again_removes_nothing_but_the_runs_own_files(recipe, tmp_path, monkeypatch):
    config = recipe()
    fail_to_start(config, tmp_path / "run", monkeypatch)
    (tmp_path / "run" / "notes.txt").write_text("mine")
    assert train(recipe(rank=2), tmp_path / "run").as_json()["complete"]
    assert (tmp_path / "run" / "notes.txt").read_text() == "mine"


def test_a_start_that_failed_leaves_the_negatives_as_they_were(recipe, tmp_path, monkeypatch):
    config = recipe(data=", negatives: 0.5")
    fail_to_start(config, tmp_path / "run", monkeypatch)
    written = tmp_path / "run" / "data" / "negatives.jsonl"
    first = written.read_text()
    train(config, tmp_path / "run")
    assert written.read_text() == first


def test_hard_negatives_that_cannot_be_are_refused_before_anything_is_trained(
    recipe, tmp_path, monkeypatch
):
    monkeypatch.setattr(Base, "model", failing)
    with pytest.raises(InputError, match=r"selector\.hard_negatives\.epochs: 2' contradicts"):
        train(recipe("selector: {hard_negatives: {epochs: 2}}\n"), tmp_path / "run")


def test_blank_lines_and_records_that_are_too_long_hinder_no_export(recipe, tmp_path):
    config = recipe("monolithic: {enabled: false}\n")
    for name in ("train", "dev"):
        path = tmp_path / f"{name}.jsonl"
        long = record("weather in " + "far " * 3000, "get_weather", city="far")
        path.write_text(f"\n{json.dumps(long)}\n\n{path.read_text()}\n")
    train(config, tmp_path / "run")
    write_bundle(open_run(tmp_path / "run"), tmp_path / "bundle", ["onnx"])
    result = verify(tmp_path / "bundle", run=tmp_path / "run")
    assert result["ok"], result
