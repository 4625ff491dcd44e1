"""Evaluating on tools that nobody trained: each record is answered, and scored, over its own."""

import json
import sys
from types import SimpleNamespace

import pytest

from edgetune.cli import main
from edgetune.data.own_tools import OpenStep
from edgetune.data.records import Example, as_source
from edgetune.evaluate.compare import read_result
from edgetune.evaluate.evaluate import evaluate
from edgetune.evaluate.open import evaluate_open
from edgetune.evaluate.report import write_report
from edgetune.evaluate.table import result_view
from edgetune_runtime.assets import ToolsetAssets
from edgetune_runtime.calls import RESPOND, RESPOND_CALL, Call, Tool, Toolset
from edgetune_runtime.errors import ContextError, GrammarError, InputError
from edgetune_runtime.options import Options
from edgetune_runtime.prompt import User

BASE = Options(system="base")


def find(**properties):
    parameters = {"type": "object", "properties": properties, "additionalProperties": False}
    return Tool("geo_find", "Find it.", parameters, original="geo.find")


def step(text, call, *tools):
    return OpenStep(Example((User(text),), call), Toolset("open", "", tools))


BY_PLACE, BY_ROW = find(place={"type": "string"}), find(row={"type": "integer"})
STEPS = [
    step("Oslo?", Call("geo_find", {"place": "Oslo"}), BY_PLACE, Tool("go")),
    step("row 3?", Call("geo_find", {"row": 3}), BY_ROW),
    step("row 4?", Call("geo_find", {"row": 4}), Tool("stop"), BY_ROW),
    step("hello", RESPOND_CALL, Tool("go")),
]
SCRIPT = {
    "Oslo?": ("geo_find", {"geo_find": {"place": "Oslo"}}),
    "row 3?": ("geo_find", {"geo_find": {"row": "3"}}),
    "row 4?": ("stop", {"stop": {}, "geo_find": {"row": 4.0}}),
    "hello": (RESPOND, {}),
}
TOOLS = SimpleNamespace(serve=lambda toolset: ToolsetAssets(toolset, None, None, {}))


@pytest.fixture
def agent(scripted):
    return scripted(Toolset("trained", "", ()), SCRIPT)


def test_calls_are_scored_over_each_records_own_tools(agent):
    found = evaluate_open(agent, TOOLS, STEPS, progress=False, options=BASE).as_json()
    assert (found["n"], found["toolset"], found["system"]) == (4, "open", "base")
    assert found["selection_accuracy"] == 0.75
    assert found["arguments_exact_match"] == pytest.approx(2 / 3)
    assert found["call_exact_match"] == 0.5
    # '"3"' is no row, though it would be a place; 'stop' was called with what it takes.
    assert found["schema_valid"] == pytest.approx(3 / 4)
    assert [each["expected"]["tool"] for each in found["examples"]] == [*["geo.find"] * 3, RESPOND]
    assert [each["selected"] for each in found["examples"]][:3] == ["geo.find", "geo.find", "stop"]
    assert found["per_tool"] == found["confusion"] == {}


def test_a_result_has_the_shape_of_one_on_trained_tools(agent, scripted, tmp_path):
    found = evaluate_open(agent, TOOLS, STEPS, progress=False, options=BASE).as_json()
    closed = scripted(STEPS[0].toolset, SCRIPT)
    same = evaluate(closed, "open", [STEPS[0].example], progress=False).as_json()
    assert found.keys() == same.keys()
    assert found["examples"][0] == same["examples"][0]
    (tmp_path / "found.json").write_text(json.dumps(found))
    assert read_result(tmp_path / "found.json").exact == [True, False, False, True]


def test_the_stages_alone(agent):
    selection = evaluate_open(agent, TOOLS, STEPS, "selection", progress=False, options=BASE)
    assert selection.score.selection_accuracy == 0.75
    assert selection.score.call_exact_match is None
    assert agent.decoded == []
    arguments = evaluate_open(agent, TOOLS, STEPS, "arguments", progress=False, options=BASE)
    assert arguments.score.arguments_n == 3
    assert arguments.score.selection_accuracy is None
    with pytest.raises(InputError, match="no example to evaluate"):
        evaluate_open(agent, TOOLS, STEPS[3:], "arguments", progress=False, options=BASE)


def test_the_system_is_the_one_that_the_options_name(agent, monkeypatch):
    asked, answer = [], agent.step
    monkeypatch.setattr(
        agent, "step", lambda *given: asked.append(given[2].system) or answer(*given)
    )
    evaluate_open(agent, TOOLS, STEPS[:1], progress=False, options=BASE)
    assert asked == ["base"]


def test_records_that_cannot_be_asked_are_left_out_and_named_by_what_is_wrong(
    agent, monkeypatch, tmp_path
):
    answer = agent.step
    errors = {"Oslo?": ContextError("context: too long"), "row 3?": GrammarError("tool 'x': no")}

    def step(turns, *rest):
        if turns[-1].text in errors:
            raise errors[turns[-1].text]
        return answer(turns, *rest)

    monkeypatch.setattr(agent, "step", step)
    result = evaluate_open(agent, TOOLS, STEPS, progress=False, options=BASE)
    assert result.score.n == 2
    assert [(each["record"], each["reason"]) for each in result.as_json()["left_out"]] == [
        (1, "context: too long"),
        (2, "tool 'x': no"),
    ]
    long, without = result_view(result).renderables[-2:]
    assert "longer than the context: 1 records: record 1 ('Oslo?')" in long
    assert "with a tool that no grammar can hold: 1 records: record 2 ('row 3?')" in without
    write_report(tmp_path / "report.html", [result])
    told = (tmp_path / "report.html").read_text()
    assert "no grammar can hold: 1 records" in told
    assert "Tool by tool" not in told


def run(monkeypatch, *arguments) -> int:
    monkeypatch.setattr(sys, "argv", ["edgetune", "eval", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code or 0


@pytest.fixture
def data(tmp_path):
    """Two records with different tools of one name, and a long one."""
    places, rows = (
        [{"type": "function", "function": {"name": "find", "parameters": tool.parameters}}]
        for tool in (BY_PLACE, BY_ROW)
    )
    records = [
        {**as_source("Oslo?", Call("find", {"place": "Oslo"})), "tools": places},
        {**as_source("row 3?", Call("find", {"row": 3})), "tools": rows},
        {**as_source("where? " * 800, RESPOND_CALL), "tools": rows},
    ]
    path = tmp_path / "unseen.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in records))
    return path


@pytest.mark.parametrize("kind", ["run", "bundle"])
def test_the_command_evaluates_a_run_and_a_bundle(
    monkeypatch, capsys, tmp_path, tiny_run, tiny_bundle, data, kind
):
    path, result = tiny_run() if kind == "run" else tiny_bundle, tmp_path / "result.json"
    command = (path, "--open", "--data", data, "--max-tokens", 24, "--json", result)
    assert run(monkeypatch, *command, "--report", tmp_path / "report.html") == 0
    found = json.loads(result.read_text())
    assert (found["n"], found["system"], found["toolset"]) == (2, "base", "open")
    assert [each["record"] for each in found["left_out"]] == [3]
    assert found["schema_valid"] == 1
    assert "open: 2 examples" in capsys.readouterr().out
    assert (tmp_path / "report.html").stat().st_size > 1000
    assert run(monkeypatch, *command, "--limit", 1, "--abstain-below", 1, "--system", "base") == 0
    [told] = json.loads(result.read_text())["examples"]
    assert (told["selected"], told["called"]) == (RESPOND, {})


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (("--system", "decoupled"), "--system decoupled contradicts --open"),
        (("--system", "monolithic"), "--system monolithic contradicts --open"),
        (("--toolset", "home"), "--toolset home contradicts --open"),
        (("--stage", "arguments", "--abstain-below", 0.5), "--abstain-below contradicts --stage"),
    ],
)
def test_options_that_contradict_are_refused(monkeypatch, capsys, data, tmp_path, options, what):
    assert run(monkeypatch, tmp_path, "--open", "--data", data, *options) == 2
    [sentence] = capsys.readouterr().err.splitlines()
    assert what in sentence


def test_a_record_without_tools_is_named(monkeypatch, capsys, tiny_run, data):
    data.write_text(data.read_text() + json.dumps(as_source("Hello!", RESPOND_CALL)) + "\n")
    assert run(monkeypatch, tiny_run(), "--open", "--data", data) == 2
    [sentence] = capsys.readouterr().err.splitlines()
    assert f"{data}:4: the record brings no tools of its own" in sentence
