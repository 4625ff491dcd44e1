"""From a server's tools, or a file, to a verified bundle in one command."""

import json

import pytest
from typer.testing import CliRunner

from edgetune import teach
from edgetune.cli import app
from edgetune_runtime.bundle import open_bundle
from edgetune_runtime.errors import InputError
from edgetune_runtime.toolsets import dump_toolset


@pytest.fixture
def quick(monkeypatch):
    for name, value in (("LEAST", 12), ("DEV", 2), ("TEST", 6)):
        monkeypatch.setattr(teach, name, value)


@pytest.fixture
def tools(tmp_path, weather_toolset):
    path = tmp_path / "home.json"
    path.write_text(json.dumps(dump_toolset(weather_toolset)["tools"]))
    return path


def invoke(*arguments):
    return CliRunner().invoke(app, ["teach", *map(str, arguments)], catch_exceptions=False)


def test_a_server_becomes_a_bundle_and_the_same_command_goes_on(
    quick, raw_server, tiny_checkpoint, tmp_path, weather_toolset
):
    pytest.importorskip("mcp")
    listed = [
        {"name": tool.name, "description": tool.description, "inputSchema": tool.parameters}
        for tool in weather_toolset.tools
    ]
    (tmp_path / "listed.json").write_text(json.dumps(listed))
    command, *args = raw_server("--tools", tmp_path / "listed.json")
    entry = {"mcpServers": {"home": {"command": command, "args": args}}}
    (tmp_path / "mcp.json").write_text(json.dumps(entry))
    asked = (
        *("-o", tmp_path / "bundle", "--mcp", tmp_path / "mcp.json", "--per-tool", 4),
        *("--base", tiny_checkpoint("qwen2"), "--work", tmp_path / "work", "--json", "-"),
    )
    done = invoke(*asked)
    found = json.loads(done.stdout)
    assert done.exit_code == 0
    assert found["verify"] is True
    assert found["toolsets"]["home"]["n"] >= 6  # steps
    roles = {adapter.role for adapter in open_bundle(tmp_path / "bundle").manifest.adapters}
    assert roles == {"selector", "arguments"}
    run = (tmp_path / "work" / "run" / "run.json").read_bytes()
    assert json.loads(invoke(*asked).stdout)["toolsets"] == found["toolsets"]
    assert (tmp_path / "work" / "run" / "run.json").read_bytes() == run


def test_a_file_of_several_toolsets_gets_a_router(quick, tiny_checkpoint, tmp_path, tools):
    entry = {"tools": json.loads(tools.read_text())}
    both = {"toolsets": [{"name": "home", **entry}, {"name": "away", **entry}]}
    tools.write_text(json.dumps(both))
    asked = ("-o", tmp_path / "bundle", "--tools", tools, "--work", tmp_path / "work")
    done = invoke(*asked, "--per-tool", 4, "--base", tiny_checkpoint("qwen2"), "--json", "-")
    assert set(json.loads(done.stdout)["toolsets"]) == {"home", "away"}
    assert open_bundle(tmp_path / "bundle").manifest.router == "router"


def test_other_tools_never_take_the_place_of_those_that_were_taught(tools, tmp_path):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "tools.json").write_text("{}")
    with pytest.raises(InputError, match="holds other tools than those now"):
        invoke("-o", tmp_path / "bundle", "--tools", tools, "--work", tmp_path / "work")
    assert (tmp_path / "work" / "tools.json").read_text() == "{}"


@pytest.mark.parametrize("given", [(), ("--mcp", "x", "--tools", "y")])
def test_either_servers_or_a_file(given, tmp_path):
    with pytest.raises(InputError, match="give --mcp or --tools, one of both"):
        invoke("-o", tmp_path / "bundle", *given)


def test_what_is_wrong_is_told_before_anything_is_taught(tools, tmp_path, tiny_checkpoint):
    asked = ("-o", tmp_path / "bundle", "--tools", tools, "--work", tmp_path / "work")
    with pytest.raises(InputError, match="--target"):
        invoke(*asked, "--target", "abacus")
    assert not (tmp_path / "work").exists()
    with pytest.raises(InputError, match="no such base"):
        invoke(*asked, "--base", "no such base")
    with pytest.raises(InputError, match=r"recipe.yaml: was written with --base no such base, now"):
        invoke(*asked, "--base", tiny_checkpoint("qwen2"))
    with pytest.raises(InputError, match=r"recipe.yaml: generates \d+ requests, --per-tool 5000"):
        invoke(*asked, "--base", "no such base", "--per-tool", 5000)


@pytest.mark.parametrize(
    ("base", "skill", "start"),
    [
        ("smollm2-135m", None, "smollm2-135m"),
        ("nano", None, None),
        ("nano", "skills/mine", "skills/mine"),
    ],
)
def test_adapters_start_from_the_tool_skill_where_there_is_one(
    tools, tmp_path, monkeypatch, base, skill, start
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "skills" / "mine").mkdir(parents=True)
    tools.rename(tmp_path / "tools.json")
    config = teach._recipe(tmp_path, base, skill, None)
    assert config.train.start == (start and start.replace("skills", f"{tmp_path}/skills"))
    assert config.skill == (skill and f"{tmp_path}/skills/mine")
