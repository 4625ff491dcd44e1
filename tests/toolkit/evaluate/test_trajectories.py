"""Whole records of several steps count as right where every step is."""

import json

import pytest
from typer.testing import CliRunner

from edgetune.cli import app
from edgetune.evaluate.evaluate import evaluate
from edgetune.evaluate.score import Outcome
from edgetune.evaluate.table import result_view
from edgetune.evaluate.trajectories import trajectories_json
from edgetune_runtime.calls import RESPOND_CALL, Call

OSLO = Call("get_weather", {"city": "Oslo"})
RIGHT = Outcome(OSLO, "get_weather", {"city": "Oslo"}, {"city": "Oslo"})
OTHER_VALUE = Outcome(OSLO, "get_weather", {"city": "Rome"}, {"city": "Rome"})
DONE = Outcome(RESPOND_CALL, "respond", None, {})
WENT_ON = Outcome(RESPOND_CALL, "get_weather", None, {"city": "Oslo"})


def test_every_step_has_to_be_right():
    lengths = [2, 1, 2, 2, 2]
    outcomes = [RIGHT, DONE, OTHER_VALUE, OTHER_VALUE, DONE, RIGHT, WENT_ON, RIGHT, DONE]
    found = trajectories_json(lengths, outcomes)
    assert found == {"trajectory_exact_match": 0.5, "trajectories_n": 4}


@pytest.mark.parametrize(
    ("lengths", "outcomes"),
    [
        ([1, 1], [RIGHT, DONE]),
        ([], [RIGHT]),
        ([2], [Outcome(OSLO, "get_weather"), Outcome(RESPOND_CALL, "respond")]),
    ],
)
def test_nothing_is_said_of_single_steps_or_of_one_stage(lengths, outcomes):
    assert trajectories_json(lengths, outcomes) == {}


def test_the_result_tells_it_beside_the_steps(agent, examples):
    found = evaluate(agent, "home", [*examples[:1], *examples[3:]], progress=False, lengths=[2])
    assert found.as_json()["trajectory_exact_match"] == 1.0
    assert "1 records with several" in str(result_view(found).renderables[-1])
    assert "trajectory_exact_match" not in evaluate(agent, "home", examples).as_json()


def test_eval_tells_whole_records_of_a_file(tiny_run, tmp_path):
    weather = {"function": {"name": "get_weather", "arguments": {"city": "Oslo"}}}
    messages = [
        {"role": "user", "content": "rain in Oslo?"},
        {"role": "assistant", "tool_calls": [weather]},
        {"role": "tool", "content": "rain"},
        {"role": "assistant", "content": "It rains."},
    ]
    data, result = tmp_path / "data.jsonl", tmp_path / "result.json"
    data.write_text(json.dumps({"messages": messages}) + "\n")
    command = ["eval", str(tiny_run()), "--system", "base", "--data", str(data), "--json"]
    assert CliRunner().invoke(app, [*command, str(result)]).exit_code == 0
    found = json.loads(result.read_text())
    assert (found["n"], found["trajectories_n"]) == (2, 1)
    assert found["trajectory_exact_match"] == float(found["call_exact_match"] == 1.0)
