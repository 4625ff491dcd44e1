"""What an agent did becomes records that `data check` keeps."""

import json

import pytest

from edgetune.data.records import read_records
from edgetune.data.transcripts import import_transcript
from edgetune_runtime.errors import InputError


def lines(*messages, conversation="a"):
    return "".join(json.dumps({"conversation": conversation, **each}) + "\n" for each in messages)


def called(tool, arguments, how):
    function = {"name": tool, "arguments": arguments}
    call = {"type": "function", "function": function}
    yield {"role": "assistant", "content": None, "tool_calls": [call], "probability": 0.9}
    if how is not None:
        yield {"role": "tool", "content": "x", "how": how, "ms": 1.0}


ASKED = {"role": "user", "content": "weather in Oslo?"}
DONE = ({"role": "assistant", "content": "Sunny."}, {"ended": "replied", "sentence": ""})


def test_a_conversation_is_a_record_and_what_failed_teaches_nothing(tmp_path, weather_toolset):
    path, output = tmp_path / "t.jsonl", tmp_path / "r.jsonl"
    good = called("get_weather", {"city": "Oslo"}, "ok")
    bad = called("cancel_alarms", {}, "refused")
    path.write_text(
        lines(ASKED, *bad, *good, *DONE)
        + lines(ASKED, *called("get_weather", {"city": "Oslo"}, None), conversation="b")
    )
    report = import_transcript(path, output)
    assert (report.records, report.calls, report.untaught, report.left_out) == (1, 2, 1, 1)
    (record,) = read_records(output, weather_toolset)
    assert [call.tool for call in record.taught_calls] == ["get_weather", "respond"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"messages": []}\n', "has no 'conversation'"),
        (lines(ASKED), "no answer that could be learnt"),
    ],
)
def test_what_is_no_transcript_is_refused(tmp_path, text, said):
    path = tmp_path / "t.jsonl"
    path.write_text(text)
    with pytest.raises(InputError, match=said):
        import_transcript(path, tmp_path / "r.jsonl")
    assert not (tmp_path / "r.jsonl").exists()
