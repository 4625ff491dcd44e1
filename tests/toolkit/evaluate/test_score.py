"""Scoring: what counts as exact, what is measured over what, and that counts are kept honest."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgetune.evaluate.score import ERROR_KINDS, Outcome, argument_errors, same_json, score
from edgetune_runtime.calls import RESPOND, RESPOND_CALL, Call, Tool, Toolset

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)
ARGUMENTS = st.dictionaries(st.text(max_size=3), JSON_VALUES, max_size=4)

OSLO = Call("get_weather", {"city": "Oslo", "days": 3})


def right(call: Call) -> Outcome:
    arguments = None if call.tool == RESPOND else dict(call.arguments)
    return Outcome(call, call.tool, arguments, dict(call.arguments))


@given(ARGUMENTS)
def test_equality_ignores_the_order_of_keys(arguments):
    assert same_json(arguments, dict(reversed(arguments.items())))


@given(JSON_VALUES)
def test_equality_holds_through_json_text(value):
    assert same_json(value, json.loads(json.dumps(value)))


@given(JSON_VALUES, JSON_VALUES)
def test_equality_is_symmetric(left, right_value):
    assert same_json(left, right_value) == same_json(right_value, left)


@pytest.mark.parametrize(
    ("left", "right_value", "equal"),
    [
        (1, 1.0, True),
        (True, 1, False),
        (False, 0, False),
        ([True], [1], False),
        ({"a": {"b": 0}}, {"a": {"b": False}}, False),
        ("1", 1, False),
        (None, False, False),
        ("", None, False),
        ([1, 2], [2, 1], False),
        ("Oslo", "oslo", False),
        ("Oslo", "Oslo ", False),
        ({}, [], False),
        (2**53, 2**53 + 1, False),
    ],
)
def test_values_are_compared_as_json_compares_them(left, right_value, equal):
    assert same_json(left, right_value) is equal


@given(ARGUMENTS, ARGUMENTS)
@settings(max_examples=50)
def test_arguments_are_equal_exactly_where_no_single_one_is_wrong(expected, predicted):
    assert same_json(expected, predicted) == (not argument_errors(expected, predicted))


def test_each_wrong_argument_has_its_kind():
    expected = {"city": "Oslo", "days": 3, "unit": "celsius", "now": True}
    predicted = {"city": "Bergen", "days": "3", "now": True, "label": "x"}
    assert argument_errors(expected, predicted) == {
        "city": "wrong_value",
        "days": "wrong_type",
        "unit": "missing",
        "label": "extra",
    }


def test_a_boolean_for_a_number_is_a_wrong_type():
    assert argument_errors({"days": 1}, {"days": True}) == {"days": "wrong_type"}


def test_all_right_scores_one_everywhere(weather_toolset):
    found = score(weather_toolset, [right(OSLO), right(Call("cancel_alarms")), right(RESPOND_CALL)])
    assert (found.n, found.arguments_n) == (3, 2)
    figures = (found.selection_accuracy, found.arguments_exact_match, found.call_exact_match)
    assert (*figures, found.schema_valid) == (1.0, 1.0, 1.0, 1.0)
    assert list(found.per_tool) == ["get_weather", "cancel_alarms", "respond"]
    assert found.argument_errors == dict.fromkeys(ERROR_KINDS, 0)


def test_arguments_are_scored_with_the_right_tool_although_another_was_selected(weather_toolset):
    outcome = Outcome(OSLO, "set_alarm", {"days": 3, "city": "Oslo"}, {"time": "7"})
    found = score(weather_toolset, [outcome])
    assert found.selection_accuracy == 0.0
    assert found.arguments_exact_match == 1.0
    assert found.call_exact_match == 0.0


def test_same_arguments_of_another_tool_are_no_exact_call():
    toolset = Toolset("t", "", (Tool("open"), Tool("close")))
    assert score(toolset, [Outcome(Call("open"), "close", {}, {})]).call_exact_match == 0.0


def test_respond_counts_for_selection_and_calls_but_not_for_arguments(weather_toolset):
    wrong = Outcome(OSLO, "get_weather", {"city": "Bergen"}, {"city": "Bergen"})
    found = score(weather_toolset, [right(RESPOND_CALL), wrong])
    assert found.selection_accuracy == 1.0
    assert found.arguments_exact_match == 0.0
    assert found.call_exact_match == 0.5
    assert found.per_tool["respond"].arguments_exact_match is None


def test_the_tool_most_often_confused_with_is_named(weather_toolset):
    selected = ["set_alarm", RESPOND, RESPOND, "get_weather"]
    found = score(weather_toolset, [Outcome(OSLO, name) for name in selected])
    row = found.per_tool["get_weather"]
    assert (row.confused_with, row.confused, row.selection_accuracy) == (RESPOND, 2, 0.25)
    assert found.confusion == {"get_weather": {RESPOND: 2, "set_alarm": 1, "get_weather": 1}}


def test_a_tool_that_is_never_confused_names_none(weather_toolset):
    row = score(weather_toolset, [right(OSLO)]).per_tool["get_weather"]
    assert (row.confused_with, row.confused) == (None, 0)


def test_a_stage_that_was_not_run_has_no_figure(weather_toolset):
    selection = score(weather_toolset, [Outcome(OSLO, "get_weather")])
    assert selection.arguments_exact_match is None
    assert selection.call_exact_match is None
    assert selection.schema_valid is None
    arguments = score(weather_toolset, [Outcome(OSLO, given=OSLO.arguments)])
    assert arguments.selection_accuracy is None
    assert arguments.call_exact_match is None
    assert arguments.arguments_exact_match == 1.0


@pytest.mark.parametrize(
    "arguments",
    [{}, {"city": 1}, {"city": "Oslo", "days": 15}, {"city": "Oslo", "days": True}, {"x": 1}],
)
def test_arguments_that_break_the_schema_are_counted(weather_toolset, arguments):
    outcome = Outcome(OSLO, "get_weather", arguments, arguments)
    assert score(weather_toolset, [outcome, right(OSLO)]).schema_valid == 0.5


def test_the_call_of_a_wrongly_selected_tool_is_validated_too(weather_toolset):
    outcome = Outcome(OSLO, "set_alarm", OSLO.arguments, {"label": "no time"})
    assert score(weather_toolset, [outcome]).schema_valid == 0.5


def test_a_tool_without_a_schema_takes_no_arguments():
    toolset = Toolset("t", "", (Tool("open"),))
    assert score(toolset, [Outcome(Call("open"), "open", {"a": 1}, {"a": 1})]).schema_valid == 0.0


def test_what_the_budget_cut_is_counted_as_truncated_and_not_as_its_kind(weather_toolset):
    cut = {"city": "Os", "unit": "celsius"}
    outcomes = [Outcome(OSLO, given=cut, truncated=each) for each in (True, False)]
    # A call that came out right although the budget had a say has no error.
    outcomes.append(Outcome(OSLO, given=OSLO.arguments, truncated=True))
    found = score(weather_toolset, outcomes)
    errors = {"missing": 1, "extra": 1, "wrong_value": 1, "wrong_type": 0, "truncated": 3}
    assert found.argument_errors == errors
    assert found.per_tool["get_weather"].argument_errors == errors


def test_every_measured_figure_has_an_interval(weather_toolset):
    wrong = Outcome(OSLO, "get_weather", {"city": "Bergen"}, {"city": "Bergen"})
    found = score(weather_toolset, [right(OSLO)] * 6 + [wrong] * 2 + [right(RESPOND_CALL)] * 12)
    assert found.as_json()["intervals"].keys() == {
        *("selection_accuracy", "arguments_exact_match", "call_exact_match")
    }
    low, high = found.intervals["arguments_exact_match"]
    assert low < 0.75 < high
    # Over 8 examples, the calls over 20: surer.
    call_low, call_high = found.intervals["call_exact_match"]
    assert call_high - call_low < high - low
    assert list(score(weather_toolset, [Outcome(OSLO, "get_weather")]).intervals) == [
        "selection_accuracy"
    ]
