"""Requests for any toolset, made from its schemas alone."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edgetune.cli import app
from edgetune.data.check import check_records
from edgetune.generate.any_tools import generate
from edgetune.generate.spoken import LARGEST
from edgetune.generate.write import generate_records
from edgetune.invent.requests import Request
from edgetune.tools.reader import read_tools, tools_from_list
from edgetune_runtime.errors import InputError


def tool(name, description="", required=(), **properties):
    parameters = {"type": "object", "properties": properties, "required": list(required)}
    function = {"name": name, "description": description, "parameters": parameters}
    return {"type": "function", "function": function}


TOOLS = [
    tool(
        "bookTable",
        "Books a table in a restaurant.",
        ["party_size"],
        city={"type": "string", "description": "The city."},
        party_size={"type": "integer", "minimum": 2, "maximum": 12},
        outdoor={"type": "boolean"},
        cuisine={"type": "string", "enum": ["italian", "fast_food"]},
    ),
    tool(
        "find_hotel",
        "Finds a hotel.",
        ["city"],
        city={"type": "string"},
        stars={"type": "integer", "minimum": 1, "maximum": 5},
        amenities={"type": "array", "items": {"type": "string", "enum": ["pool", "gym"]}},
    ),
    tool(
        "submit-form",
        "",
        ["ticket", "day", "kind"],
        ticket={"type": "string", "pattern": "^[A-Z]{3}-[0-9]{2}$"},
        day={"type": "string", "format": "date"},
        kind={"const": "v2"},
        owner={
            "type": "object",
            "properties": {
                "email": {"type": "string", "format": "email"},
                "age": {"type": "integer"},
            },
            "required": ["email"],
        },
        limit={"anyOf": [{"type": "null"}, {"type": "number", "minimum": 0.5, "maximum": 3}]},
        where={"$ref": "#/$defs/place"},
    ),
    tool("lock_screen", "Locks the screen."),
]
TOOLS[2]["function"]["parameters"]["$defs"] = {"place": {"type": "string", "maxLength": 30}}
TOOLSET = tools_from_list(TOOLS, "tools.json", "office")


@pytest.fixture(scope="module")
def records():
    return generate(TOOLSET, 400, 3, "train")


def calls(records):
    for record in records:
        user, answer = record["messages"]
        for call in answer.get("tool_calls") or [None]:
            yield user["content"], call and call["function"]


def test_every_record_is_valid_and_no_two_are_alike(records, tmp_path):
    path = tmp_path / "made.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    report = check_records(path, TOOLSET)
    assert (len(report.kept), report.dropped, report.duplicates) == (400, [], [])
    assert min(report.per_tool[name] for name in TOOLSET.names) >= 20


def test_what_a_call_holds_stands_in_the_request(records):
    seen = 0
    for text, call in calls(records):
        for name, value in (call["arguments"] if call else {}).items():
            if isinstance(value, str) and name not in ("kind", "cuisine", "day"):
                seen += 1
                assert value in text, text
    assert seen > 150


def test_an_enumeration_is_spoken_in_words_and_called_by_its_member(records):
    spoken = [
        text.lower()
        for text, call in calls(records)
        if call and call["arguments"].get("cuisine") == "fast_food"
    ]
    assert spoken
    assert all("fast food" in text for text in spoken)


def test_optional_parameters_are_left_out_at_times(records):
    owners = [
        "owner" in call["arguments"]
        for _, call in calls(records)
        if call and call["name"] == "submit-form"
    ]
    assert 0.2 < sum(owners) / len(owners) < 0.9


def test_two_tools_are_asked_for_with_the_same_value(records):
    cities = {}
    for _, call in calls(records):
        if call and "city" in call["arguments"]:
            cities.setdefault(call["arguments"]["city"].lower(), set()).add(call["name"])
    assert any(len(tools) == 2 for tools in cities.values())


def test_the_same_seed_gives_the_same_records_and_another_others():
    once, again, other = (generate(TOOLSET, 60, seed, "dev") for seed in (1, 1, 2))
    assert once == again != other


def test_held_out_requests_begin_in_other_ways():
    def beginnings(split):
        made = generate(TOOLSET, 300, 0, split)
        return {
            " ".join(text.lower().split()[:2])
            for text, call in calls(made)
            if call and call["name"] == "find_hotel"
        }

    ours = {"find hotel", "search for", "locate the", "help me"}
    assert ours & beginnings("train") - beginnings("test")


def test_more_requests_than_the_tools_yield_are_refused(monkeypatch):
    same = Request("lock the screen", "lock_screen", {})
    monkeypatch.setattr("edgetune.generate.any_tools.ask", lambda rng, tool, said=None: same)
    toolset = tools_from_list([TOOLS[3]], "tools.json", "lock")
    with pytest.raises(InputError, match="'lock_screen' yields fewer"):
        generate(toolset, 500, 0, "train")


def test_the_command_writes_tools_and_parts(tmp_path):
    source = tmp_path / "tools.json"
    source.write_text(json.dumps(TOOLS))
    output = tmp_path / "data"
    command = ["data", "generate", "--tools", str(source), "-o", str(output), "--train", "30"]
    done = CliRunner().invoke(app, [*command, "--dev", "10", "--test", "10"])
    assert done.exit_code == 0, done.output
    assert read_tools(output / "tools.json").tools == TOOLSET.tools
    assert len((output / "train.jsonl").read_text().splitlines()) == 30


def test_records_of_tools_with_a_servers_names_have_these_names(tmp_path):
    source = tmp_path / "tools.json"
    named = [
        tool("garden water", "Waters it."),
        tool("garden.water", "Waters a plant.", plant={"type": "string"}),
        tool("a/b", "Waves."),
    ]
    source.write_text(json.dumps(named))
    generate_records(source, tmp_path / "data", {"train": 30})
    text = (tmp_path / "data/train.jsonl").read_text()
    assert '"name": "garden.water"' in text
    assert "garden_water" not in text
    said = [json.loads(line)["messages"][0]["content"] for line in text.splitlines()]
    hidden = read_tools(source)["garden.water"].name.removeprefix("garden_water_")
    assert not any(hidden in request for request in said), "no request says a name's hash"
    toolset = read_tools(tmp_path / "data/tools.json")
    assert toolset.tools == read_tools(source).tools
    report = check_records(tmp_path / "data/train.jsonl", toolset)
    assert report.dropped == []
    assert list(report.per_tool) == ["garden water", "garden.water", "a/b", "respond"]
    assert sum(report.per_tool.values()) == 30


def test_a_parameter_that_no_value_fits_is_named_and_nothing_is_written(tmp_path):
    source = tmp_path / "tools.json"
    source.write_text(
        json.dumps([tool("go", code={"type": "string", "minLength": 5, "maxLength": 2})])
    )
    with pytest.raises(InputError, match=r"go.code: no value satisfies"):
        generate_records(source, tmp_path / "data", {"train": 10})
    assert not (tmp_path / "data").exists()


def is_said(value, text):
    """Whether a string, or each string of a list, stands in `text` as whole words."""
    if isinstance(value, list):
        return all(is_said(entry, text) for entry in value)
    return re.search(rf"(?<!\w){re.escape(value)}(?!\w)", text) is not None


@pytest.mark.parametrize(
    "asked",
    [
        tool(
            "book_restaurant",
            **{name: {"type": "string"} for name in ("restaurant_type", "dish", "city")},
        ),
        tool("order_pizza", product={"type": "string"}),
        tool("play_media", title={"type": "string"}, media_type={"type": "string"}),
        tool("order_food", items={"type": "array", "items": {"type": "string"}}),
        tool("note", text={"type": "string", "examples": ["dear Ann\nbye", "two  spaces"]}),
        tool("pay", currency={"type": "string", "minLength": 3, "maxLength": 3}),
    ],
    ids=lambda each: each["function"]["name"],
)
def test_every_string_stands_in_its_request_in_whole_words(asked):
    made = generate(tools_from_list([asked], "tools.json", "one"), 300, 0, "train")
    found = [(text, call["arguments"]) for text, call in calls(made) if call]
    assert sum(bool(arguments) for _, arguments in found) > 100
    for text, arguments in found:
        assert all(is_said(value, text) for value in arguments.values()), (text, arguments)


def test_alternatives_among_required_parameters_are_served():
    either = tool("find_person", email={"type": "string"}, phone={"type": "string"})
    either["function"]["parameters"]["anyOf"] = [{"required": ["email"]}, {"required": ["phone"]}]
    made = generate(tools_from_list([either], "tools.json", "one"), 60, 0, "train")
    assert {tuple(call["arguments"]) for _, call in calls(made) if call} >= {("email",), ("phone",)}


def test_a_schema_that_contains_itself_is_served():
    node = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    node["properties"]["children"] = {"type": "array", "items": {"$ref": "#/$defs/node"}}
    tree = tool("grow_tree", root={"$ref": "#/$defs/node"}, required=["root"])
    tree["function"]["parameters"]["$defs"] = {"node": node}
    made = generate(tools_from_list([tree], "tools.json", "one"), 30, 0, "train")
    assert any("children" in call["arguments"]["root"] for _, call in calls(made) if call)


def test_a_tool_for_which_no_request_can_be_made_is_named():
    hidden = tool("hidden")
    hidden["function"]["parameters"] = {
        "type": "object",
        "allOf": [{"properties": {"name": {"type": "string"}}, "required": ["name"]}],
    }
    toolset = tools_from_list([*TOOLS, hidden], "tools.json", "office")
    with pytest.raises(InputError, match="made for 'hidden' fits its schema"):
        generate(toolset, 100, 0, "train")


def test_bounds_that_no_float_is_between_are_no_bounds_of_what_is_said(monkeypatch, tmp_path):
    largest = 1.7976931348623157e308
    numbers = tool(
        "set_volume",
        "Sets the volume.",
        ["level", "far"],
        level={"type": "number", "minimum": -largest, "maximum": largest},
        far={"type": "integer", "minimum": -(10**400), "maximum": 10**400},
    )
    (tmp_path / "tools.json").write_text(json.dumps([numbers]))
    command = ["data", "generate", "--tools", str(tmp_path / "tools.json"), "-o", str(tmp_path)]
    done = CliRunner().invoke(app, [*command, "--train", "20", "--dev", "2", "--test", "2"])
    assert done.exit_code == 0, done.output
    report = check_records(tmp_path / "train.jsonl", read_tools(tmp_path / "tools.json"))
    assert not report.dropped
    said = [call.arguments for record in report.kept for call in record.calls if call.arguments]
    assert len({arguments["level"] for arguments in said}) > 5
    assert all(abs(arguments["level"]) <= LARGEST >= abs(arguments["far"]) for arguments in said)


def test_the_bounds_of_a_public_report_are_generated_for(tmp_path):
    case = Path(__file__).resolve().parents[4] / "shared" / "cases" / "S24" / "tools.json"
    if not case.is_file():
        pytest.skip(f"{case} is not here: public reports are kept outside the repo")
    report = generate_records(case, tmp_path, {"train": 20, "dev": 2, "test": 2})
    assert report.records["train"] == 20


def test_each_alternative_of_the_whole_arguments_is_asked_for():
    def one(key):
        return {"properties": {key: {"type": "string"}}, "required": [key]}

    function = {
        "name": "attach",
        "parameters": {"type": "object", "anyOf": [one("url"), one("id")]},
    }
    toolset = tools_from_list([{"type": "function", "function": function}], "here", "mine")
    text = json.dumps(generate(toolset, 20, 0, "train"))
    assert '"url": ' in text or '\\"url\\": ' in text
    assert '"id": ' in text or '\\"id\\": ' in text
