"""Splits are repeatable, give each tool its share and never spread one request over two parts."""

from collections import Counter

import pytest

from edgetune.data.records import Record
from edgetune.data.split import split_records, write_split
from edgetune.tools.reader import read_tools
from edgetune_runtime.calls import Call, Tool, Toolset
from edgetune_runtime.errors import InputError
from edgetune_runtime.prompt import User


def records(**counts):
    pairs = [(tool, n) for tool, count in counts.items() for n in range(count)]
    return [
        Record(line, (User(f"{tool} number {n}"), Call(tool)), {"line": line})
        for line, (tool, n) in enumerate(pairs, 1)
    ]


def test_each_tool_is_split_80_10_10():
    parts = split_records(records(alarm=100, timer=50, respond=20))
    sizes = {name: Counter(r.calls[0].tool for r in part) for name, part in parts.items()}
    assert sizes["train"] == {"alarm": 80, "timer": 40, "respond": 16}
    assert sizes["dev"] == sizes["test"] == {"alarm": 10, "timer": 5, "respond": 2}


def test_every_record_is_in_exactly_one_part_in_its_order():
    whole = records(alarm=33, timer=7)
    parts = split_records(whole)
    assert sorted(r.line for part in parts.values() for r in part) == [r.line for r in whole]
    assert all([r.line for r in part] == sorted(r.line for r in part) for part in parts.values())


def test_same_seed_same_split_other_seed_another():
    whole = records(alarm=50)
    assert split_records(whole, seed=1) == split_records(whole, seed=1)
    assert split_records(whole, seed=1) != split_records(whole, seed=2)


def test_identical_requests_stay_together():
    whole = [
        Record(line, (User(text), Call("alarm")), {})
        for line, text in enumerate(["Wake me!", "wake me", "WAKE  me."] * 5, 1)
    ] + records(alarm=50)
    parts = split_records(whole)
    homes = [n for n, part in parts.items() for r in part if "wake" in r.turns[0].text.casefold()]
    assert len(set(homes)) == 1


def test_rare_tools_go_to_training_first():
    parts = split_records(records(alarm=40, rare=1))
    assert "rare" in {record.calls[0].tool for record in parts["train"]}


@pytest.mark.parametrize("fractions", [{}, {"train": 0.8}, {"train": 1.2, "dev": -0.2}])
def test_fractions_that_make_no_sense_are_refused(fractions):
    with pytest.raises(InputError, match="fractions"):
        split_records(records(alarm=5), fractions=fractions)


def test_parts_are_written_by_name(tmp_path):
    toolset = Toolset("home", "", (Tool("alarm", "Wake."),))
    parts = split_records(records(alarm=10), fractions={"a": 0.5, "b": 0.5})
    write_split(parts, toolset, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"a.jsonl", "b.jsonl", "tools.json"}
    assert read_tools(tmp_path / "tools.json") == toolset
    assert len((tmp_path / "a.jsonl").read_text().splitlines()) == 5
