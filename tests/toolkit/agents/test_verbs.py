"""`run` and `chat` on a bundle of random weights and a real server: what is said means nothing, but
all of it is executed, asked for, kept and told."""

import json

import pytest

pytest.importorskip("mcp")

from typer.testing import CliRunner

import edgetune
from edgetune.agents.loop import Limits
from edgetune.cli import app
from edgetune.skill.make import make_skill
from edgetune_export.bundle import write_bundle
from edgetune_export.run import open_run
from edgetune_runtime.errors import InputError
from edgetune_runtime.options import Options
from edgetune_runtime.prompt import User


@pytest.fixture
def home(raw_server, tmp_path, weather_toolset):
    """A client's file with a server that offers the bundle's tools."""
    listed = [
        {"name": tool.name, "description": tool.description, "inputSchema": tool.parameters}
        for tool in weather_toolset.tools
    ]
    (tmp_path / "listed.json").write_text(json.dumps(listed))
    command, *args = raw_server("--tools", tmp_path / "listed.json")
    entry = {"command": command, "args": args}
    (tmp_path / "mcp.json").write_text(json.dumps({"mcpServers": {"home": entry}}))
    return str(tmp_path / "mcp.json")


def invoke(*arguments, **options):
    return CliRunner().invoke(app, [*map(str, arguments)], catch_exceptions=False, **options)


@pytest.mark.parametrize("approve", ["never", "all"])
def test_run_executes_what_it_may(tiny_bundle, home, tmp_path, approve):
    transcript = tmp_path / "t.jsonl"
    done = invoke(
        "run", tiny_bundle, "weather in Oslo?", "--mcp", home, "--approve", approve,
        "--transcript", transcript, "--max-steps", 2, "--max-tokens", 24, "--threads", 1,
        "--json", "-",
    )  # fmt: skip
    result = json.loads(done.stdout)
    assert done.exit_code == (0 if result["ended"] == "replied" else 1)
    for step in result["steps"]:
        assert step["toolset"] == "home"
        assert step["untrained"] is False
        assert (step["how"] == "refused") == (approve == "all")
    lines = [json.loads(line) for line in transcript.read_text().splitlines()]
    assert lines[0]["content"] == "weather in Oslo?"
    assert sum("tool_calls" in line for line in lines) == len(result["steps"])
    assert lines[-1]["ended"] == result["ended"]


def test_chat_goes_on_line_by_line(tiny_bundle, home, tmp_path):
    transcript = tmp_path / "t.jsonl"
    done = invoke(
        "chat", tiny_bundle, "--mcp", home, "--approve", "never", "--transcript", transcript,
        "--max-steps", 1, "--max-tokens", 24, "--threads", 1,
        input="weather in Oslo?\n\n/new\nwake me\n",
    )  # fmt: skip
    assert done.exit_code == 0
    lines = [json.loads(line) for line in transcript.read_text().splitlines()]
    said = [line["content"] for line in lines if line.get("role") == "user"]
    assert said == ["weather in Oslo?", "wake me"]


def test_what_needs_a_server_says_so(tiny_bundle, tmp_path):
    with pytest.raises(InputError, match="without --mcp nothing is executed"):
        invoke("run", tiny_bundle, "hi", "--approve", "all")
    with pytest.raises(InputError, match=r"--approve sometimes: unknown"):
        invoke("run", tiny_bundle, "hi", "--approve", "sometimes")


def test_one_toolset_and_servers_contradict_each_other(tiny_bundle, home):
    with pytest.raises(InputError, match="--toolset home: found --mcp, too"):
        invoke("run", tiny_bundle, "hi", "--toolset", "home", "--mcp", home)


def test_diff_tells_what_is_to_be_trained(tiny_bundle, home, tmp_path):
    same = invoke("tools", "diff", tiny_bundle, "--mcp", home)
    assert (same.exit_code, same.stdout) == (0, "home: the same tools\n")
    listed = json.loads((tmp_path / "listed.json").read_text())
    (tmp_path / "listed.json").write_text(json.dumps(listed[1:]))
    other = invoke("tools", "diff", tiny_bundle, "--mcp", home, "--json", "-")
    (found,) = json.loads(other.stdout)["toolsets"]
    assert other.exit_code == 1
    assert found["removed"] == ["get_weather"]
    assert found["train"] == ["home.selector", "home.monolithic"]


def test_functions_that_nobody_trained_stand_beside_trained_tools(tiny_bundle, home):
    """The bare base then picks the toolset, and answers for those that are untrained."""
    rung = []

    @edgetune.tool
    def ring(times: int) -> str:
        """Ring the bell."""
        rung.append(times)
        return "rang"

    loaded = edgetune.load(tiny_bundle, threads=1)
    with loaded.agent(
        [ring], mcp=[home], approve="never", limits=Limits(steps=2, result_tokens=32)
    ) as agent:
        served = agent.tools.served
        assert set(served.sources) == {"home", "functions"}
        assert served.untrained == {"functions"}
        assert served.assets.router.adapter is None
        options = Options(max_tokens=24, max_reply_tokens=4)
        answered = agent.run("ring 3 times", options=options)
        for proposed, observed in answered.calls:
            assert proposed.untrained == (proposed.step.toolset == "functions")
            assert observed.how == "ok"
        untrained = agent.tools.agent.step([User("ring 3 times")], "functions", options)
        assert untrained.tool in ("ring", "respond")
    assert len(rung) == sum(each.step.tool == "ring" for each, _ in answered.calls)


def test_what_nobody_trained_is_the_skills_where_there_is_one(tiny_checkpoint, tmp_path):
    made = make_skill(str(tiny_checkpoint("qwen2")), tmp_path / "skill", 12, 0)
    write_bundle(open_run(made.output), tmp_path / "bundle", ["onnx"])

    @edgetune.tool
    def ring(times: int) -> str:
        """Ring the bell."""
        return "rang"

    with edgetune.load(tmp_path / "bundle", threads=1).agent([ring]) as agent:
        inner, turns = agent.tools.agent, [User("ring 3 times")]
        step = inner.step(turns, "functions", Options(exact=True, max_tokens=8))
        by = {
            system: inner.select(turns, "functions", Options(system=system, exact=True))
            for system in ("skill", "base")
        }
    assert step.probabilities == pytest.approx(by["skill"].probabilities)
    assert step.probabilities != pytest.approx(by["base"].probabilities)
