"""Tools files are read, checked and refused in one sentence."""

import json

import pytest

from edgetune.tools.reader import builtin_tools, read_tools
from edgetune_runtime.errors import InputError
from edgetune_runtime.toolsets import dump_toolsets, read_toolsets


def function(name="lamp_on", **parameters):
    return {
        "type": "function",
        "function": {
            "name": name,
            "description": "Switch on a lamp.",
            "parameters": {"type": "object", **parameters},
        },
    }


def written(path, value):
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


def test_bare_list_is_called_after_its_file(tmp_path):
    toolset = read_tools(written(tmp_path / "lamps.json", [function()]))
    assert (toolset.name, toolset.names) == ("lamps", ("lamp_on", "respond"))


def test_tools_json_is_called_after_its_folder(tmp_path):
    folder = tmp_path / "my home"
    folder.mkdir()
    assert read_tools(written(folder / "tools.json", [function()])).name == "my_home"


def test_given_name_wins(tmp_path):
    assert read_tools(written(tmp_path / "x.json", [function()]), "lamps").name == "lamps"


def test_toolsets_of_a_run_are_read_and_picked_by_name(tmp_path, weather_toolset):
    phone = builtin_tools("phone_actions")
    path = written(tmp_path / "tools.json", dump_toolsets([weather_toolset, phone]))
    assert read_tools(path, "home") == weather_toolset
    with pytest.raises(InputError, match="say which toolset"):
        read_tools(path)
    with pytest.raises(InputError, match="has no toolset 'car'"):
        read_tools(path, "car")


def test_phone_actions_is_built_in_and_has_a_tool_without_parameters():
    toolset = read_tools("phone_actions")
    assert len(toolset.tools) >= 10
    assert not toolset["take_screenshot"].has_parameters


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("not json", "is not JSON"),
        ([], "has no tools"),
        ("[" * 100_000, "is not JSON"),
        ([{"name": "flat", "size": 3}], "'name', 'size'.* fit no format.* MCP, Anthropic"),
        ([function("a"), function("a")], "two tools are named"),
        ([function("a.b"), function("a.b")], "two tools are named 'a.b'"),
        ({"toolsets": [{"name": "../etc", "tools": [function()]}]}, "'../etc' is not allowed"),
        ([function(properties={"x": {"type": "strin"}})], "no valid JSON Schema"),
        ([function(properties={}, required=["x"])], "'x' is required"),
        ([function(properties={"x": {"$ref": "http://a/b"}})], "leaves the schema"),
        ([function(properties={"x": {"$ref": "#/$defs/no"}})], "leads nowhere"),
    ],
)
def test_bad_tools_are_refused_by_a_sentence_that_names_the_file(tmp_path, value, reason):
    path = written(tmp_path / "bad.json", value)
    with pytest.raises(InputError, match=reason) as caught:
        read_tools(path)
    assert "bad.json" in str(caught.value)


def test_missing_file_names_the_built_in_toolsets(tmp_path):
    with pytest.raises(InputError, match="phone_actions"):
        read_tools(tmp_path / "none.json")


def test_a_description_that_is_given_stands_for_the_files_own(tmp_path, weather_toolset):
    path = written(tmp_path / "tools.json", dump_toolsets([weather_toolset]))
    assert read_tools(path, description="All at home.").description == "All at home."
    assert read_tools("phone_actions", description="A phone.").description == "A phone."
    assert read_tools("phone_actions").description == builtin_tools("phone_actions").description


def test_half_of_a_surrogate_pair_is_no_text(tmp_path):
    path = written(tmp_path / "x.json", [function(properties={"a": {"enum": ["\ud800"]}})])
    with pytest.raises(InputError, match=r"x\.json: is not JSON"):
        read_tools(path)


def test_a_schema_that_nests_too_deeply_is_one_sentence(tmp_path):
    schema: dict = {"type": "object"}
    for _ in range(400):
        schema = {"type": "object", "properties": {"a": schema}}
    path = written(tmp_path / "deep.json", [function(properties={"a": schema})])
    with pytest.raises(InputError, match=r"deep\.json.* nests? too deeply"):
        read_tools(path)


def test_names_that_files_cannot_have_are_kept_beside_safe_ones(tmp_path):
    lists = [function("lamp/on"), function("respond"), function("Dim"), function("dim")]
    toolset = read_tools(written(tmp_path / "x.json", lists))
    assert [tool.original for tool in toolset.tools] == ["lamp/on", "respond", "Dim", "dim"]
    assert toolset["lamp/on"] is toolset["lamp_on"]
    again = written(tmp_path / "again.json", dump_toolsets([toolset]))
    assert read_tools(again) == toolset
    assert read_toolsets(again) == {toolset.name: toolset}


def test_a_servers_answer_is_a_tools_file(tmp_path):
    tool = {"name": "lamp.on", "inputSchema": {"type": "object"}}
    answer = {"jsonrpc": "2.0", "id": 2, "result": {"tools": [tool]}}
    assert read_tools(written(tmp_path / "x.json", answer)).public.names == ("lamp.on", "respond")
