"""`evaluate` with a scripted agent: what is run at each stage, and the fields of the result."""

import json

import pytest

from edgetune.data.records import Example
from edgetune.evaluate.evaluate import evaluate
from edgetune_runtime.calls import RESPOND_CALL, Call, Tool, Toolset
from edgetune_runtime.errors import InputError
from edgetune_runtime.options import Options
from edgetune_runtime.prompt import Called, Result, User

FIXED_NAMES = {
    "n",
    "selection_accuracy",
    "arguments_exact_match",
    "call_exact_match",
    "schema_valid",
    "per_tool",
}


def test_both_stages_are_scored_end_to_end(agent, examples):
    found = evaluate(agent, "home", examples, progress=False).as_json()
    assert found["n"] == 4
    assert found["selection_accuracy"] == 0.75
    assert found["arguments_exact_match"] == pytest.approx(2 / 3)
    assert found["call_exact_match"] == 0.5
    assert found["schema_valid"] == 1.0
    assert found["per_tool"]["set_alarm"]["confused_with"] == "get_weather"
    assert found["argument_errors"] == {
        "missing": 0,
        "extra": 0,
        "wrong_value": 1,
        "wrong_type": 0,
        "truncated": 0,
    }
    assert found["intervals"].keys() == {
        *("selection_accuracy", "arguments_exact_match", "call_exact_match")
    }


def test_arguments_are_decoded_once_where_the_right_tool_is_selected(agent, examples):
    evaluate(agent, "home", examples[:2], progress=False)
    assert agent.decoded == ["get_weather", "get_weather"]


def test_both_tools_arguments_are_decoded_where_the_wrong_one_is_selected(agent, examples):
    found = evaluate(agent, "home", examples[2:3], progress=False)
    assert agent.decoded == ["get_weather", "set_alarm"]
    assert found.outcomes[0].called == {"city": "7"}
    assert found.outcomes[0].given == {"time": "7"}


def test_the_selection_stage_decodes_no_arguments(agent, examples):
    found = evaluate(agent, "home", examples, stage="selection", progress=False).as_json()
    assert agent.decoded == []
    assert found["selection_accuracy"] == 0.75
    assert found["arguments_exact_match"] is None
    assert found["call_exact_match"] is None
    assert found["schema_valid"] is None


def test_the_arguments_stage_gives_the_right_tool(agent, examples):
    result = evaluate(agent, "home", examples, stage="arguments", progress=False)
    assert agent.decoded == ["get_weather", "get_weather", "set_alarm"]
    assert result.score.arguments_exact_match == pytest.approx(2 / 3)
    assert result.score.selection_accuracy is None
    assert len(result.costs) == 3


def test_the_result_has_the_names_that_programs_rely_on(agent, examples):
    found = evaluate(agent, "home", examples, progress=False).as_json()
    assert found.keys() >= FIXED_NAMES
    assert (found["system"], found["engine"]) == ("decoupled", "scripted")
    assert (found["toolset"], found["stage"]) == ("home", "all")
    assert found["timing"] == {
        "ms": 12.0,
        "prefill_tokens": 30,
        "decode_steps": 4,
        "forced_tokens": 9,
    }
    assert json.loads(json.dumps(found)) == found


def test_probabilities_are_held_against_what_was_right(agent, examples):
    found = evaluate(agent, "home", examples, progress=False).as_json()["reliability"]
    assert [(each["n"], each["probability"], each["accuracy"]) for each in found["bins"]] == [
        (4, 0.9, 0.75)
    ]
    assert found["expected_calibration_error"] == pytest.approx(0.15)
    selected = evaluate(agent, "home", examples, "selection", progress=False)
    assert selected.as_json()["reliability"] == found
    given = evaluate(agent, "home", examples, "arguments", progress=False)
    assert given.as_json()["reliability"] is None


@pytest.mark.parametrize("stage", ["all", "selection"])
def test_abstaining_is_scored_as_respond_but_believed_as_the_tool(agent, examples, stage):
    """All four are told with 0.9: the three tools are withheld, which is right for none of them."""
    unsure = Options(abstain_below=0.95)
    result = evaluate(agent, "home", examples, stage, progress=False, options=unsure)
    found = result.as_json()
    assert found["selection_accuracy"] == 0.25
    assert found["abstain_below"] == 0.95
    assert [e["abstained_from"] for e in found["examples"]] == [*["get_weather"] * 3, None]
    assert found["reliability"]["bins"][0]["accuracy"] == 0.75


def test_every_call_is_told_in_full(agent, examples):
    told = evaluate(agent, "home", examples, progress=False).as_json()["examples"]
    assert [entry["probability"] for entry in told] == [0.9] * 4
    assert told[0]["called"] == told[0]["arguments"] == {"city": "Oslo"}
    wrong = [entry for entry in told if entry["wrong"]]
    assert [entry["request"] for entry in wrong] == ["3 days in Rome", "wake me at 7"]
    assert wrong[0]["expected"] == {"tool": "get_weather", "arguments": {"city": "Rome", "days": 3}}
    assert wrong[0]["called"] == {"days": 3, "city": "Roma"}
    assert (wrong[1]["selected"], wrong[1]["arguments"]) == ("get_weather", {"time": "7"})


def test_the_request_of_a_later_step_is_what_the_user_said_last(agent, examples):
    turns = (User("rain?"), Called("get_weather", '{"city": "Oslo"}'), Result("no"))
    agent.script = {"no": ("get_weather", {"get_weather": {"city": "Oslo"}})}
    found = evaluate(agent, "home", [Example(turns, RESPOND_CALL)], progress=False)
    assert found.as_json()["examples"][0]["request"] == "rain?"


def test_an_unknown_toolset_is_named(agent, examples):
    with pytest.raises(InputError, match="found 'car', expected one of: home"):
        evaluate(agent, "car", examples)


@pytest.mark.parametrize(("stage", "kept"), [("all", 0), ("arguments", 1)])
def test_data_without_anything_to_evaluate_is_refused(agent, stage, kept):
    with pytest.raises(InputError, match="no example to evaluate"):
        evaluate(agent, "home", [Example((User("hi"),), RESPOND_CALL)][:kept], stage=stage)


def test_data_of_another_toolset_is_refused(agent):
    with pytest.raises(InputError, match="calls 'open_door', which toolset 'home' does not have"):
        evaluate(agent, "home", [Example((User("hi"),), Call("open_door"))])


def test_tools_are_reported_by_their_servers_names(scripted):
    toolset = Toolset("s", "", (Tool("a_b", original="a.b"), Tool("a_c", original="a.c")))
    script = {"first": ("a_b", {"a_b": {}}), "second": ("a_b", {"a_b": {}, "a_c": {}})}
    examples = [
        Example((User("first"),), Call("a_b")),
        Example((User("second"),), Call("a_c")),
    ]
    agent = scripted(toolset, script)
    for stage in ("all", "selection"):
        found = evaluate(agent, "s", examples, stage, progress=False).as_json()
        assert found["selection_accuracy"] == 0.5
        assert list(found["per_tool"]) == ["a.b", "a.c"]
        assert found["confusion"] == {"a.b": {"a.b": 1}, "a.c": {"a.b": 1}}
        told = found["examples"][1]
        assert (told["expected"]["tool"], told["selected"]) == ("a.c", "a.b")
