"""Records by a teacher: a real client against a real local server that speaks the protocol."""

import json

import pytest
from chat_server import ChatServer, completion, serving
from typer.testing import CliRunner

from edgetune.cli import app
from edgetune.generate.teacher import FRUITLESS, UNFINISHED, generate_with_teacher
from edgetune.tools.reader import read_tools
from edgetune_runtime.errors import InputError

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "set_timer",
            "description": "Sets a timer.",
            "parameters": {
                "type": "object",
                "properties": {"minutes": {"type": "integer"}},
                "required": ["minutes"],
            },
        },
    },
    {"type": "function", "function": {"name": "lock", "description": "Locks the screen."}},
]


class Teacher(ChatServer):
    """Answers chat completions; every third record breaks the schema, every fifth repeats."""

    def __init__(self):
        super().__init__()
        self.asked, self.keys, self.made = [], set(), 0
        self.status, self.useless, self.fail_after = 200, "", None
        self.raw, self.usage = None, {"prompt_tokens": 100, "completion_tokens": 50}

    def respond(self, path, key, body):
        self.asked.append((path, body))
        self.keys.add(key)
        stopped = self.fail_after is not None and len(self.asked) > self.fail_after
        status = 403 if stopped else self.status
        prompt = body["messages"][0]["content"]
        content = self.useless or json.dumps({"records": list(self.records(prompt))})
        if status != 200:
            return status, b'{"error": {"message": "no such model"}}'
        usage = {**self.usage, "total_tokens": 150}
        message = {"content": f"Here you are:\n{content}"}
        return 200, self.raw or completion(body, message, usage=usage)

    def records(self, prompt):
        for _ in range(10):
            self.made += 1
            arguments = {"minutes": "soon" if self.made % 3 == 0 else self.made}
            number = 1 if self.made % 5 == 0 else self.made
            if '"set_timer"' not in prompt.split("\n")[0]:
                arguments = {}
            yield {"request": f"request number {number}", "arguments": arguments}


@pytest.fixture
def teacher():
    with serving(Teacher()) as server:
        yield server


@pytest.fixture
def tools(tmp_path):
    path = tmp_path / "tools.json"
    path.write_text(json.dumps(TOOLS))
    return path


def called(path):
    for line in path.read_text().strip().split("\n"):
        calls = json.loads(line)["messages"][1].get("tool_calls")
        yield calls[0]["function"] if calls else {"name": "respond", "arguments": {}}


def test_records_are_balanced_valid_and_counted(teacher, tools, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    output = tmp_path / "data"
    command = ["data", "generate", "--tools", str(tools), "-o", str(output), "--json", "-"]
    counts = ["--train", "30", "--dev", "4", "--test", "3"]
    asked = ["--teacher", teacher.url, "--model", "big"]
    done = CliRunner().invoke(app, [*command, *counts, *asked])
    assert done.exit_code == 0, done.output
    names = [call["name"] for call in called(output / "train.jsonl")]
    assert {name: names.count(name) for name in names} == {
        "set_timer": 10,
        "lock": 10,
        "respond": 10,
    }
    timers = [c for c in called(output / "train.jsonl") if c["name"] == "set_timer"]
    assert all(isinstance(call["arguments"]["minutes"], int) for call in timers)
    assert len(list(called(output / "dev.jsonl"))) == 4
    assert read_tools(output / "tools.json").names == ("set_timer", "lock", "respond")
    usage = json.loads(done.stdout)["teacher"]
    assert usage["requests"] == len(teacher.asked)
    assert usage["prompt_tokens"] == 100 * len(teacher.asked)
    assert usage["refused"] > 0
    assert {path for path, _ in teacher.asked} == {"/v1/chat/completions"}
    assert {body["model"] for _, body in teacher.asked} == {"big"}


def test_the_key_comes_from_the_environment_and_is_written_nowhere(
    teacher, tools, tmp_path, monkeypatch
):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    teacher.fail_after = 1
    with pytest.raises(InputError):
        generate_with_teacher(read_tools(tools), tmp_path / "data", {"train": 30}, teacher.url, "m")
    assert teacher.keys == {"Bearer sk-secret"}
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.name == UNFINISHED for path in files)
    assert not any("sk-secret" in path.read_text() for path in files)


def test_a_stopped_run_goes_on_where_it_was(teacher, tools, tmp_path):
    toolset, output = read_tools(tools), tmp_path / "data"
    teacher.fail_after = 2
    with pytest.raises(InputError, match="refuses with status 403"):
        generate_with_teacher(toolset, output, {"train": 45}, teacher.url, "m")
    kept = (output / UNFINISHED).read_text().splitlines()[1:]
    assert len(kept) >= 8
    with (output / UNFINISHED).open("a") as file:
        file.write('{"split": "train", "to')  # killed while it wrote
    teacher.fail_after = None
    generate_with_teacher(toolset, output, {"train": 45}, teacher.url, "m")
    written = (output / "train.jsonl").read_text()
    assert len(written.splitlines()) == 45
    assert all(json.dumps(json.loads(line)["record"]) in written for line in kept)
    assert not (output / UNFINISHED).exists()


def test_unfinished_work_of_another_model_is_not_mixed_in(teacher, tools, tmp_path):
    teacher.fail_after = 1
    for model, said in (("one", "status 403"), ("two", "another model")):
        with pytest.raises(InputError, match=said):
            generate_with_teacher(
                read_tools(tools), tmp_path / "data", {"train": 45}, teacher.url, model
            )


def test_a_run_that_got_nowhere_blocks_no_other(teacher, tools, tmp_path):
    teacher.fail_after = 0
    for model in ("one", "two"):
        with pytest.raises(InputError, match="status 403"):
            generate_with_teacher(
                read_tools(tools), tmp_path / "data", {"train": 45}, teacher.url, model
            )


def test_a_teacher_that_says_nothing_usable_is_given_up(teacher, tools, tmp_path):
    teacher.useless = "I cannot do that."
    with pytest.raises(InputError, match="no usable record for 'set_timer'"):
        generate_with_teacher(read_tools(tools), tmp_path / "data", {"train": 3}, teacher.url, "m")
    assert len(teacher.asked) == FRUITLESS


def test_an_endpoint_that_is_not_there_is_named(tools, tmp_path, monkeypatch):
    monkeypatch.setattr("edgetune.generate.endpoint.RETRIES", 0)
    with pytest.raises(InputError, match="cannot be reached"):
        generate_with_teacher(
            read_tools(tools), tmp_path / "data", {"train": 3}, "http://127.0.0.1:9/v1", "m"
        )


def test_a_teacher_without_a_model_is_refused(tools, tmp_path):
    command = ["data", "generate", "--tools", str(tools), "-o", str(tmp_path / "data")]
    done = CliRunner().invoke(app, [*command, "--teacher", "http://127.0.0.1:9/v1"])
    assert isinstance(done.exception, InputError) or done.exit_code == 2


def test_an_endpoint_that_speaks_something_else_is_named(teacher, tools, tmp_path):
    teacher.raw = b"<html>Welcome</html>"
    with pytest.raises(InputError, match="something else than the protocol's JSON"):
        generate_with_teacher(read_tools(tools), tmp_path / "data", {"train": 3}, teacher.url, "m")


@pytest.mark.parametrize("key", ["", "sk-x"])
def test_an_address_that_is_none_is_named(tools, tmp_path, monkeypatch, key):
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(InputError, match="is no address"):
        generate_with_teacher(
            read_tools(tools), tmp_path / "data", {"train": 3}, "http://host:8000x/v1", "m"
        )


def test_one_record_that_cannot_be_written_spoils_no_other(teacher, tools, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "")
    teacher.usage = {}
    entries = [
        {"request": "bad \udcfc", "arguments": {"minutes": 1}},
        {"request": "worse", "arguments": {"minutes": float("nan")}},
    ]
    good = [{"request": f"wait {n}\u2028minutes", "arguments": {"minutes": n}} for n in range(3)]
    teacher.useless = json.dumps({"records": [*entries, *good]})
    toolset, output = read_tools(tools), tmp_path / "data"
    with pytest.raises(InputError, match="no usable record for 'lock'"):
        generate_with_teacher(toolset, output, {"train": 9}, teacher.url, "m")
    # What was paid for is read again, a line separator within a request notwithstanding.
    assert len((output / UNFINISHED).read_bytes().split(b"\n")) == 5
    teacher.useless = ""
    usage = generate_with_teacher(toolset, output, {"train": 9}, teacher.url, "m")
    assert len(list(called(output / "train.jsonl"))) == 9
    assert (usage.prompt_tokens, usage.completion_tokens) == (0, 0)
