"""Records that bring their own tools: each is read by these, in whatever format, or refused."""

import json

import pytest

from edgetune.data.own_tools import read_open
from edgetune.data.records import as_source
from edgetune_runtime.calls import RESPOND_CALL, Call
from edgetune_runtime.errors import InputError


def tool(name, **properties):
    parameters = {"type": "object", "properties": properties, "required": list(properties)}
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


BY_TEXT = tool("find", place={"type": "string"})
BY_NUMBER = tool("find", row={"type": "integer"})

WITHOUT_GRAMMAR = tool("find", ids={"type": "array", "uniqueItems": True})


def record(call=None, tools=(BY_TEXT,)):
    call = call or Call("find", {"place": "Oslo"})
    return {**as_source("Where is it?", call), "tools": list(tools)}


@pytest.fixture
def written(tmp_path):
    def write(*records):
        path = tmp_path / "d.jsonl"
        path.write_text("".join(json.dumps(each) + "\n" for each in records))
        return path

    return write


def test_two_records_may_have_different_tools_of_one_name(written):
    path = written(record(), record(Call("find", {"row": 3}), [tool("go"), BY_NUMBER]))
    [[first], [second]] = read_open(path)
    assert first.example.call == Call("find", {"place": "Oslo"})
    assert [each.name for each in second.toolset.tools] == ["go", "find"]
    assert list(second.toolset["find"].properties) == ["row"]


def test_a_record_gives_a_step_for_each_call_and_each_answer(written):
    made = record()
    told = [{"role": "tool", "content": "in Norway"}, {"role": "assistant", "content": "Norway."}]
    [steps] = read_open(written({**made, "messages": made["messages"] + told}))
    assert [step.example.call.tool for step in steps] == ["find", "respond"]
    assert len(steps[1].example.turns) == 3


def test_names_that_a_prompt_cannot_have_are_made_safe(written):
    [[step]] = read_open(written(record(Call("geo.find"), [tool("geo.find")])))
    assert (step.example.call.tool, step.toolset.tools[0].original) == ("geo_find", "geo.find")


@pytest.mark.parametrize(
    "made",
    [
        {**record(), "tools": json.dumps([BY_TEXT])},
        {**record(), "tools": [BY_TEXT["function"]]},
        {
            "query": "Where is it?",
            "answers": [{"name": "find", "arguments": {"place": "Oslo"}}],
            "tools": json.dumps([{"name": "find", "parameters": {"place": {"type": "str"}}}]),
        },
        {
            "messages": [
                {"role": "system", "content": f"<tools>{json.dumps(BY_TEXT)}</tools>"},
                *record()["messages"],
            ]
        },
    ],
)
def test_tools_are_found_in_every_format(written, made):
    [[step]] = read_open(written(made))
    assert step.example.call == Call("find", {"place": "Oslo"})
    assert step.toolset["find"].parameters["required"] == ["place"]


@pytest.mark.parametrize(
    ("made", "what"),
    [
        (as_source("Hello!", RESPOND_CALL), "brings no tools of its own"),
        ({**record(), "tools": []}, "brings no tools of its own"),
        ({**record(), "tools": "find(place)"}, "brings no tools of its own"),
        ({**record(), "tools": [7]}, r"tools\[0\]"),
        (record(tools=[BY_TEXT, BY_NUMBER]), "two tools are named 'find'"),
        (record(tools=[tool("go")]), "'find' is no tool of 'open', expected one of go"),
        (record(tools=[BY_NUMBER]), "in the call of find, 'row' is missing"),
        (record(Call("find", {"ids": []}), [WITHOUT_GRAMMAR]), "the schema uses 'uniqueItems'"),
        (record(tools=[tool("find", place={"type": "text"})]), "tool 'find': "),
        ({"messages": [], "tools": [BY_TEXT]}, "'messages' is missing or empty"),
    ],
)
def test_a_record_that_does_not_fit_its_own_tools_is_named(written, made, what):
    with pytest.raises(InputError, match=rf"d\.jsonl:2: .*{what}"):
        read_open(written(record(), made))


def test_a_tool_that_no_grammar_can_hold_is_no_trouble_where_it_is_not_called(written):
    path = written(record(Call("go"), [tool("go"), WITHOUT_GRAMMAR]))
    assert len(read_open(path)) == 1


def test_no_more_is_read_than_is_asked_for(written):
    path = written(record(), record(), record(tools=[]))
    assert len(read_open(path, 2)) == 2
    with pytest.raises(InputError, match=r"d\.jsonl:3: "):
        read_open(path)


def test_a_file_without_records_is_named(written):
    with pytest.raises(InputError, match="holds no records"):
        read_open(written())
