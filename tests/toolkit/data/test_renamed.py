"""A toolset under other names: calls follow the names, and their values stay."""

import json
from random import Random

import pytest

from edgetune.data.records import Example
from edgetune.data.renamed import rename
from edgetune.tools.schema import arguments_problem
from edgetune_runtime.calls import RESPOND_CALL, Call, Tool, Toolset
from edgetune_runtime.prompt import Assistant, Called, Result, User

OSLO = Call("get_weather", {"city": "Oslo", "days": 3})


def test_names_change_and_descriptions_stay(weather_toolset):
    renamed = rename(weather_toolset, Random(0), parameters=True)
    names = {
        *renamed.tools.values(),
        *(n for of in renamed.parameters.values() for n in of.values()),
    }
    assert len(names) == 3 + 5  # no name twice
    for old, new in zip(weather_toolset.tools, renamed.toolset.tools, strict=True):
        assert old.name != new.name
        assert old.description == new.description
        assert list(old.properties.values()) == list(new.properties.values())
    assert renamed.toolset.names[-1] == "respond"
    assert rename(weather_toolset, Random(0), parameters=True) == renamed
    assert rename(weather_toolset, Random(1), parameters=True) != renamed


def test_a_call_has_the_names_of_the_schema_and_its_own_values(weather_toolset):
    renamed = rename(weather_toolset, Random(0), parameters=True)
    call = renamed.example(Example((User("hi"),), OSLO)).call
    assert list(call.arguments.values()) == ["Oslo", 3]
    assert not OSLO.arguments.keys() & call.arguments.keys()
    tool = renamed.toolset[call.tool]
    assert arguments_problem(tool, call.arguments) is None
    assert arguments_problem(tool, {}) is not None  # what is required still is


def test_earlier_calls_are_renamed_and_respond_is_not(weather_toolset):
    renamed = rename(weather_toolset, Random(0), parameters=True)
    turns = (
        User("hi"),
        Assistant(),
        User("rain?"),
        Called("get_weather", json.dumps(OSLO.arguments)),
        Result('{"city": "Oslo"}'),
    )
    shown = renamed.example(Example(turns, RESPOND_CALL))
    assert shown.call == RESPOND_CALL
    assert shown.turns[:3] == turns[:3]
    called = shown.turns[3]
    assert called.tool == renamed.tools["get_weather"]
    assert json.loads(called.arguments) == renamed.example(Example((), OSLO)).call.arguments
    assert shown.turns[4] == turns[4]


def test_without_parameters_only_tools_are_renamed(weather_toolset):
    renamed = rename(weather_toolset, Random(0), parameters=False)
    assert renamed.toolset.tools[0].parameters == weather_toolset.tools[0].parameters
    assert renamed.example(Example((), OSLO)).call.arguments == OSLO.arguments


@pytest.mark.parametrize(
    "more",
    [
        {"dependentRequired": {"a": ["b"]}},
        {"anyOf": [{"required": ["a"]}, {"required": ["b"]}]},
        {"$defs": {"same": {"$ref": "#/properties/a"}}},
    ],
)
def test_parameters_that_a_schema_refers_to_elsewhere_keep_their_names(more):
    schema = {"type": "object", "properties": {"a": {}, "b": {}}, **more}
    renamed = rename(Toolset("one", "", (Tool("t", "", schema),)), Random(0), parameters=True)
    assert renamed.toolset.tools[0].parameters == schema
    assert renamed.parameters == {"t": {}}
