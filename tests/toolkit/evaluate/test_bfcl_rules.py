"""The Berkeley leaderboard's matching rules, on its edge cases and on its own answers."""

import json
from pathlib import Path

import pytest

from edgetune.evaluate.bfcl import read_cases
from edgetune.evaluate.bfcl_rules import call_problem, normal

DATA = Path(__file__).resolve().parents[4] / "shared" / "data" / "bfcl"


def problem(kind, allowed, value, **more):
    function = {"name": "f", "parameters": {"properties": {"x": {"type": kind, **more}}}}
    return call_problem(function, {"f": {"x": allowed}}, ("f", {"x": value}))


@pytest.mark.parametrize(
    ("kind", "allowed", "value", "right"),
    [
        ("integer", [5], 5, True),
        ("integer", [5], 6, False),
        ("integer", [5], 5.0, False),
        ("integer", [1], True, False),
        ("float", [5.0], 5, True),
        ("float", [0.5, 50.0], 50, True),
        ("boolean", [True], True, True),
        ("boolean", [True], False, False),
        ("string", ["New York, NY", "NYC"], "new york ny", True),
        ("string", ["2023-01-05"], "2023/01/05", True),
        ("string", ["it's"], 'it"s', True),
        ("string", ["New York"], "New Jersey", False),
        ("string", ["5"], 5, False),
        ("any", ["x y"], "XY", True),
        # An answer of another type than declared is a variable: taken literally.
        ("integer", ["n"], "n", True),
        ("integer", ["n"], "m", False),
        ("dict", [{"a": [1, 2], "b": ["", "X y"]}], {"a": 2}, True),
        ("dict", [{"a": [1, 2], "b": ["", "X y"]}], {"a": 2, "b": "xY"}, True),
        ("dict", [{"a": [1, 2]}], {"a": 3}, False),
        ("dict", [{"a": [1, 2]}], {"a": 1, "c": 1}, False),
        ("dict", [{"a": [1], "b": [2]}], {"a": 1}, False),
        # Within an object, lists are compared as they are.
        ("dict", [{"a": [["x Y"]]}], {"a": ["x Y"]}, True),
        ("dict", [{"a": [["x Y"]]}], {"a": ["XY"]}, False),
    ],
)
def test_a_value_is_right_as_the_leaderboard_has_it(kind, allowed, value, right):
    assert (problem(kind, allowed, value) is None) is right


@pytest.mark.parametrize(
    ("inner", "allowed", "value", "right"),
    [
        ("integer", [[1, 2]], [1, 2], True),
        ("integer", [[1, 2]], [2, 1], False),
        ("string", [["a b", "C"]], ["AB", "c"], True),
        ("string", [["a"], ["b"]], ["b"], True),
        ("string", [["a"]], [1], False),
        # A list that may be left out may as well be empty.
        ("string", [["a"], ""], [], True),
        ("string", [["a"], ""], [1], False),
        ("string", [["a"]], [], False),
        ("dict", [[{"a": [1]}, {"a": [2]}]], [{"a": 1}, {"a": 2}], True),
        ("dict", [[{"a": [1]}, {"a": [2]}]], [{"a": 1}], False),
    ],
)
def test_lists_are_compared_in_order(inner, allowed, value, right):
    assert (problem("array", allowed, value, items={"type": inner}) is None) is right
    assert (problem("tuple", allowed, value, items={"type": inner}) is None) is right


def test_parameters_are_required_optional_or_not_expected():
    function = {
        "name": "f",
        "parameters": {
            "properties": {name: {"type": "integer"} for name in "abc"},
            "required": ["a"],
        },
    }
    answer = {"f": {"a": [1], "b": ["", 2]}}
    assert call_problem(function, answer, ("f", {"a": 1})) is None
    assert call_problem(function, answer, ("f", {"a": 1, "b": 2})) is None
    assert "b:" in call_problem(function, answer, ("f", {"a": 1, "b": 3}))
    assert "required" in call_problem(function, answer, ("f", {"b": 2}))
    assert "not expected" in call_problem(function, answer, ("f", {"a": 1, "c": 1}))
    assert "left out" in call_problem(function, {"f": {"a": [1], "b": [2]}}, ("f", {"a": 1}))
    assert "called g" in call_problem(function, answer, ("g", {"a": 1}))


def literal(allowed):
    """The first value that an entry of the answers allows, None where it may only be left out."""
    first = next((value for value in allowed if value != ""), None)
    if isinstance(first, dict):
        inner = {key: literal(values) for key, values in first.items()}
        return {key: value for key, value in inner.items() if value is not None}
    if isinstance(first, list) and first and isinstance(first[0], dict):
        return [literal([entry]) for entry in first]
    return first


@pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data/bfcl is not here")
@pytest.mark.parametrize("name", ["simple_python", "multiple"])
def test_the_leaderboards_own_answers_are_right_and_a_changed_one_is_not(name):
    for case in read_cases(DATA / f"BFCL_v4_{name}.json"):
        ((tool, allowed),) = case.answer.items()
        arguments = {key: literal(values) for key, values in allowed.items()}
        arguments = {key: value for key, value in arguments.items() if value is not None}
        assert call_problem(case.functions[tool], case.answer, (tool, arguments)) is None, case.id
        for key in arguments:
            changed = {**arguments, key: ["no such value"]}
            assert call_problem(case.functions[tool], case.answer, (tool, changed)), case.id


def test_normal_strings():
    assert normal("Dr. O'Neil, 3*4/5^6_7-8") == 'dro"neil345678'
    assert normal(["A b", 3]) == ["ab", 3]
    assert json.dumps(normal({"a": "A b"})) == '{"a": "A b"}'
