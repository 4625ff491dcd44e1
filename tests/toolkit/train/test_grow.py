"""Runs that grow: what of an earlier run stays to the byte, what goes on, what is trained anew."""

import itertools
import json
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from edgetune.data.records import Example
from edgetune.settings import AdapterSettings, TrainSettings
from edgetune.train import local_engine
from edgetune.train.adapter import Job
from edgetune.train.examples import AdapterData, Tokens, adapters_data
from edgetune.train.grow import REPLAYED, continued_plan
from edgetune.train.run import TrainingStopped, train
from edgetune_export.bundle import write_bundle
from edgetune_export.prompts.prefixes import toolset_prompts
from edgetune_export.run import open_run
from edgetune_export.run_record import read_run_record
from edgetune_runtime.agent import Agent
from edgetune_runtime.bundle import open_bundle
from edgetune_runtime.calls import Call
from edgetune_runtime.engines import open_engine
from edgetune_runtime.errors import InputError
from edgetune_runtime.files import sha256_file
from edgetune_runtime.prompt import User

THINGS = (
    *("alarm", "light", "music", "heating", "blinds", "oven", "door", "fan", "radio", "lamp"),
    *("kettle", "screen", "garden"),
)
ONE = "monolithic: {enabled: false}\n"


@pytest.fixture(scope="module")
def twelve(things, tmp_path_factory):
    path = tmp_path_factory.mktemp("twelve") / "run"
    train(things(THINGS[:12]), path)
    return path


@pytest.fixture(scope="module")
def thirteen(things, twelve, tmp_path_factory):
    """What grew from `twelve`; its summary, and the hashes of `twelve` before that."""
    path = tmp_path_factory.mktemp("thirteen") / "run"
    before = hashes(twelve)
    return path, train(things(THINGS), path, twelve), before


@pytest.fixture(scope="module")
def two(things, tmp_path_factory):
    """A run of two tools with all kinds of adapters."""
    path = tmp_path_factory.mktemp("two") / "run"
    train(things(THINGS[:2], "arguments: {common_epochs: 1}\n"), path)
    return path


def hashes(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): sha256_file(path)
        for path in folder.rglob("*")
        if path.is_file()
    }


def origins(run: Path) -> dict[str, str | None]:
    return {entry.name: entry.origin for entry in read_run_record(run).adapters}


def weights(run: Path, name: str) -> dict[str, torch.Tensor]:
    return load_file(run / "adapters" / name / "adapter_model.safetensors")


def test_a_thirteenth_tool_leaves_the_others_as_they_are(twelve, thirteen):
    path, summary, before = thirteen
    assert hashes(twelve) == before
    kept = [f"home.arguments.set_{each}" for each in THINGS[:12]]
    expected = dict.fromkeys(kept, "kept")
    expected |= {"home.selector": "continued", "home.arguments.set_garden": None}
    assert origins(path) == expected
    for name in kept:
        assert hashes(path / "adapters" / name) == hashes(twelve / "adapters" / name)
    record = read_run_record(path)
    assert record.grown_from == str(twelve)
    base = record.base.weights_sha256
    begun = {entry.name: entry.start_base_sha256 for entry in record.adapters}
    assert {name for name, on in begun.items() if on == base} == {"home.selector"}
    told = summary.as_json()
    assert told["grown_from"] == str(twelve)
    told = {name: each["origin"] for name, each in told["adapters"].items()}
    assert told == {name: origin or "new" for name, origin in expected.items()}
    assert "12 of them are those of" in (path / "report.html").read_text()


def test_a_thirteenth_tool_costs_at_most_a_quarter(twelve, thirteen):
    whole = json.loads((twelve / "metrics.json").read_text())["adapters"]
    grown = json.loads((thirteen[0] / "metrics.json").read_text())
    trained = [each for each in grown["adapters"].values() if each["origin"] != "kept"]
    for count in ("steps", "tokens"):
        all_of_it = sum(each[count] for each in whole.values())
        assert sum(each[count] for each in trained) <= all_of_it / 4
    assert grown["seconds"] == pytest.approx(sum(each["seconds"] for each in trained), abs=0.01)


@pytest.mark.slow
def test_blobs_and_arguments_on_the_bundle_stay(twelve, thirteen, tmp_path, monkeypatch):
    monkeypatch.setenv("EDGETUNE_CACHE_GB", "1")  # the base is lowered once
    calls, blobs = [], []
    for run in (twelve, thirteen[0]):
        bundle = tmp_path / run.parent.name
        write_bundle(open_run(run), bundle, ["onnx"])
        opened = open_bundle(bundle)
        agent = Agent(opened.assets, open_engine(opened, "onnx"))
        calls.append(
            [
                agent.arguments([User(f"please, {each} {to}")], "home", f"set_{each}").arguments
                for each in THINGS[:12]
                for to in ("a bit lower", "up")
            ]
        )
        blobs.append(hashes(bundle / "adapters"))
    assert calls[0] == calls[1]
    before, after = blobs
    assert len(before) == 13
    assert {name for name in before if after[name] != before[name]} == {"home.selector.safetensors"}
    assert after.keys() - before.keys() == {"home.arguments.set_garden.safetensors"}


def test_the_baseline_is_trained_anew_and_a_new_tool_starts_from_the_common_adapter(
    things, two, tmp_path
):
    still = "arguments: {common_epochs: 1, tools: {set_music: {learning_rate: 1.0e-12}}}\n"
    summary = train(things(THINGS[:3], still), tmp_path / "run", two)
    assert origins(tmp_path / "run") == {
        "home.selector": "continued",
        "home.arguments": "kept",
        "home.arguments.set_alarm": "kept",
        "home.arguments.set_light": "kept",
        "home.arguments.set_music": None,
        "home.monolithic": None,
    }
    common, own = (weights(tmp_path / "run", f"home.arguments{of}") for of in ("", ".set_music"))
    assert all(torch.allclose(common[key], own[key], atol=1e-8) for key in common)
    # As many examples as a whole training of the others draws.
    assert summary.adapters["home.monolithic"]["examples_seen"] == 2 * 16 + 12 + 2 * 12
    temperatures = [
        {entry.name: entry.selection_temperature for entry in read_run_record(run).adapters}
        for run in (two, tmp_path / "run")
    ]
    assert temperatures[1]["home.selector"] is not None
    # A run that grew can be grown from, and where nothing is new nothing is trained.
    again = train(things(THINGS[:3], still), tmp_path / "again", tmp_path / "run")
    assert set(origins(tmp_path / "again").values()) == {"kept"}
    assert again.seconds == 0
    found = {e.name: e.selection_temperature for e in read_run_record(tmp_path / "again").adapters}
    assert found == temperatures[1]


def test_what_was_stopped_goes_on_with_the_same_command(
    things, twelve, thirteen, tmp_path, monkeypatch, capsys
):
    config = things(THINGS)
    steps, step = itertools.count(1), local_engine.Display.step

    def third(self, *how):
        if next(steps) == 3:
            signal.raise_signal(signal.SIGINT)
        step(self, *how)

    with monkeypatch.context() as patch:
        patch.setattr(local_engine.Display, "step", third)
        with pytest.raises(TrainingStopped):
            train(config, tmp_path / "run", twelve)
    assert f"--output {tmp_path / 'run'} --from {twelve}" in " ".join(
        capsys.readouterr().err.split()
    )
    assert "home.selector" not in origins(tmp_path / "run")
    assert list((tmp_path / "run" / "state").glob("home.selector.*"))
    with pytest.raises(InputError, match=r"another data \('from' is '.*' there and None here\)"):
        train(config, tmp_path / "run")
    train(config, tmp_path / "run", twelve)
    assert hashes(tmp_path / "run" / "adapters") == hashes(thirteen[0] / "adapters")


def test_a_changed_tool_is_trained_anew_and_a_removed_one_drops_out(things, two, tmp_path, capsys):
    extra = "arguments: {common_epochs: 1}\n" + ONE
    config = things(("alarm", "garden"), extra, {"alarm": ("one", "two", "three")})
    train(config, tmp_path / "run", two)
    assert origins(tmp_path / "run") == {
        "home.selector": "continued",
        "home.arguments": "kept",
        "home.arguments.set_alarm": None,
        "home.arguments.set_garden": None,
    }
    told = capsys.readouterr().err
    assert f"From {two}: 1 of 4 adapters are kept" in " ".join(told.split())
    assert "home.arguments.set_alarm is trained anew: its examples have changed" in told
    assert "home.selector goes on from there: its examples have changed" in told


def test_other_settings_train_an_adapter_anew_and_say_so(things, two, tmp_path, capsys):
    extra = "arguments: {common_epochs: 1, tools: {set_light: {epochs: 3}}}\n" + ONE
    train(things(THINGS[:2], extra + "selector: {adapter: {alpha: 8}}\n"), tmp_path / "run", two)
    found = origins(tmp_path / "run")
    assert [name for name, origin in found.items() if origin is None] == [
        *("home.selector", "home.arguments.set_light")
    ]
    told = capsys.readouterr().err
    assert "home.arguments.set_light is trained anew: 'train.epochs' is 2.0 there and 3" in told
    assert "home.selector is trained anew: 'adapter.alpha' is 32.0 there and 8" in told


def test_generated_records_of_the_tools_that_stayed_are_kept(things, tmp_path):
    data = "{generate: {train: 40, dev: 10}}"
    train(things(THINGS[:2], data=data), tmp_path / "first")
    train(things(THINGS[:3], data=data), tmp_path / "run", tmp_path / "first")
    before, after = (
        (tmp_path / run / "data" / "train.jsonl").read_text().splitlines()
        for run in ("first", "run")
    )
    new = [line for line in after if line not in before]
    assert new
    assert all('"set_music"' in line for line in new)
    assert [name for name, origin in origins(tmp_path / "run").items() if origin == "kept"] == [
        *("home.arguments.set_alarm", "home.arguments.set_light")
    ]


@pytest.mark.parametrize("shown", ["full", "compact", "names", "none"])
def test_an_arguments_adapter_reads_nothing_of_other_tools(base, weather_toolset, shown):
    examples = [Example((User("alarm at 6"),), Call("set_alarm", {"time": "6"}))]

    def sha256(toolset):
        prompts = toolset_prompts(base.template, toolset, shown)
        adapters = adapters_data(base.template, prompts, toolset, examples, [])
        return {adapter.name: adapter.sha256 for adapter in adapters}["home.arguments.set_alarm"]

    fewer = replace(weather_toolset, tools=weather_toolset.tools[1:])
    assert sha256(fewer) == sha256(weather_toolset)


def test_what_goes_on_sees_all_of_the_new_names_and_a_part_of_the_old():
    names = ["old"] * 80 + ["new"] * 8
    train = tuple(Tokens(np.zeros(4, np.int32), np.ones(4, np.bool_), name) for name in names)
    data = AdapterData("home.selector", "selector", None, train, (), 0, "", "home")
    settings = TrainSettings(batch_size=8)
    plan = [list(range(start, start + 8)) for start in range(0, 88, 8)] * 2
    steps = continued_plan(Job(data, AdapterSettings(), settings, plan), {"old"})
    seen = [index for step in steps for index in step]
    assert sorted(index for index in seen if index >= 80) == sorted([*range(80, 88)] * 2)
    assert sum(index < 80 for index in seen) == round(REPLAYED * 160)
    assert max(map(len, steps)) == 8


@pytest.mark.slow
def test_a_cluster_grows_a_run_to_the_same_files(things, twelve, thirteen, tmp_path):
    ray = pytest.importorskip("ray")
    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        train(things(THINGS, ONE + "machine: {engine: ray}\n"), tmp_path / "run", twelve)
    finally:
        ray.shutdown()
    assert hashes(tmp_path / "run" / "adapters") == hashes(thirteen[0] / "adapters")
