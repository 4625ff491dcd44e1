"""Adapters side by side on a local Ray cluster of two workers: the files that one process writes,
also after a worker was killed."""

import json
import os
import re
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from edgetune.config import read_config
from edgetune.train.run import TrainingStopped, train
from edgetune_export.run_record import read_run_record
from edgetune_runtime.errors import InputError

ray = pytest.importorskip("ray")
ray_engine = pytest.importorskip("edgetune.train.ray_engine")
pytestmark = pytest.mark.slow

EIGHT = [
    *("home.selector", "home.arguments"),
    *(f"home.arguments.set_{name}" for name in ("alarm", "light", "music", "heating", "blinds")),
    "home.monolithic",
]
FAILING = "home.arguments.set_light"


@pytest.fixture(scope="module")
def cluster():
    ray.init(
        "local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR"
    )
    yield
    ray.shutdown()


@pytest.fixture(scope="module")
def recipe(tmp_path_factory, tiny_checkpoint, record):
    """A factory of recipes with eight adapters, five of which start from another."""
    folder = tmp_path_factory.mktemp("recipe")
    names = [name.rpartition(".")[2] for name in EIGHT[2:-1]]
    parameters = {"type": "object", "properties": {"to": {"type": "string"}}, "required": ["to"]}
    tools = [{"name": name, "description": name, "parameters": parameters} for name in names]
    (folder / "tools.json").write_text(json.dumps(tools))
    lines = [record(f"{name} {to}", name, to=to) for name in names for to in ("low", "mid", "high")]
    text = "".join(json.dumps(line) + "\n" for line in [*lines, record("hello")])
    (folder / "train.jsonl").write_text(text)

    def make(machine: str, rate: str = "5.0e-3"):
        path = folder / "recipe.yaml"
        path.write_text(
            f"base: {{model: {tiny_checkpoint('qwen2')}}}\n"
            "toolset: {tools: tools.json, name: home}\n"
            "data: {train: train.jsonl, dev: train.jsonl}\n"
            "prompt: {tools: names}\n"
            "adapter: {rank: 4, dropout: 0.1}\n"
            "train: {epochs: 2, batch_size: 4, learning_rate: 5.0e-3, keep: best}\n"
            "selector: {hard_negatives: {epochs: 0.7, share: 0.5}}\n"
            "arguments: {common_epochs: 1, tools: {set_light: {learning_rate: " + rate + "}}}\n"
            f"machine: {{threads: 1, state_every: 0{machine}}}\n"
        )
        return read_config(path)

    return make


@pytest.fixture(scope="module")
def alone(recipe, tmp_path_factory):
    """The run that one process makes."""
    path = tmp_path_factory.mktemp("alone") / "run"
    train(recipe(""), path)
    return path


def files(run: Path) -> dict[str, bytes]:
    """All that is the same in two runs of one recipe: times are not."""
    return {
        str(path.relative_to(run)): path.read_bytes()
        for path in sorted(run.rglob("*"))
        if path.is_file() and path.name not in ("metrics.json", "report.html")
    }


def assert_same(one: Path, other: Path) -> None:
    first, second = files(one), files(other)
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []


def dying(marker: Path, deaths: int):
    """What a worker does whose process is killed in the middle of an adapter, a number of times."""

    def work(task, start):
        from edgetune.train import adapter

        save = adapter.save_state

        def save_and_die(path, progress, *state):
            save(path, progress, *state)
            times = len(list(marker.parent.glob(f"{marker.name}.*")))
            if task.name == FAILING and progress.step and times < deaths:
                half_written = Path(task.run, "adapters", f".{task.name}.{times}")
                half_written.mkdir(parents=True)
                (half_written / "README.md").touch()
                marker.with_suffix(f".{times}").touch()
                os.kill(os.getpid(), signal.SIGKILL)

        adapter.save_state = save_and_die
        try:
            return ray_engine.train_remotely(task, start)
        finally:
            adapter.save_state = save

    return work


def test_where_nothing_listens_no_cluster_answers(recipe, tmp_path, monkeypatch):
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(InputError, match=r"no cluster answers \(.*refused.*correct RAY_ADDRESS"):
        train(recipe(", engine: ray"), tmp_path / "run")


def test_two_workers_write_what_one_process_writes(alone, recipe, cluster, tmp_path, capsys):
    summary = train(recipe(", engine: ray"), tmp_path / "run")
    assert_same(alone, tmp_path / "run")
    assert list(summary.adapters) == EIGHT
    assert [entry.name for entry in read_run_record(tmp_path / "run").adapters] == EIGHT
    counted = re.findall(r"^(\d)/8 (\S+): \d+ steps", capsys.readouterr().err, re.MULTILINE)
    assert [int(count) for count, _ in counted] == list(range(1, 9))
    assert {name for _, name in counted} == set(EIGHT)


def test_a_killed_worker_changes_nothing(alone, recipe, cluster, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(ray_engine, "train_remotely", dying(tmp_path / "died", 1))
    train(recipe(", engine: ray"), tmp_path / "run")
    assert (tmp_path / "died.0").exists()
    assert not capsys.readouterr().out  # which is for results
    assert_same(alone, tmp_path / "run")


def test_the_others_are_finished_where_one_fails_and_the_same_command_resumes(
    alone, recipe, cluster, tmp_path, monkeypatch
):
    monkeypatch.setattr(ray_engine, "RETRIES", 1)
    with monkeypatch.context() as patch:
        patch.setattr(ray_engine, "train_remotely", dying(tmp_path / "died", 2))
        with pytest.raises(
            InputError, match=rf"{FAILING}: no worker finished it in 2 tries .*same"
        ):
            train(recipe(", engine: ray"), tmp_path / "run")
    done = {entry.name for entry in read_run_record(tmp_path / "run").adapters}
    assert done == set(EIGHT) - {FAILING}
    train(recipe(", engine: ray"), tmp_path / "run")
    assert_same(alone, tmp_path / "run")


def test_what_an_adapter_fails_for_is_said_as_one_process_says_it(recipe, cluster, tmp_path):
    with pytest.raises(InputError, match=rf"^{FAILING}: the loss is nan at step 2; lower") as said:
        train(recipe(", engine: ray", rate="1.0e+30"), tmp_path / "run")
    assert type(said.value) is InputError
    assert len(read_run_record(tmp_path / "run").adapters) == 7


def test_ctrl_c_saves_and_one_process_goes_on(alone, recipe, cluster, tmp_path, monkeypatch):
    """The engine is not part of the run: what a cluster began is finished without it."""

    def pressing(task, start):
        from edgetune.train import task as task_module

        trained = task_module.train_adapter

        def wait(*args, stop, **options):
            if task.job.data.role == "monolithic":  # the longest: of the first two that begin
                Path(task.run, "begun").touch()
                while not stop():
                    time.sleep(0.01)
            return trained(*args, stop=stop, **options)

        task_module.train_adapter = wait
        try:
            return ray_engine.train_remotely(task, start)
        finally:
            task_module.train_adapter = trained

    wait = ray.wait

    def press_once_begun(*args, **options):
        if (tmp_path / "run" / "begun").exists():
            (tmp_path / "run" / "begun").unlink()
            signal.raise_signal(signal.SIGINT)
        return wait(*args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(ray_engine, "train_remotely", pressing)
        patch.setattr(ray, "wait", press_once_begun)
        with pytest.raises(TrainingStopped):
            train(recipe(", engine: ray"), tmp_path / "run")
    assert (tmp_path / "run" / "state" / "home.monolithic.safetensors").exists()
    assert len(read_run_record(tmp_path / "run").adapters) < 8
    train(recipe(""), tmp_path / "run")
    assert_same(alone, tmp_path / "run")


def test_nodes_have_to_see_the_run_and_to_be_large_enough(recipe, cluster, tmp_path, monkeypatch):
    def elsewhere(task, start):
        return ray_engine.train_remotely(replace(task, run=Path("/nowhere")), start)

    with monkeypatch.context() as patch:
        patch.setattr(ray_engine, "train_remotely", elsewhere)
        with pytest.raises(InputError, match=r"^/nowhere: is not seen by node .* that all its"):
            train(recipe(", engine: ray"), tmp_path / "run")
    config = recipe(", engine: ray")
    machine = config.machine.model_copy(update={"threads": 4096})
    with pytest.raises(InputError, match=r"machine\.threads 4096: no node .* more than 2 CPUs"):
        train(config.model_copy(update={"machine": machine}), tmp_path / "other")
