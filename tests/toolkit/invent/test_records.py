"""What the made-up tools, requests and calls promise."""

from collections import Counter
from typing import Any

import jsonschema
import pytest

from edgetune.invent.concepts import CONCEPTS
from edgetune.invent.domains import ACTIONS, DOMAINS
from edgetune.invent.records import RESPOND, invent_record, rng_for
from edgetune.invent.tools import invent_set, style


@pytest.fixture(scope="module")
def records() -> list[dict[str, Any]]:
    return [invent_record(3, index) for index in range(600)]


def call_of(record: dict[str, Any]) -> dict[str, Any]:
    call: dict[str, Any] = record["messages"][1]["tool_calls"][0]["function"]
    return call


def schema_of(record: dict[str, Any], name: str) -> dict[str, Any]:
    functions = [tool["function"] for tool in record["tools"]]
    function = next(f for f in functions if f["name"] == name)
    parameters: dict[str, Any] = function.get("parameters", {"type": "object", "properties": {}})
    return parameters


def test_the_same_seed_and_index_give_the_same_record() -> None:
    assert invent_record(5, 17) == invent_record(5, 17)
    assert invent_record(5, 17) != invent_record(5, 18)
    assert invent_record(5, 17) != invent_record(6, 17)


def test_respond_is_listed_last_once(records: list[dict[str, Any]]) -> None:
    for record in records:
        names = [tool["function"]["name"] for tool in record["tools"]]
        assert record["tools"][-1] == RESPOND
        assert len(set(names)) == len(names)


def test_every_call_is_of_a_listed_tool_and_fits_its_schema(
    records: list[dict[str, Any]],
) -> None:
    for record in records:
        call = call_of(record)
        schema = schema_of(record, call["name"])
        jsonschema.Draft202012Validator.check_schema(schema)
        jsonschema.validate(call["arguments"], {**schema, "additionalProperties": False})


def test_arguments_stand_in_the_order_of_the_schema(records: list[dict[str, Any]]) -> None:
    for record in records:
        call = call_of(record)
        order = list(schema_of(record, call["name"]).get("properties", {}))
        assert list(call["arguments"]) == [key for key in order if key in call["arguments"]]


def test_free_strings_stand_in_the_request_verbatim(records: list[dict[str, Any]]) -> None:
    for record in records:
        call, request = call_of(record), record["messages"][0]["content"]
        for key, value in call["arguments"].items():
            field = schema_of(record, call["name"])["properties"][key]
            if isinstance(value, str) and "enum" not in field:
                assert value in request
            if isinstance(value, list):
                assert all(entry in request for entry in value)


def test_some_requests_are_served_by_no_tool_and_some_optional_arguments_are_absent(
    records: list[dict[str, Any]],
) -> None:
    calls = [call_of(record) for record in records]
    unserved = sum(call["name"] == "respond" for call in calls) / len(calls)
    assert 0.04 < unserved < 0.25
    absent = [
        len(schema_of(record, call["name"]).get("properties", {})) - len(call["arguments"])
        for record, call in zip(records, calls, strict=True)
    ]
    assert sum(missing > 0 for missing in absent) > len(calls) // 10


def test_every_type_of_parameter_occurs(records: list[dict[str, Any]]) -> None:
    kinds: Counter[str] = Counter()
    for record in records:
        for tool in record["tools"]:
            for field in tool["function"].get("parameters", {}).get("properties", {}).values():
                kinds["enum" if "enum" in field else field["type"]] += 1
    assert {"string", "enum", "integer", "number", "boolean", "array"} <= set(kinds)


def test_sets_of_tools_hold_near_misses() -> None:
    shared = 0
    for index in range(60):
        made = invent_set(rng_for(4, index), 6)
        actions = Counter(tool.action for tool in made)
        objects = Counter(word for tool in made for word in set(tool.objects))
        shared += max(actions.values()) > 1 or max(objects.values()) > 1
    assert shared > 40


@pytest.mark.parametrize(
    ("how", "name"),
    [
        ("snake", "get_the_file"),
        ("camel", "getTheFile"),
        ("pascal", "GetTheFile"),
        ("kebab", "get-the-file"),
        ("dotted", "get.the_file"),
    ],
)
def test_naming_styles(how: str, name: str) -> None:
    assert style("get the File", how) == name


def test_identifiers_are_ascii_also_for_words_that_are_not() -> None:
    assert style("zhoststönk", "snake").isascii()
    assert style("ö", "camel") == "x"


def test_every_concept_makes_values() -> None:
    for concept in CONCEPTS.values():
        values = {concept.make(rng_for(9, index)) for index in range(30)}
        assert all(values)
        assert len(values) > 2
        if concept.type == "integer":
            assert all(float(value).is_integer() for value in values)


def test_domains_name_concepts_and_actions_that_exist() -> None:
    for domain in DOMAINS:
        assert set(domain.actions) <= set(ACTIONS)
        assert set(domain.concepts) <= {*CONCEPTS, "enum", "bool"}
