"""Records of several toolsets: each step finds its own, or is refused by line."""

import json

import pytest

from edgetune.data.records import as_source
from edgetune.data.routed import read_routed
from edgetune.generate.foreign import without_subjects_of
from edgetune_runtime.calls import RESPOND, RESPOND_CALL, Call, Tool, Toolset
from edgetune_runtime.errors import InputError

MUSIC = Toolset("music", "Songs.", (Tool("play_song", "Play a song."), Tool("cancel_alarms")))


@pytest.fixture
def toolsets(weather_toolset):
    return {"home": weather_toolset, "music": MUSIC}


def written(path, *records):
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def test_a_call_tells_its_toolset(tmp_path, toolsets):
    path = written(
        tmp_path / "d.jsonl",
        as_source("rain?", Call("get_weather", {"city": "Oslo"})),
        as_source("sing", Call("play_song")),
        as_source("hello", RESPOND_CALL),
    )
    found = [step for record in read_routed(path, toolsets) for step in record]
    assert [step.toolset for step in found] == ["home", "music", None]
    assert [step.example.call.tool for step in found] == ["get_weather", "play_song", RESPOND]


def test_a_conversation_may_go_from_one_toolset_to_another(tmp_path, toolsets):
    first = as_source("rain? and sing", Call("get_weather", {"city": "Oslo"}))["messages"]
    second = as_source("", Call("play_song"))["messages"][1]
    messages = [*first, {"role": "tool", "content": "dry"}, second]
    (record,) = read_routed(written(tmp_path / "d.jsonl", {"messages": messages}), toolsets)
    assert [step.toolset for step in record] == ["home", "music"]
    assert len(record[1].example.turns) == 3


def test_a_name_of_two_toolsets_needs_the_records_word(tmp_path, toolsets):
    record = as_source("stop", Call("cancel_alarms"))
    with pytest.raises(InputError, match=r"d\.jsonl:1: 'cancel_alarms' is a tool of home and of m"):
        read_routed(written(tmp_path / "d.jsonl", record), toolsets)
    path = written(tmp_path / "d.jsonl", {**record, "toolset": "music"})
    assert read_routed(path, toolsets)[0][0].toolset == "music"


@pytest.mark.parametrize(
    ("record", "what"),
    [
        ({**as_source("sing", Call("play_song")), "toolset": "car"}, "'toolset' is 'car'"),
        (
            {**as_source("sing", Call("play_song")), "toolset": ["home"]},
            "'toolset' is \\['home'\\]",
        ),
        ({**as_source("sing", Call("play_song")), "toolset": "home"}, "no tool of 'home'"),
        (as_source("fly", Call("fly")), r"no tool of 'home \+ music'"),
        (as_source("rain?", Call("get_weather", {"days": 3})), "'city' is missing"),
    ],
)
def test_a_record_that_fits_no_toolset_is_named_by_line(tmp_path, toolsets, record, what):
    with pytest.raises(InputError, match=r"d\.jsonl:1: .*" + what):
        read_routed(written(tmp_path / "d.jsonl", record), toolsets)


def test_what_another_toolset_can_serve_is_not_taught_to_be_served_by_none(weather_toolset):
    records = [
        as_source("play the song Hello", RESPOND_CALL),
        as_source("book two flights", RESPOND_CALL),
        as_source("a song about the weather", Call("get_weather", {"city": "Oslo"})),
    ]
    assert without_subjects_of([MUSIC], records) == records[1:]
    assert without_subjects_of([], records) == records
