"""`tools.json` is read as it was written, and refused by field where it is not as it must be."""

import json

import pytest

from edgetune_runtime.errors import InputError
from edgetune_runtime.toolsets import dump_toolsets, read_toolsets, toolset_sha256


def test_toolsets_survive_writing_and_reading(weather_toolset, tmp_path):
    (tmp_path / "tools.json").write_text(json.dumps(dump_toolsets([weather_toolset])))
    assert read_toolsets(tmp_path / "tools.json") == {"home": weather_toolset}


def test_the_hash_sees_the_order_of_properties(weather_toolset):
    import dataclasses

    tool = weather_toolset.tools[0]
    turned = dict(reversed(tool.parameters["properties"].items()))
    other = dataclasses.replace(tool, parameters={**tool.parameters, "properties": turned})
    changed = dataclasses.replace(weather_toolset, tools=(other, *weather_toolset.tools[1:]))
    assert toolset_sha256(changed) != toolset_sha256(weather_toolset)


def function(**fields):
    return {"type": "function", "function": {"name": "f", "description": "", **fields}}


@pytest.mark.parametrize(
    ("tools", "named"),
    [
        ([function(name="respond")], "reserved"),
        ([function(), function()], "two tools are named 'f'"),
        ([{"name": "f"}], r"tools\[0\]: expected"),
        ([function(name="")], r"tools\[0\]\.function\.name"),
        ([function(parameters={"type": "array"})], r"function\.parameters"),
        ([function(parameters={"properties": []})], r"parameters\.properties"),
    ],
)
def test_a_wrong_tool_is_refused_by_its_place(tmp_path, tools, named):
    toolset = {"name": "home", "description": "", "tools": tools}
    (tmp_path / "tools.json").write_text(json.dumps({"toolsets": [toolset]}))
    with pytest.raises(InputError, match=named):
        read_toolsets(tmp_path / "tools.json")


@pytest.mark.parametrize(
    "content", ["", "[]", "[" * 100_000, "{}", '{"toolsets": []}', '{"toolsets": [1]}']
)
def test_a_file_of_another_shape_is_refused_by_name(tmp_path, content):
    (tmp_path / "tools.json").write_text(content)
    with pytest.raises(InputError, match=r"tools\.json"):
        read_toolsets(tmp_path / "tools.json")
    with pytest.raises(InputError, match=r"absent\.json"):
        read_toolsets(tmp_path / "absent.json")
