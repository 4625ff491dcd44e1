"""What happened is on the disk as it happens, without secrets."""

import json

import pytest
from scripted import Notes, call

from edgetune.agents.policy import Policy
from edgetune.agents.transcript import Transcript
from edgetune_runtime.errors import InputError


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_every_event_is_a_line_before_the_next_thing_happens(tool_agent, tmp_path):
    path = tmp_path / "kept" / "t.jsonl"
    with Transcript(path, {}) as transcript:
        agent, _ = tool_agent(call("read", text="x"), transcript=transcript)
        events = agent.answer("read x")
        next(events)
        assert [line["role"] for line in lines(path)] == ["user", "assistant"]
        list(events)
    user, called, result, reply, ended = lines(path)
    assert len({line["conversation"] for line in lines(path)}) == 1
    assert called["tool_calls"][0]["function"] == {"name": "read", "arguments": {"text": "x"}}
    assert (called["grounded"], called["untrained"]) == (True, False)
    assert (result["content"], result["how"]) == ("ok", "ok")
    assert (reply["content"], ended["ended"]) == ("Done.", "replied")
    assert user["content"] == "read x"


def test_no_line_is_lost_where_a_call_is_interrupted(tool_agent, tmp_path):
    path = tmp_path / "t.jsonl"
    source = Notes()

    def interrupted(*_):
        raise KeyboardInterrupt

    source.call = interrupted
    with Transcript(path, {}) as transcript:
        agent, _ = tool_agent(call("read", text="x"), source=source, transcript=transcript)
        with pytest.raises(KeyboardInterrupt):
            list(agent.answer("read x"))
    assert [line["role"] for line in lines(path)] == ["user", "assistant"]


def test_a_secret_stands_in_no_line(tool_agent, tmp_path):
    path = tmp_path / "t.jsonl"
    secret = 'pass"word'
    with Transcript(path, {"TOKEN": secret}) as transcript:
        agent, _ = tool_agent(
            call("write", text=secret),
            source=Notes({"write": f"wrote {secret}"}),
            transcript=transcript,
            policy=Policy(approve="never"),
        )
        list(agent.answer(f"write {secret}"))
    assert "word" not in path.read_text()
    assert lines(path)[0]["content"] == "write [TOKEN]"


def test_it_is_appended_to_a_transcript_and_to_nothing_else(tmp_path):
    path = tmp_path / "t.jsonl"
    for _ in range(2):
        with Transcript(path, {}) as transcript:
            transcript.write({"role": "user", "content": "hi"})
    assert len({line["conversation"] for line in lines(path)}) == 2
    path.write_text("mine\n")
    with pytest.raises(InputError, match="holds something else"):
        Transcript(path, {})
    assert path.read_text() == "mine\n"
