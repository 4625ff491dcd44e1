"""Arguments are written in the schema's order, whatever order they came in."""

import pytest

from edgetune_export.grammar.order import arguments_json, followed, order_arguments
from edgetune_runtime.calls import Tool


def tool(**schema):
    return Tool("t", "", {"type": "object", **schema})


def test_unknown_keys_stand_last_as_they_came():
    made = tool(properties={"a": {}, "b": {}})
    assert list(order_arguments(made, {"z": 1, "b": 2, "y": 3, "a": 4})) == ["a", "b", "z", "y"]


def test_the_text_has_blanks_behind_its_marks_and_no_escapes():
    made = tool(properties={"a": {}, "b": {}})
    assert arguments_json(made, {"b": ["é", 1.5], "a": None}) == '{"a": null, "b": ["é", 1.5]}'


def test_objects_inside_are_ordered_through_references_and_lists():
    place = {"properties": {"x": {}, "y": {}}}
    made = tool(
        properties={"at": {"$ref": "#/$defs/place"}, "way": {"items": {"$ref": "#/$defs/place"}}},
        **{"$defs": {"place": place}},
    )
    found = order_arguments(made, {"way": [{"y": 1, "x": 2}], "at": {"y": 3, "x": 4}})
    assert list(found) == ["at", "way"]
    assert list(found["at"]) == list(found["way"][0]) == ["x", "y"]


def test_of_alternatives_the_one_that_fits_gives_the_order():
    made = tool(
        anyOf=[
            {"properties": {"kind": {"const": "a"}, "x": {}, "y": {}}, "required": ["kind"]},
            {"properties": {"y": {}, "x": {}, "kind": {"const": "b"}}, "required": ["kind"]},
        ]
    )
    assert list(order_arguments(made, {"x": 1, "kind": "b", "y": 2})) == ["y", "x", "kind"]
    assert list(order_arguments(made, {"y": 1, "x": 2, "kind": "a"})) == ["kind", "x", "y"]


def test_a_reference_that_leads_nowhere_is_a_lookup_error():
    with pytest.raises(LookupError):
        followed("#/$defs/none", {"$defs": {}})
    assert followed("#/a/0/b~1c", {"a": [{"b/c": 7}]}) == 7
