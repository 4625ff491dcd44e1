"""Trajectories of a teacher: a real client and a real MCP server, whose calls are executed."""

import json

import pytest
from chat_server import ChatServer, completion, serving
from typer.testing import CliRunner

from edgetune.agents.policy import Policy
from edgetune.cli import app
from edgetune.data.records import read_records
from edgetune.generate.executed import STEPS, generate_executed
from edgetune.generate.teacher import FRUITLESS
from edgetune.generate.unfinished import UNFINISHED
from edgetune.tools.reader import read_tools
from edgetune.tools.servers import Server
from edgetune_runtime.errors import InputError

ANYTHING = Policy(approve="never")
ECHOES = Policy(tools={"echo": "allow"})


class Teacher(ChatServer):
    """Writes requests, and serves "say A then B" by a call of `echo` for each of A and B; one
    request in ten has it call `other` instead."""

    def __init__(self):
        super().__init__()
        self.prompts, self.offered, self.made, self.other = [], set(), 0, None

    def respond(self, path, key, body):
        return 200, completion(body, self.answer(body))

    def answer(self, body):
        said = body["messages"]
        if "tools" not in body:
            self.prompts.append(said[0]["content"])
            numbers = range(self.made, self.made + 10)
            self.made += 10
            requests = [{"request": f"say {n} then {n + 1000}"} for n in numbers]
            return {"content": json.dumps({"records": requests})}
        self.offered |= {tool["function"]["name"] for tool in body["tools"]}
        words = said[1]["content"].split()[1::2]
        results = [each["content"] for each in said if each["role"] == "tool"]
        if self.other and (words[0].endswith("3") or len(results) >= len(words)):
            return call(*self.other)
        if len(results) < len(words):
            return call("echo", {"text": words[len(results)]})
        return {"content": f"It said {' and '.join(results)}."}


def call(name, arguments):
    function = {"name": name, "arguments": json.dumps(arguments)}
    return {"content": None, "tool_calls": [{"id": "c1", "type": "function", "function": function}]}


@pytest.fixture
def teacher():
    with serving(Teacher()) as server:
        yield server


@pytest.fixture
def server(raw_server):
    return Server(raw_server(), name="raw")


def test_what_is_kept_was_executed_and_can_be_trained_on(teacher, raw_server, tmp_path):
    output, policy = tmp_path / "data", tmp_path / "policy.yaml"
    policy.write_text("tools: {echo: allow}\n")
    command = ["data", "generate", "--mcp", " ".join(raw_server()), "-o", str(output)]
    counts = ["--train", "12", "--dev", "2", "--test", "1", "--policy", str(policy)]
    asked = ["--teacher", teacher.url, "--model", "big", "--json", "-"]
    done = CliRunner().invoke(app, [*command, *counts, *asked])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["teacher"]["refused"] == 0
    toolset = read_tools(output / "tools.json")
    assert "write_note" in toolset
    for split, count in (("train", 12), ("dev", 2), ("test", 1)):
        records = read_records(output / f"{split}.jsonl", toolset)
        assert len(records) == count
        for record in records:
            user, first, told, second, again, reply = record.source["messages"]
            words = user["content"].split()[1::2]
            made = [each["tool_calls"][0]["function"] for each in (first, second)]
            assert made == [{"name": "echo", "arguments": {"text": word}} for word in words]
            assert [told["content"], again["content"]] == words, "what the server really answered"
            assert reply["content"] == f"It said {' and '.join(words)}."
            assert [step.call.tool for step in record.steps(toolset)] == ["echo", "echo", "respond"]
    assert not (output / UNFINISHED).exists()


def test_only_tools_that_may_run_are_shown_and_asked_for(teacher, server, tmp_path):
    generate_executed(server, tmp_path / "data", {"train": 11}, teacher.url, "m", ECHOES)
    assert teacher.offered == {"echo", "notes_read"}
    first, *others = teacher.prompts
    assert "write_note" not in first
    assert "earlier calls found" not in first
    assert others
    assert all('["' in prompt for prompt in others), "results are shown for the next requests"


def test_a_server_none_of_whose_tools_may_run_is_told_before_the_teacher_is(
    teacher, server, tmp_path
):
    with pytest.raises(InputError, match=r"none of its \d+ tools may run .* --approve never"):
        generate_executed(
            server, tmp_path / "data", {"train": 1}, teacher.url, "m", Policy(approve="all")
        )
    assert not teacher.prompts


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (("fail", {}), "the server says that it failed"),
        (("echo", {"text": 3}), "it breaks the schema"),
        (("write_note", {"text": "x"}), "it may change something"),
        (("nowhere", {}), "there is no such tool"),
    ],
)
def test_a_trajectory_with_a_call_that_was_not_done_is_thrown_away(
    teacher, server, tmp_path, other, why
):
    teacher.other = other
    with pytest.raises(InputError, match="no usable record for"):
        generate_executed(server, tmp_path / "data", {"train": 1}, teacher.url, "m", ECHOES)
    assert len(teacher.prompts) == FRUITLESS, why


def test_a_call_with_a_made_up_value_is_the_policys_matter(teacher, server, tmp_path):
    requests = teacher.answer

    def making_up(body):
        if "tools" not in body:
            return requests(body)
        done = body["messages"][-1]["role"] == "tool"
        return {"content": "Done."} if done else call("echo", {"text": "nobody said this"})

    teacher.answer = making_up
    told, asked = (Policy(approve="never", ungrounded=rule) for rule in ("allow", "ask"))
    generate_executed(server, tmp_path / "told", {"train": 1}, teacher.url, "m", told)
    with pytest.raises(InputError, match="no usable record for"):
        generate_executed(server, tmp_path / "asked", {"train": 1}, teacher.url, "m", asked)


def test_one_that_does_not_end_is_thrown_away(teacher, server, tmp_path):
    teacher.other = ("echo", {"text": "again"})
    with pytest.raises(InputError, match="no usable record for"):
        generate_executed(server, tmp_path / "data", {"train": 1}, teacher.url, "m", ECHOES)
    assert STEPS > 2, "two calls were right, and further ones followed"


def test_a_server_that_ends_costs_no_record(teacher, server, tmp_path):
    teacher.other = ("die", {})
    teacher.answer, answer = None, teacher.answer

    def dying(body):
        kept = tmp_path / "data" / UNFINISHED
        done = kept.is_file() and len(kept.read_text().splitlines()) > 3
        teacher.other = ("die", {}) if done else None
        return answer(body)

    teacher.answer = dying
    allowed = Policy(tools={"echo": "allow", "die": "allow", "*": "deny"})
    for _ in range(2):
        with pytest.raises(InputError, match=r"has ended\. The records so far are kept"):
            generate_executed(server, tmp_path / "data", {"train": 40}, teacher.url, "m", allowed)
    assert len((tmp_path / "data" / UNFINISHED).read_text().splitlines()) >= 4


def test_a_long_result_is_cut_and_says_so(teacher, server, tmp_path, monkeypatch):
    monkeypatch.setattr("edgetune.generate.executed.RESULT", 2)
    generate_executed(server, tmp_path / "data", {"train": 1}, teacher.url, "m", ECHOES)
    messages = json.loads((tmp_path / "data/train.jsonl").read_text())["messages"]
    first, second = (each["content"] for each in messages if each["role"] == "tool")
    assert (first, second) == ("0", "10\n[cut: the first 2 of 4 characters]")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "--tools, or by --mcp"),
        (["--mcp", "x", "--tools", "y"], "--tools, or by --mcp"),
        (["--mcp", "x"], "give --teacher and --model"),
        (["--tools", "x", "--approve", "never"], "belong to --mcp"),
    ],
)
def test_options_that_do_not_fit_are_told(tmp_path, options, said):
    done = CliRunner().invoke(app, ["data", "generate", "-o", str(tmp_path / "d"), *options])
    assert said in str(done.exception)
