"""The same tool comes out of every format; what is no tool is refused with what was found."""

import pytest

from edgetune_export.tool_formats import FORMATS, parse_tools
from edgetune_runtime.calls import Tool
from edgetune_runtime.errors import InputError

NAME, TEXT = "water_plant", "Water a plant."
SCHEMA = {
    "type": "object",
    "properties": {
        "plant": {"type": "string", "description": "which one"},
        "litres": {"type": ["number", "null"]},
    },
    "required": ["plant"],
}
TOOL = Tool(NAME, TEXT, SCHEMA)

ABOUT = {"name": NAME, "description": TEXT}
OPENAI = {"type": "function", "function": {**ABOUT, "parameters": SCHEMA, "strict": True}}
FLAT = {"type": "function", **ABOUT, "parameters": SCHEMA, "strict": False}
MCP = {**ABOUT, "inputSchema": SCHEMA, "outputSchema": SCHEMA, "annotations": {"title": "x"}}
ANTHROPIC = {**ABOUT, "input_schema": SCHEMA, "cache_control": {"type": "ephemeral"}}
BEDROCK = {"toolSpec": {**ABOUT, "inputSchema": {"json": SCHEMA}}}
GEMINI = {
    **ABOUT,
    "parameters": {
        "type": "OBJECT",
        "properties": {
            "plant": {"type": "STRING", "description": "which one"},
            "litres": {"type": "NUMBER", "nullable": True},
        },
        "required": ["plant"],
    },
}
AI_SDK = {**MCP, "type": "function"}
GEMINI_JSON = {**ABOUT, "parametersJsonSchema": SCHEMA}
EACH = [OPENAI, FLAT, MCP, AI_SDK, ANTHROPIC, BEDROCK, GEMINI, GEMINI_JSON]


@pytest.mark.parametrize("entry", EACH)
def test_each_format_gives_the_same_tool(entry):
    assert parse_tools([entry], "x.json") == (TOOL,)
    assert parse_tools(entry, "x.json") == (TOOL,), "one tool alone"


@pytest.mark.parametrize(
    "value",
    [
        {"tools": [MCP]},
        {"tools": [MCP], "nextCursor": None},
        {"jsonrpc": "2.0", "id": 1, "result": {"tools": [MCP]}},
        [{"jsonrpc": "2.0", "id": 1, "result": {"tools": [MCP]}}],
        {"model": "m", "messages": [], "tools": [ANTHROPIC]},
        {"functions": [{**ABOUT, "parameters": SCHEMA}]},
        {"toolConfig": {"tools": [BEDROCK]}},
        {"functionDeclarations": [GEMINI]},
        {"function_declarations": [GEMINI]},
        {"tools": [{"functionDeclarations": [GEMINI]}]},
        [{"functionDeclarations": [{**ABOUT, "parameters": SCHEMA}]}],
    ],
)
def test_lists_are_found_where_they_stand(value):
    assert parse_tools(value, "x.json") == (TOOL,)


@pytest.mark.parametrize(
    "entry",
    [
        {"type": "function", "function": {"name": NAME, "description": None, "parameters": None}},
        {"type": "function", "function": {"name": NAME}, "name": None, "parameters": None},
        {"type": "function", "name": NAME},
        {"name": NAME, "strict": True},
        {"name": NAME, "description": None, "parameters": None, "strict": None},
        {"name": NAME, "inputSchema": {}},
        {"functionDeclarations": [{"name": NAME}]},
    ],
)
def test_descriptions_and_parameters_may_be_null_or_absent(entry):
    (tool,) = parse_tools([entry], "x.json")
    assert (tool.name, tool.description, tool.has_parameters) == (NAME, "", False)


def test_keywords_that_an_export_filled_with_null_are_absent():
    filled = {
        "type": "object",
        "enum": None,
        "properties": {"plant": {"type": "string", "enum": None, "default": None}, "other": None},
    }
    (tool,) = parse_tools([{**FLAT, "parameters": filled}], "x.json")
    plant = {"type": "string", "default": None}
    assert tool.parameters == {"type": "object", "properties": {"plant": plant}}


def test_geminis_schemas_become_json_schema():
    declared = {
        "type": "OBJECT",
        "nullable": True,
        "properties": {
            "kind": {"type": "STRING", "format": "enum", "enum": ["a", "b"], "nullable": True},
            "tags": {"type": "ARRAY", "items": {"type": "STRING"}, "minItems": "1"},
            "size": {"any_of": [{"type": "INTEGER"}, {"type": "STRING"}], "nullable": True},
            "type": {"type": "BOOLEAN"},
        },
    }
    (tool,) = parse_tools([{"name": "f", "parameters": declared}], "x.json")
    assert tool.parameters == {
        "type": "object",
        "properties": {
            "kind": {"type": ["string", "null"], "enum": ["a", "b", None]},
            "tags": {"type": "array", "items": {"type": "string"}, "minItems": 1},
            "size": {"anyOf": [{"type": "integer"}, {"type": "string"}, {"type": "null"}]},
            "type": {"type": "boolean"},
        },
    }


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ([{"title": "t", "age": 3}], r"tools\[0\]: found the keys 'title', 'age', .* no format"),
        ([{**MCP, "input_schema": {}}], "fit MCP and Anthropic"),
        ([{**MCP, "parameters": {}}], "fit OpenAI Responses and MCP"),
        ({"mcpServers": {}}, "found the keys 'mcpServers', which fit no format"),
        ({"result": {"tools": [MCP, {}]}}, r"x\.json: result\.tools\[1\]: found {}"),
        ([{"type": "web_search"}], "'type', which fit no format"),
        ([3], r"tools\[0\]: found 3"),
        ("tools", "found str, expected a list of tools"),
        ([{**FLAT, "name": 3}], r"tools\[0\]\.name: found 3"),
        ([{**OPENAI, "function": 3}], r"tools\[0\]\.function\.name: found None"),
        ([{**MCP, "inputSchema": {"type": "array"}}], "JSON Schema of type object"),
        ([{"functionDeclarations": [3]}], r"functionDeclarations\[0\]\.name"),
        ([{"toolSpec": {"name": "f"}}], "name: found None"),
    ],
)
def test_what_is_no_tool_is_refused_with_what_was_found(value, says):
    with pytest.raises(InputError, match=says):
        parse_tools(value, "x.json")


def test_the_sentence_names_every_format():
    with pytest.raises(InputError) as caught:
        parse_tools([{"a": 1}], "x.json")
    assert all(each.title in str(caught.value) for each in FORMATS)
