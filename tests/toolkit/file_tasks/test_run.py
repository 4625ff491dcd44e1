"""Agents on tasks: the stages of any two systems, and the expert in place of either."""

import itertools
import json
import sys
from contextlib import contextmanager

import pytest
from disk import disk

from edgetune.cli import main
from edgetune.config import read_config
from edgetune.file_tasks import expert, server
from edgetune.file_tasks.run import run_tasks, summary
from edgetune.file_tasks.tasks import make_task
from edgetune.train.run import train
from edgetune_export.bundle import write_bundle
from edgetune_export.run import open_run
from edgetune_runtime.bundle import open_bundle
from edgetune_runtime.engines import open_engine
from edgetune_runtime.errors import InputError

RECIPE = """\
base: {{model: {base}}}
toolset: {{name: filesystem, tools: tools.json}}
data: {{train: train.jsonl}}
prompt: {{tools: none}}
adapter: {{rank: 2}}
train: {{steps: 1}}
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """In place of the real server: a directory, and functions on it."""

    @contextmanager
    def directory(command=""):
        root = tmp_path_factory.mktemp("served")
        yield disk(root), root

    return directory


@pytest.fixture(scope="module")
def bundle(tiny_checkpoint, tmp_path_factory, served):
    folder = tmp_path_factory.mktemp("tasks")
    patch = pytest.MonkeyPatch()
    patch.setattr(expert, "served_directory", served)
    assert expert.write_records(folder, {"train": 40, "dev": 2}, 0) == 11
    patch.undo()
    recipe = folder / "recipe.yaml"
    recipe.write_text(RECIPE.format(base=tiny_checkpoint("qwen2")))
    train(read_config(recipe), folder / "run")
    write_bundle(open_run(folder / "run"), folder / "bundle", ["onnx"])
    return open_bundle(folder / "bundle")


@pytest.fixture
def do(bundle, served):
    def work(count=6, **options):
        with served() as (source, root):
            every = (make_task(index, 0, "test", root) for index in itertools.count())
            # More results than that do not fit the tiny base's context.
            short = (task for task in every if len(task.kinds) == 1 and task.kinds != ("tree",))
            tasks = list(itertools.islice(short, count))
            return run_tasks(bundle, open_engine(bundle), source, root, tasks, **options)

    return work


def test_the_expert_in_both_places_does_all(do):
    done = do(20, selector="expert", writer="expert")
    assert [each.because for each in done] == ["replied"] * 20
    assert summary(done) == {
        "tasks": 20,
        "outputs": 1,
        "complete": 1,
        "spoilt": 0,
        "calls": sum(len(each.task.calls) for each in done) / 20,
    }


def test_with_the_expert_in_one_place_the_other_stage_is_the_models(do):
    selected = do(selector="expert", writer="decoupled", steps=3)
    for each in selected:
        asked = [call.tool for call in each.task.calls][:3]
        assert [tool for tool, _, _ in each.calls] == asked[: len(each.calls)]
    assert summary(selected)["complete"] < 1
    written = do(selector="decoupled", writer="expert", steps=3)
    for each in written:
        known = {call.tool: dict(call.arguments) for call in each.task.calls}
        assert all(arguments in (known.get(tool), {}) or tool in known
                   for tool, arguments, _ in each.calls)  # fmt: skip


def test_votes_are_drawn_from_the_selectors_probabilities(do):
    def selected(votes):
        return [[tool for tool, _, _ in each.calls] for each in do(votes=votes, steps=1)]

    assert selected(10) == selected(10)
    assert selected(1) != selected(1000)


def test_a_folder_of_something_else_is_told_before_the_work(served, tmp_path, monkeypatch):
    monkeypatch.setattr(expert, "served_directory", served)
    monkeypatch.setattr(expert, "solve", None)
    (tmp_path / "tools.json").write_text('{"mine": 1}')
    with pytest.raises(InputError, match=r"tools\.json"):
        expert.write_records(tmp_path, {"train": 2}, 0)
    assert [path.name for path in tmp_path.iterdir()] == ["tools.json"]


def test_other_tools_than_the_servers_are_refused(tiny_bundle, served):
    other = open_bundle(tiny_bundle)
    with served() as (source, root), pytest.raises(InputError, match="knows none of the tools"):
        run_tasks(other, open_engine(other), source, root, [])


def test_the_verbs(bundle, served, tmp_path, monkeypatch, capsys):
    for module in (expert, server):
        monkeypatch.setattr(module, "served_directory", served)
    for arguments in (
        ["make", "-o", tmp_path / "data", "--train", "3", "--dev", "0"],
        ["run", bundle.path, "--tasks", "2", "--system", "expert", "--json", tmp_path / "r.json"],
        ["run", bundle.path, "--tasks", "2", "--selector", "expert", "--arguments", "expert"],
    ):
        monkeypatch.setattr(sys, "argv", ["edgetune", "tasks", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        assert not ended.value.code
    told = json.loads((tmp_path / "r.json").read_text())
    assert (told["selector"], told["arguments"], told["outputs"]) == ("expert", "expert", 1)
    assert [len(each["calls"]) for each in told["done"]] == [
        len(each["expert"]) for each in told["done"]
    ]
    assert "outputs by the parts of a task" in capsys.readouterr().out
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == [
        "tools.json",
        "train.jsonl",
    ]
