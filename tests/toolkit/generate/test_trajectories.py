"""Records of several steps, made of single ones."""

import json

import pytest
from typer.testing import CliRunner

from edgetune.cli import app
from edgetune.data.check import check_records
from edgetune.data.records import as_source, parse_record
from edgetune.generate.trajectories import finish_records, join_records
from edgetune.generate.write import generate_records, generator_of
from edgetune.tools.reader import builtin_tools
from edgetune_runtime.calls import RESPOND, RESPOND_CALL, Call
from edgetune_runtime.prompt import Result, User

OSLO = as_source("Oslo weather!", Call("get_weather", {"city": "Oslo"}))
ALARM = as_source("Wake me at 7 a.m.", Call("set_alarm", {"time": "7 a.m."}))
TALK = as_source("Hello.", RESPOND_CALL)


def parsed(record):
    return parse_record(1, json.dumps(record))


def test_a_trajectory_is_two_calls_with_results_and_then_respond(weather_toolset):
    [made] = join_records([OSLO, ALARM], 1, "train", 0)
    record = parsed(made)
    assert sorted(call.tool for call in record.calls[:2]) == ["get_weather", "set_alarm"]
    assert record.calls[2].tool == RESPOND
    kinds = [type(turn) for turn in record.turns]
    assert kinds == [User, Call, Result, Call, Result, Call]
    for index in (2, 4):
        result = json.loads(record.turns[index].text)
        assert result.pop("status") == "ok"
        assert result in ({}, record.turns[index - 1].arguments)
    assert [len(step.turns) for step in record.steps(weather_toolset)] == [1, 3, 5]


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("split", ["train", "dev"])
def test_values_stay_letter_for_letter_in_the_joined_request(split, seed):
    [made] = join_records([OSLO, ALARM], 1, split, seed)
    text = made["messages"][0]["content"]
    assert "Oslo weather" in text  # begins with a value, so its capital stays
    assert "7 a.m." in text  # ends with one, so its full stop does
    assert "weather!" not in text


def test_calls_come_in_the_order_of_the_request():
    for seed in range(20):
        [made] = join_records([OSLO, ALARM], 1, "train", seed)
        text, first = made["messages"][0]["content"], parsed(made).calls[0].tool
        asked_first = (
            "get_weather" if text.index("Oslo") < text.lower().index("wake") else "set_alarm"
        )
        assert (first == asked_first) != ("before that" in text)


def test_talk_stays_and_too_few_calls_make_fewer_trajectories():
    made = join_records([TALK, TALK, OSLO, TALK], 2, "train", 0)
    assert len(made) == 2
    assert all(len(record["messages"]) == 2 for record in made)


def test_splits_join_in_ways_of_their_own():
    texts = {
        split: {
            join_records([OSLO, ALARM], 1, split, seed)[0]["messages"][0]["content"].casefold()
            for seed in range(60)
        }
        for split in ("train", "dev")
    }
    assert not texts["train"] & texts["dev"]


def test_generated_trajectories_are_valid_seeded_and_as_many_as_asked_for(tmp_path):
    counts = {"train": 40, "dev": 10}
    for name in ("one", "two"):
        generate_records("phone_actions", tmp_path / name, counts, 3, trajectories=0.3)
    report = check_records(tmp_path / "one" / "train.jsonl", builtin_tools("phone_actions"))
    assert len(report.kept) == 40
    assert sum(len(record.calls) == 3 for record in report.kept) == 12
    train = [(tmp_path / name / "train.jsonl").read_text() for name in ("one", "two")]
    assert train[0] == train[1]


def test_without_trajectories_the_records_are_what_they_were():
    phone = builtin_tools("phone_actions")
    assert generator_of(phone, 0.0)(5, 0, "train") == generator_of(phone)(5, 0, "train")


def test_a_teacher_writes_no_trajectories(tmp_path):
    told = ["--teacher", "http://localhost:1/v1", "--model", "m", "--trajectories", "0.2"]
    command = ["data", "generate", "--tools", "phone_actions", "-o", str(tmp_path / "out"), *told]
    result = CliRunner().invoke(app, command)
    assert "--teacher and --trajectories contradict" in str(result.exception or result.output)
    assert not (tmp_path / "out").exists()


def test_a_single_call_may_be_followed_by_its_result_and_the_end():
    done, talk = finish_records([OSLO, TALK], 1.0, "train", 0)
    assert [message["role"] for message in done["messages"]] == [
        "user",
        "assistant",
        "tool",
        "assistant",
    ]
    assert talk == TALK
    assert finish_records([OSLO, TALK], 0.0, "train", 0) == [OSLO, TALK]
    [joined] = finish_records(join_records([OSLO, ALARM], 1, "train", 0), 1.0, "train", 0)
    assert len(joined["messages"]) == 6  # it has ended already
