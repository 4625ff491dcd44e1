"""Made-up tasks: what they ask for, and how it is told whether that was done."""

from collections import Counter
from itertools import pairwise

import pytest
from disk import disk

from edgetune.agents.grounding import ungrounded
from edgetune.file_tasks.expert import solve
from edgetune.file_tasks.parts import Holds, Shown
from edgetune.file_tasks.score import score
from edgetune.file_tasks.tasks import PHRASES, Task, make_task
from edgetune.file_tasks.workspace import Workspace, lay_out, read_back
from edgetune_runtime.calls import Call
from edgetune_runtime.errors import InputError
from edgetune_runtime.prompt import Result, User


@pytest.fixture(scope="module")
def tasks(tmp_path_factory):
    root = tmp_path_factory.mktemp("root")
    return {s: [make_task(i, 0, s, root) for i in range(150)] for s in ("train", "test")}, root


def test_the_expert_solves_every_task_and_nothing_is_made_up(tasks):
    made, root = tasks
    source = disk(root)
    for task in (*made["train"][:60], *made["test"][:60]):
        messages = solve(task, source, root)["messages"]
        assert messages[0]["content"] == task.request
        said = [User(task.request)]
        for call, answer in pairwise(messages[1:-1]):
            if "tool_calls" not in call:
                continue
            function = call["tool_calls"][0]["function"]
            made_up = ungrounded(source.toolset[function["name"]], function["arguments"], said)
            # Patterns and the list of edits are put together from words of the request.
            assert set(made_up) <= {"pattern", "head", "tail", "edits"}, (task.request, made_up)
            said.append(Result(answer["content"]))


def test_splits_share_no_phrase_and_no_name(tasks):
    made, _ = tasks
    for kind, phrases in PHRASES.items():
        assert not set(phrases["train"]) & set(phrases["test"]), kind
        assert min(map(len, phrases.values())) > 1
    names = {
        split: {part for task in each for path in task.workspace.state for part in path.split("/")}
        for split, each in made.items()
    }
    assert not names["train"] & names["test"]
    deepest = {
        split: max(path.count("/") for task in each for path in task.workspace.files)
        for split, each in made.items()
    }
    assert deepest["train"] < deepest["test"]


def test_every_kind_comes_and_a_task_is_the_same_for_the_same_seed(tasks):
    made, root = tasks
    kinds = Counter(kind for task in made["test"] for kind in task.kinds)
    assert kinds.keys() == PHRASES.keys() - {"joins"}
    assert make_task(7, 0, "test", root) == made["test"][7] != make_task(7, 1, "test", root)
    assert {len(task.kinds) for task in made["test"]} == {1, 2, 3}


WORKSPACE = Workspace(("a", "a/b"), {"a/x.txt": "one\ntwo", "a/b/y.txt": "three"})
TASK = Task(
    WORKSPACE,
    "read a/x.txt, then write z into a/z.txt",
    ("read", "write"),
    (Call("read_text_file", {"path": "a/x.txt"}), Call("write_file", {})),
    (Shown(("one\ntwo",)), Holds("a/z.txt", "z")),
)


@pytest.mark.parametrize(
    ("results", "change", "outputs", "spoilt"),
    [
        (["one\ntwo"], {"a/z.txt": "z"}, (True, True), ()),
        (["one", "two"], {"a/z.txt": "zz"}, (False, False), ()),
        (["one\ntwo"], {"a/b/y.txt": "3"}, (True, False), ("a/b/y.txt",)),
        ([], {"a/new.txt": "z", "a/z.txt": "z"}, (False, True), ("a/new.txt",)),
    ],
)
def test_outputs_are_counted_and_what_nobody_asked_for_is_told(
    tmp_path, results, change, outputs, spoilt
):
    lay_out(WORKSPACE, tmp_path)
    assert read_back(tmp_path) == WORKSPACE.state
    for path, text in change.items():
        (tmp_path / path).write_text(text)
    done = score(TASK, results, read_back(tmp_path))
    assert (done.outputs, done.spoilt) == (outputs, spoilt)
    assert done.share == sum(outputs) / 2


def test_a_server_that_does_something_else_is_told(tmp_path, tasks):
    made, _ = tasks
    source = disk(tmp_path)
    source._functions["list_directory"] = lambda path: "nothing"
    task = next(task for task in made["train"] if task.kinds == ("names",))
    with pytest.raises(InputError, match=r"these are missing: \[Shown"):
        solve(task, source, tmp_path)
    other = next(task for task in made["train"] if task.kinds == ("find_read",))
    with pytest.raises(InputError, match="made for npm's @modelcontextprotocol/server-filesystem"):
        solve(other, source, tmp_path)
