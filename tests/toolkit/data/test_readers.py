"""Whatever format a record comes in, the same call comes out; a file that fits none is told why."""

import json

import pytest

from edgetune.data.check import check_records, write_checked
from edgetune.data.find_tools import find_tools
from edgetune.data.readers import READERS, find_reader
from edgetune.data.records import read_records
from edgetune_runtime.calls import RESPOND_CALL, Call
from edgetune_runtime.errors import InputError
from edgetune_runtime.prompt import Result, User

CALL = {"name": "get_weather", "arguments": {"city": "Oslo"}}
OSLO = Call("get_weather", {"city": "Oslo"})
TEXT = json.dumps(CALL)
ASKED, RESULT = "weather in Oslo", '{"sky": "grå"}'

FORMATS = {
    "openai": (
        "messages",
        {
            "messages": [
                {"role": "user", "content": ASKED},
                {"role": "assistant", "tool_calls": [{"type": "function", "function": CALL}]},
                {"role": "tool", "content": RESULT},
            ]
        },
    ),
    "legacy": (
        "messages",
        {
            "messages": [
                {"role": "user", "content": ASKED},
                {"role": "assistant", "content": None, "function_call": CALL},
                {"role": "function", "name": "get_weather", "content": RESULT},
            ]
        },
    ),
    "hermes": (
        "sharegpt",
        {
            "conversations": [
                {"from": "system", "value": "You call functions."},
                {"from": "human", "value": ASKED},
                {"from": "gpt", "value": f"<tool_call>\n{TEXT}\n</tool_call>"},
                {"from": "tool", "value": f"<tool_response>\n{RESULT}\n</tool_response>"},
            ]
        },
    ),
    "sharegpt": (
        "sharegpt",
        {
            "conversations": [
                {"from": "human", "value": ASKED},
                {"from": "function_call", "value": TEXT},
                {"from": "observation", "value": RESULT},
            ]
        },
    ),
    "trl": (
        "prompt-completion",
        {
            "prompt": [{"role": "user", "content": ASKED}],
            "completion": [
                {"role": "assistant", "tool_calls": [{"type": "function", "function": CALL}]},
                {"role": "tool", "content": RESULT},
            ],
        },
    ),
    "glaive": (
        "glaive",
        {
            "chat": f"USER: {ASKED}\n\n\nASSISTANT: <functioncall> "
            f"""{{"name": "get_weather", "arguments": '{{"city": "Oslo"}}'}} <|endoftext|>\n\n\n"""
            f"FUNCTION RESPONSE: {RESULT}"
        },
    ),
    "xlam": ("xlam", {"query": ASKED, "answers": json.dumps([CALL])}),
}


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_call_comes_out_and_is_read_again_as_it_was_written(
    tmp_path, weather_toolset, name
):
    format, record = FORMATS[name]
    (tmp_path / "data.jsonl").write_text(json.dumps(record))
    report = check_records(tmp_path / "data.jsonl", weather_toolset)
    assert (report.format, report.dropped) == (format, [])
    result = () if name == "xlam" else (Result(RESULT),)
    assert report.kept[0].turns == (User(ASKED), OSLO, *result)
    write_checked(report, tmp_path / "checked.jsonl")
    again = check_records(tmp_path / "checked.jsonl", weather_toolset)
    assert (again.format, again.kept) == ("messages", report.kept)


def test_every_reader_of_the_table_is_tried():
    assert {format for format, _ in FORMATS.values()} == set(READERS)


def test_no_answer_of_xlam_and_words_of_glaive_are_respond(tmp_path, weather_toolset):
    path = tmp_path / "data.jsonl"
    path.write_text(json.dumps({"query": "hi", "answers": "[]"}))
    assert read_records(path, weather_toolset)[0].calls == (RESPOND_CALL,)
    path.write_text(json.dumps({"chat": "USER: hi\n\n\nASSISTANT: Hello! <|endoftext|>"}))
    assert read_records(path, weather_toolset)[0].calls == (RESPOND_CALL,)


def test_results_side_by_side_of_hermes_go_to_their_calls(tmp_path, weather_toolset):
    results = "<tool_response>1</tool_response><tool_response>2</tool_response>"
    said = [
        {"role": "user", "content": "weather in Oslo, twice"},
        {"role": "assistant", "content": f"<tool_call>{TEXT}</tool_call>" * 2},
        {"role": "user", "content": results},
    ]
    (tmp_path / "data.jsonl").write_text(json.dumps({"messages": said}))
    [record] = read_records(tmp_path / "data.jsonl", weather_toolset)
    assert record.turns[1:] == (OSLO, Result("1"), OSLO, Result("2"))


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"instruction": "rain?", "output": TEXT}, "keys instruction, output, which fit no"),
        ({"messages": [], "conversations": []}, "which fit the formats messages and sharegpt"),
        ({"messages": None, "a": 1}, "has the keys a, which fit no format"),
    ],
)
def test_a_file_of_no_format_or_of_two_shows_keys_and_what_is_known(tmp_path, record, said):
    (tmp_path / "data.jsonl").write_text(json.dumps(record))
    with pytest.raises(InputError, match=said) as caught:
        find_reader(tmp_path / "data.jsonl")
    assert all(name in str(caught.value) for name in READERS)


def test_a_record_of_another_format_than_the_files_first_is_dropped(tmp_path, weather_toolset):
    lines = [json.dumps(FORMATS["sharegpt"][1]), json.dumps(FORMATS["xlam"][1]), "{broken"]
    (tmp_path / "data.jsonl").write_text("\n".join(lines))
    report = check_records(tmp_path / "data.jsonl", weather_toolset)
    assert [record.line for record in report.kept] == [1]
    assert "has the keys query, answers" in report.dropped[0].reason
    assert "is not JSON" in report.dropped[1].reason


def test_a_call_in_words_that_is_not_read_is_dropped_by_line(tmp_path, weather_toolset):
    said = ["Sure: get_weather(city='Oslo')", "get_weather('Oslo')", "<tool_call>{</tool_call>"]
    (tmp_path / "data.jsonl").write_text(
        "\n".join(
            json.dumps({"prompt": ASKED, "completion": text}) for text in [*said, "It may rain."]
        )
    )
    report = check_records(tmp_path / "data.jsonl", weather_toolset)
    assert [entry.line for entry in report.dropped] == [1, 2, 3]
    assert all("completion" in entry.reason for entry in report.dropped)
    assert report.per_tool["respond"] == 1


PROPERTIES = {"city": {"type": "string"}}
FLAT = {"name": "get_weather", "parameters": {"type": "object", "properties": PROPERTIES}}
XLAM = {"name": "get_weather", "parameters": {"city": {"type": "str, optional"}}}


@pytest.mark.parametrize(
    "record",
    [
        {"messages": [], "tools": [FLAT]},
        {"messages": [], "tools": [{"type": "function", **FLAT}]},
        {"messages": [], "tools": json.dumps([{"type": "function", "function": FLAT}])},
        {"messages": [], "functions": [FLAT]},
        {"messages": [{"role": "system", "content": f"<tools>\n{json.dumps(FLAT)}\n</tools>"}]},
        {"conversations": [{"from": "system", "value": f"<tools>[{json.dumps(FLAT)}]</tools>"}]},
        {"chat": "", "system": f"with access to the following functions. Use: {json.dumps(FLAT)}"},
        {"query": "", "answers": [], "tools": json.dumps([XLAM])},
    ],
)
def test_tools_that_come_along_are_found(tmp_path, record):
    (tmp_path / "data.jsonl").write_text(json.dumps(record))
    [tool] = find_tools(tmp_path / "data.jsonl").tools
    assert (tool.name, tool.properties["city"]) == ("get_weather", {"type": "string"})


def test_the_types_of_xlam_are_a_schema(tmp_path):
    parameters = {
        "n": {"type": "int", "description": "how many"},
        "tags": {"type": "List[str], optional"},
        "deep": {"type": "bool", "default": False},
    }
    record = {"query": "x", "answers": [], "tools": [{"name": "f", "parameters": parameters}]}
    (tmp_path / "data.jsonl").write_text(json.dumps(record))
    assert find_tools(tmp_path / "data.jsonl")["f"].parameters == {
        "type": "object",
        "properties": {
            "n": {"type": "integer", "description": "how many"},
            "tags": {"type": "array", "items": {"type": "string"}},
            "deep": {"type": "boolean"},
        },
        "required": ["n"],
    }
