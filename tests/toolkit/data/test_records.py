"""TRL conversational records become turns, calls and one example a step."""

import json

import pytest

from edgetune.data.find_tools import find_tools
from edgetune.data.records import as_source, parse_record, read_records, record_problem
from edgetune.tools.reader import tools_from_list
from edgetune_runtime.calls import RESPOND_CALL, Call, Tool, Toolset
from edgetune_runtime.errors import InputError
from edgetune_runtime.prompt import Assistant, Called, Result, User


def user(text="weather in Oslo"):
    return {"role": "user", "content": text}


def calling(*calls):
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": f"c{index}", "type": "function", "function": {"name": name, "arguments": args}}
            for index, (name, args) in enumerate(calls)
        ],
    }


def record(*messages, **more):
    return parse_record(1, json.dumps({"messages": list(messages), **more}))


OSLO = Call("get_weather", {"city": "Oslo"})


@pytest.mark.parametrize("arguments", [{"city": "Oslo"}, '{"city": "Oslo"}'])
def test_arguments_are_an_object_or_its_json_text(arguments):
    assert record(user(), calling(("get_weather", arguments))).calls == (OSLO,)


def test_each_step_of_a_trajectory_is_an_example(weather_toolset):
    trajectory = record(
        user(),
        calling(("get_weather", {"city": "Oslo"})),
        {"role": "tool", "content": "sunny"},
        {"role": "assistant", "content": "It is sunny."},
    )
    first, last = trajectory.steps(weather_toolset)
    assert (first.turns, first.call) == ((User("weather in Oslo"),), OSLO)
    called = Called("get_weather", '{"city": "Oslo"}')
    assert last.turns == (User("weather in Oslo"), called, Result("sunny"))
    assert last.call == RESPOND_CALL


def test_calls_side_by_side_are_each_followed_by_their_own_result(weather_toolset):
    both = record(
        user(),
        calling(("get_weather", {"city": "Oslo"}), ("get_weather", {"city": "Rome"})),
        {"role": "tool", "tool_call_id": "c1", "content": "hot"},
        {"role": "tool", "tool_call_id": "c0", "content": {"sky": "grå"}},
    )
    rome = Call("get_weather", {"city": "Rome"})
    assert both.turns[1:] == (rome, Result("hot"), OSLO, Result('{"sky": "grå"}'))
    assert [step.call for step in both.steps(weather_toolset)] == [rome, OSLO]


def test_calls_without_results_keep_their_order():
    pair = record(user(), calling(("cancel_alarms", {}), ("get_weather", {"city": "Oslo"})))
    assert [call.tool for call in pair.calls] == ["cancel_alarms", "get_weather"]


def test_plain_answer_is_a_call_of_respond_also_in_the_history(weather_toolset):
    chat = record(
        user("hi"),
        {"role": "assistant", "content": "Hello!"},
        user(),
        calling(("get_weather", {"city": "Oslo"})),
    )
    steps = chat.steps(weather_toolset)
    assert steps[0].call == RESPOND_CALL
    assert steps[1].turns[1] == Assistant()


def test_leading_system_message_is_left_out():
    with_system = record({"role": "system", "content": "Be brief."}, user(), calling(("stop", {})))
    assert with_system.turns[0] == User("weather in Oslo")


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        ([], "'messages' is missing or empty"),
        ([user()], "nothing to learn"),
        ([calling(("get_weather", {}))], "first message is not of the role 'user'"),
        ([user(), {"role": "robot"}], "role 'robot'"),
        ([user(""), calling()], "content is ''"),
        ([user(), {"role": "assistant", "content": None}], "expected a text"),
        ([user(), calling(("x", [1]))], "'arguments' is not an object"),
        ([user(), calling(("x", "{"))], "the text of 'arguments' is not JSON"),
        ([user(), {"role": "assistant", "tool_calls": [{"function": {}}]}], "'name'"),
        ([user(), {"role": "tool", "content": "x"}], "no call waits"),
    ],
)
def test_malformed_records_say_what_is_wrong(messages, reason):
    with pytest.raises(InputError, match=reason):
        record(*messages)


@pytest.mark.parametrize("line", ["{", "[1]", '{"messages": NaN}', '"\\ud800"', "caf\udce9"])
def test_lines_that_are_no_json_object_are_refused(line):
    with pytest.raises(InputError):
        parse_record(1, line)


def test_reading_stops_at_the_first_invalid_line_and_names_it(tmp_path, weather_toolset):
    path = tmp_path / "train.jsonl"
    good = json.dumps({"messages": [user(), calling(("get_weather", {"city": "Oslo"}))]})
    bad = json.dumps({"messages": [user(), calling(("get_weather", {"town": "Oslo"}))]})
    path.write_text(f"{good}\n\n")
    assert [record.line for record in read_records(path, weather_toolset)] == [1]
    path.write_text(f"{good}\n\n{bad}\n")
    with pytest.raises(InputError, match=r"train\.jsonl:3: .*'city' is missing|'town'"):
        read_records(path, weather_toolset)


def test_toolset_is_found_beside_the_data_or_inside_the_records(tmp_path, weather_toolset):
    tools = [tool.as_openai() for tool in weather_toolset.tools]
    data = tmp_path / "train.jsonl"
    chat = {"messages": [user(), {"role": "assistant", "content": "Hello!"}]}
    lines = [chat | {"tools": tools[:2]}, chat | {"tools": json.dumps(tools[1:])}, chat]
    data.write_text("broken\n" + "\n".join(map(json.dumps, lines)))
    assert find_tools(data).tools == weather_toolset.tools
    (tmp_path / "tools.json").write_text(json.dumps(tools[:1]))
    assert find_tools(data).names == ("get_weather", "respond")
    assert find_tools(data, "phone_actions").name == "phone_actions"


def test_data_without_tools_is_refused(tmp_path):
    data = tmp_path / "train.jsonl"
    data.write_text(json.dumps({"messages": [user(), calling(("stop", {}))]}) + "\n")
    with pytest.raises(InputError, match=r"no tools in its records and no tools\.json"):
        find_tools(data)


def test_real_requests_are_valid(shared_data):
    data = shared_data / "snips" / "dev.jsonl"
    assert len(read_records(data, find_tools(data))) == 677


def test_a_byte_order_mark_is_no_part_of_the_first_record(tmp_path, weather_toolset):
    path = tmp_path / "windows.jsonl"
    line = json.dumps(as_source("rain in Oslo", Call("get_weather", {"city": "Oslo"})))
    path.write_bytes(b"\xef\xbb\xbf" + line.encode() + b"\r\n")
    assert len(read_records(path, weather_toolset)) == 1


@pytest.mark.parametrize("key", ["function_call", "tool_call"])
def test_a_call_under_another_key_is_a_call(tmp_path, weather_toolset, key):
    called = {"name": "get_weather", "arguments": '{"city": "Oslo"}'}
    answer = {"role": "assistant", "content": "", key: called}
    (tmp_path / "old.jsonl").write_text(json.dumps({"messages": [user(), answer]}))
    [read] = read_records(tmp_path / "old.jsonl", weather_toolset)
    assert read.calls == (OSLO,)
    assert read.source["messages"][1]["tool_calls"][0]["function"]["name"] == "get_weather"
    assert key not in read.source["messages"][1]


def test_a_message_of_weight_0_teaches_nothing_and_stays_in_the_history(weather_toolset):
    told = record(
        user("hi"),
        {"role": "assistant", "content": "Hello!", "weight": 0},
        user(),
        calling(("get_weather", {"city": "Oslo"})),
    )
    [step] = told.steps(weather_toolset)
    assert step.call == OSLO
    assert step.turns == (User("hi"), Assistant(), User("weather in Oslo"))
    assert (told.calls, told.taught_calls) == ((RESPOND_CALL, OSLO), (OSLO,))


@pytest.mark.parametrize(("weight", "reason"), [(0, "nothing is learnt"), (0.5, "expected 1")])
def test_a_weight_that_leaves_nothing_or_is_neither_is_refused(weight, reason):
    with pytest.raises(InputError, match=reason):
        record(user(), {"role": "assistant", "content": "Hello!", "weight": weight})


def test_a_null_is_absent_where_the_schema_takes_none(tmp_path, weather_toolset):
    nulls = {"city": "Oslo", "days": None, "unit": None, "time": None}
    path = tmp_path / "filled.jsonl"
    path.write_text(json.dumps({"messages": [user(), calling(("get_weather", nulls))]}))
    [read] = read_records(path, weather_toolset)
    assert read.calls == (OSLO,)
    written = read.source["messages"][1]["tool_calls"][0]
    assert (written["id"], written["function"]["arguments"]) == ("c0", {"city": "Oslo"})


def test_a_null_that_is_required_or_allowed_is_a_value(tmp_path):
    place = {
        "type": "object",
        "properties": {"zip": {"type": "string"}, "name": {"type": ["string", "null"]}},
    }
    properties = {"place": place, "day": {"type": "string"}}
    parameters = {"type": "object", "properties": properties, "required": ["place"]}
    toolset = Toolset("trip", "", (Tool("go", "", parameters),))
    path = tmp_path / "filled.jsonl"
    given = {"place": {"zip": None, "name": None}, "day": None}
    path.write_text(json.dumps({"messages": [user(), calling(("go", given))]}))
    assert read_records(path, toolset)[0].calls == (Call("go", {"place": {"name": None}}),)
    path.write_text(json.dumps({"messages": [user(), calling(("go", {"place": None}))]}))
    with pytest.raises(InputError, match="'place' is missing"):
        read_records(path, toolset)


def test_a_record_has_the_servers_names_and_an_example_those_of_prompts():
    tools = [{"name": name, "inputSchema": {"type": "object"}} for name in ("a.b", "respond")]
    tools[1]["inputSchema"] = {"type": "object", "properties": {"text": {"type": "string"}}}
    toolset = tools_from_list(tools, "tools.json", "server")
    said = record(
        user(),
        calling(("a.b", {})),
        {"role": "tool", "content": "ok"},
        calling(("respond", {"text": "hi"})),
        {"role": "tool", "content": "ok"},
        {"role": "assistant", "content": "Done."},
    )
    assert record_problem(said, toolset) is None
    first, second, last = said.steps(toolset)
    assert first.call == Call("a_b")
    assert second.turns[1] == Called("a_b", "{}")
    assert second.call == Call(toolset["respond"].name, {"text": "hi"})
    assert last.call == RESPOND_CALL
    other = record(user(), calling(("a/b", {})))
    assert "'a/b' is no tool of 'server', expected one of a.b, " in record_problem(other, toolset)
