"""Whatever a real server does, the answer goes on or ends in a sentence, and every line of the
transcript is there."""

import json
import time
from dataclasses import replace

import pytest

pytest.importorskip("mcp")

from scripted import Scripted

from edgetune.agents.loop import Limits, Observed, ToolAgent
from edgetune.agents.mcp_source import McpSource
from edgetune.agents.policy import Policy
from edgetune.agents.served import Served
from edgetune.agents.transcript import Transcript
from edgetune.tools.connection import connect
from edgetune.tools.servers import Server
from edgetune_runtime.agent import Step
from edgetune_runtime.assets import ToolsetAssets


@pytest.fixture
def answered(raw_server, marked, tmp_path):
    """A factory: what happens when a model calls these tools of the raw server in turn."""

    def make(*calls, seconds=20.0):
        server = Server(raw_server(), env={"API_KEY": "t0psecret"}, name="raw")
        limits = Limits(call_seconds=seconds)
        with (
            connect(server) as connection,
            Transcript(tmp_path / "t.jsonl", server.secrets) as transcript,
        ):
            source = McpSource(connection)
            assets = ToolsetAssets(source.toolset, None, None, {})
            served = Served(replace(marked, toolsets={"raw": assets}), {"raw": source}, frozenset())
            steps = [
                Step("raw", tool, given, 0.9, {}, {}, text=json.dumps(given))
                for tool, given in calls
            ]
            agent = ToolAgent(
                Scripted(*steps),
                served,
                policy=Policy(approve="never"),
                limits=limits,
                transcript=transcript,
            )
            events = list(agent.answer("go"))
        lines = [json.loads(line) for line in (tmp_path / "t.jsonl").read_text().splitlines()]
        observed = [event for event in events if isinstance(event, Observed)]
        assert [line["content"] for line in lines if line.get("role") == "tool"] == [
            each.text for each in observed
        ]
        assert lines[-1]["ended"] == events[-1].because
        return observed, events[-1]

    return make


ECHO = ("echo", {"text": "still here"})


@pytest.mark.parametrize(
    ("tool", "how", "text"),
    [
        ("fail", "error", "it did not work"),
        ("refuse", "error", "not today"),
        ("nonsense", "error", "the server's answer"),
        ("garbage", "timeout", "Error: no answer within"),
        ("big", "ok", "0123456789 a line"),
    ],
)
def test_the_agent_goes_on(answered, tool, how, text):
    observed, ended = answered((tool, {}), ECHO, seconds=60.0 if tool == "big" else 1.0)
    assert observed[0].how == how
    assert observed[0].text.startswith(text)
    assert len(observed[0].text) < 20_000
    assert observed[1].text == "still here"
    assert ended.because == "replied"


def test_a_server_that_hangs_costs_its_calls_their_time(answered):
    begin = time.monotonic()
    observed, ended = answered(("hang", {}), ECHO, seconds=0.5)
    assert [each.how for each in observed] == ["timeout", "timeout"]
    assert ended.because == "replied"
    assert time.monotonic() - begin < 60


def test_a_server_that_ends_in_mid_call_ends_the_answer_with_a_sentence(answered):
    observed, ended = answered(("die", {}), ECHO)
    assert observed[0].text == "Error: the server 'raw' has ended."
    assert (ended.because, ended.sentence) == ("gone", "stopped: the server 'raw' has ended.")


def test_a_secret_that_a_server_tells_is_read_by_nobody(answered, tmp_path):
    observed, _ = answered(("environment", {}))
    assert "[API_KEY]" in observed[0].text or "cut" in observed[0].text
    assert "t0psecret" not in (tmp_path / "t.jsonl").read_text()


def test_a_hint_counts_unless_another_or_the_name_contradicts_it(raw_server, tmp_path):
    schema = {"type": "object", "properties": {}}
    listed = [
        {"name": name, "inputSchema": schema, "annotations": hints}
        for name, hints in (
            ("read_it", {"readOnlyHint": True}),
            ("readIt", {"readOnlyHint": True, "destructiveHint": True}),
            ("deleteIt", {"readOnlyHint": True}),
            ("git-commit", {"readOnlyHint": True}),
            ("look", {}),
        )
    ]
    (tmp_path / "tools.json").write_text(json.dumps(listed))
    with connect(Server(raw_server("--tools", tmp_path / "tools.json"))) as connection:
        source = McpSource(connection)
        believed = [each["name"] for each in listed if source.read_only(each["name"])]
    assert believed == ["read_it"]
