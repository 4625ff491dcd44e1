"""What a tool's schema allows: the library's judgement, and stricter where the grammar is."""

import pytest

from edgetune.tools.schema import arguments_problem, schema_problem
from edgetune_runtime.calls import Tool

WEATHER = Tool(
    "get_weather",
    parameters={
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "days": {"type": "integer", "minimum": 1, "maximum": 14},
            "wind": {"type": "number"},
            "unit": {"enum": ["celsius", "fahrenheit"]},
            "near": {"type": "object", "properties": {"lake": {"type": "string"}}},
            "since": {"type": "string", "format": "date"},
            "tags": {"type": "object"},
        },
        "required": ["city"],
    },
)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"days": 14},
        {"wind": 3},
        {"wind": 3.5},
        {"unit": "celsius"},
        {"near": {"lake": "Mjøsa"}},
        {"since": "2024-02-29"},
        {"tags": {"anything": 1}},
    ],
)
def test_valid_arguments_pass(more):
    assert arguments_problem(WEATHER, {"city": "Oslo", **more}) is None


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({}, "'city' is missing"),
        ({"city": 3}, "'city' is 3, expected the type string"),
        ({"city": "Oslo", "days": 2.0}, "'days' is 2.0, expected the type integer"),
        ({"city": "Oslo", "days": True}, "'days' is True, expected the type integer"),
        ({"city": "Oslo", "wind": False}, "expected the type number"),
        ({"city": "Oslo", "days": "2"}, "expected the type integer"),
        ({"city": "Oslo", "days": 15}, "'days' breaks the schema"),
        ({"city": "Oslo", "unit": "kelvin"}, "expected one of 'celsius', 'fahrenheit'"),
        ({"city": "Oslo", "town": "Bergen"}, "'town' is no parameter"),
        ({"city": "Oslo", "near": {"sea": "x"}}, "'near.sea' is no parameter"),
        ({"city": "Oslo", "since": "2023-02-29"}, "'since' breaks the schema"),
        (["Oslo"], "expected an object"),
    ],
)
def test_each_problem_is_one_sentence_that_names_the_key(arguments, problem):
    found = arguments_problem(WEATHER, arguments)
    assert found is not None
    assert problem in found
    assert "get_weather" in found


@pytest.mark.parametrize("more", [True, {"type": "string"}])
def test_unknown_keys_pass_where_the_schema_says_so(more):
    tool = Tool("note", parameters={"properties": {}, "additionalProperties": more})
    assert arguments_problem(tool, {"anything": "goes"}) is None


def test_tool_without_parameters_takes_none():
    assert arguments_problem(Tool("stop"), {}) is None
    assert "expected: none" in (arguments_problem(Tool("stop"), {"now": "yes"}) or "")


def test_combined_objects_are_closed_as_a_whole():
    tool = Tool(
        "pay",
        parameters={
            "properties": {"sum": {"type": "integer"}},
            "anyOf": [
                {"properties": {"card": {"type": "string"}}, "required": ["card"]},
                {"properties": {"cash": {"const": True}}, "required": ["cash"]},
            ],
        },
    )
    assert arguments_problem(tool, {"sum": 3, "card": "x"}) is None
    assert arguments_problem(tool, {"sum": 3, "card": "x", "tip": 1}) is not None


def test_a_reference_to_itself_is_named():
    tool = Tool("go", parameters={"properties": {"to": {"$ref": "#/properties/to"}}})
    assert "leads back to itself" in (schema_problem(tool) or "")


def test_references_inside_the_schema_are_followed_and_closed():
    tool = Tool(
        "go",
        parameters={
            "properties": {"to": {"$ref": "#/$defs/place"}},
            "$defs": {"place": {"type": "object", "properties": {"city": {"type": "string"}}}},
        },
    )
    assert arguments_problem(tool, {"to": {"city": "Oslo"}}) is None
    assert "'to.town'" in (arguments_problem(tool, {"to": {"town": "Oslo"}}) or "")


def test_what_no_grammar_writes_is_refused_before_it_is_trained():
    tool = Tool("go", parameters={"properties": {"far": {"type": "number", "minimum": 0}}})
    assert arguments_problem(tool, {"far": 0.5}) is None
    assert "no grammar writes" in (arguments_problem(tool, {"far": 1e-5}) or "")


def test_formats_are_the_grammars_own():
    tool = Tool("wake", parameters={"properties": {"at": {"type": "string", "format": "time"}}})
    assert arguments_problem(tool, {"at": "07:30:00Z"}) is None
    assert "'at'" in (arguments_problem(tool, {"at": "07:30"}) or "")


def test_keys_behind_a_reference_are_put_in_order_before_they_are_judged():
    place = {"type": "object", "properties": {"street": {}, "zip": {}}, "required": ["zip"]}
    tool = Tool(
        "go",
        parameters={"properties": {"to": {"$ref": "#/$defs/place"}}, "$defs": {"place": place}},
    )
    assert arguments_problem(tool, {"to": {"zip": "1", "street": "x"}}) is None


def of(**properties):
    return {"type": "object", "properties": properties, "required": list(properties)}


TEXT = {"type": "string"}
TAGGED = [of(type={"const": "text"}, text=TEXT), of(url=TEXT, type={"const": "image"})]
PERSON = {"allOf": [{"$ref": "#/$defs/person"}, {"properties": {"age": TEXT}}]}


@pytest.mark.parametrize(
    ("parameters", "arguments"),
    [
        # Of alternatives, the one that the value fits says the order.
        (of(part={"oneOf": TAGGED}), {"part": {"type": "image", "url": "x"}}),
        # Objects under keys of any name, and at fixed places.
        (
            of(by_name={"type": "object", "additionalProperties": of(b=TEXT, a=TEXT)}),
            {"by_name": {"k": {"a": "1", "b": "2"}}},
        ),
        (
            of(pair={"type": "array", "prefixItems": [of(b=TEXT, a=TEXT)], "items": False}),
            {"pair": [{"a": "1", "b": "2"}]},
        ),
        # Own properties, then those of an alternative, then those of allOf.
        (
            {
                "properties": {"own": TEXT},
                "allOf": [{"properties": {"all": TEXT}}],
                "anyOf": [{"properties": {"any": TEXT}}],
            },
            {"all": "1", "any": "2", "own": "3"},
        ),
        # A definition that another schema adds keys to.
        (
            {**of(who=PERSON), "$defs": {"person": of(name=TEXT)}},
            {"who": {"age": "1", "name": "Ann"}},
        ),
    ],
)
def test_keys_in_any_order_are_a_call_wherever_their_object_stands(parameters, arguments):
    assert arguments_problem(Tool("go", parameters=parameters), arguments) is None


def test_a_definition_that_is_added_to_is_closed_as_a_whole():
    tool = Tool("go", parameters={**of(who=PERSON), "$defs": {"person": of(name=TEXT)}})
    problem = arguments_problem(tool, {"who": {"name": "x", "town": "y"}}) or ""
    assert "'who.town' is no parameter" in problem
