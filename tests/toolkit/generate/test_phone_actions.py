"""Made-up phone requests are valid, varied and repeatable; held-out ones are new in every way."""

import json
from collections import Counter, defaultdict

import pytest

from edgetune.data.check import check_records
from edgetune.generate.phone_actions import generate
from edgetune.generate.phone_values import phone_data
from edgetune.generate.write import generate_records
from edgetune.tools.reader import builtin_tools, read_tools
from edgetune_runtime.errors import InputError

TOOLSET = builtin_tools("phone_actions")
SPLITS = ("train", "dev", "test")


@pytest.fixture(scope="module")
def generated():
    counts = {"train": 3000, "dev": 400, "test": 800}
    return {split: generate(counts[split], 3, split) for split in SPLITS}


def pairs(records):
    """Request, tool and arguments of each record."""
    for record in records:
        request, answer = record["messages"]
        for call in answer.get("tool_calls") or [
            {"function": {"name": "respond", "arguments": {}}}
        ]:
            yield request["content"], call["function"]["name"], call["function"]["arguments"]


@pytest.mark.parametrize("split", SPLITS)
def test_every_record_passes_the_check(split, generated, tmp_path):
    path = tmp_path / "records.jsonl"
    path.write_text("\n".join(map(json.dumps, generated[split])))
    report = check_records(path, TOOLSET)
    assert (report.dropped, report.duplicates) == ([], [])
    assert all(report.per_tool.values())


@pytest.mark.parametrize("split", SPLITS)
def test_free_strings_are_words_of_the_request(split, generated):
    for request, tool, arguments in pairs(generated[split]):
        assert not set(request) & set("{}[]<>|"), request
        for name, value in arguments.items():
            if "enum" not in TOOLSET[tool].properties[name] and isinstance(value, str):
                assert value in request


def test_same_seed_same_records_other_seed_others():
    assert generate(50, 1) == generate(50, 1)
    assert generate(50, 1) != generate(50, 2)


def test_held_out_values_were_not_seen_in_training(generated):
    values = {split: defaultdict(set) for split in SPLITS}
    for split in SPLITS:
        for _, tool, arguments in pairs(generated[split]):
            for name, value in arguments.items():
                # The ends of a scale are said in words ("max volume"); the rest is a number.
                if "enum" not in TOOLSET[tool].properties[name] and value not in (0, 100):
                    values[split][tool, name].add(str(value).casefold())
    assert values["test"]
    for key, seen in values["train"].items():
        assert not seen & values["test"][key], key
        assert not seen & values["dev"][key], key


def test_held_out_phrasings_and_requests_were_not_seen_in_training(generated):
    for tool in (*TOOLSET.names, "wrappers"):
        phrases = {split: set(lines(split, tool)) for split in SPLITS}
        assert not phrases["train"] & (phrases["dev"] | phrases["test"]), tool
    train = {request.casefold() for request, _, _ in pairs(generated["train"])}
    test = {request.casefold() for request, _, _ in pairs(generated["test"])}
    assert not train & test


def lines(split, tool):
    phrases = phone_data(f"phone_phrases_{split}")[tool]
    return phrases if isinstance(phrases, list) else phrases["imperative"] + phrases["other"]


@pytest.mark.parametrize("tool", TOOLSET.names)
def test_every_tool_has_many_phrasings(tool):
    assert len(lines("train", tool)) >= 25
    assert len(lines("test", tool)) >= 8


def test_tools_are_balanced_and_some_requests_are_not_served(generated):
    counts = Counter(tool for _, tool, _ in pairs(generated["train"]))
    assert 0.08 < counts["respond"] / 3000 < 0.16
    assert min(counts[tool.name] for tool in TOOLSET.tools if tool.properties) > 120


def test_optional_arguments_are_missing_at_times_and_always_possible(generated):
    seen = defaultdict(set)
    for _, tool, arguments in pairs(generated["train"]):
        for name in TOOLSET[tool].properties if tool != "respond" else ():
            seen[tool, name].add(name in arguments)
    for tool in TOOLSET.tools:
        for name in tool.properties:
            required = name in tool.parameters["required"]
            assert seen[tool.name, name] == ({True} if required else {True, False}), name


def test_nearly_alike_requests_belong_to_different_tools(generated):
    tools = {
        request.casefold().rstrip(".?"): tool for request, tool, _ in pairs(generated["train"])
    }
    twins = [
        request
        for request, tool in tools.items()
        if request.startswith("remind me to call ")
        and tools.get(request.removeprefix("remind me to ")) == "make_call"
        and tool == "set_reminder"
    ]
    assert twins


def test_more_than_there_is_to_say_is_refused(monkeypatch):
    phrases = {"take_screenshot": {"imperative": [], "other": ["screenshot"]}}
    phrases |= {"respond": {"imperative": [], "other": ["hello"]}, "wrappers": []}
    phrases |= {"near_misses": [{"take_screenshot": "screenshot", "respond": "hello"}]}
    values = phone_data("phone_values")
    monkeypatch.setattr(
        "edgetune.generate.phone_actions.phone_data",
        lambda name: values if name == "phone_values" else phrases,
    )
    with pytest.raises(InputError, match="ask for fewer"):
        generate(50)


def test_written_folder_holds_tools_and_all_parts(tmp_path):
    report = generate_records("phone_actions", tmp_path, {"train": 20, "dev": 5, "test": 5}, seed=1)
    assert {path.name for path in tmp_path.iterdir()} == {
        *("tools.json", "train.jsonl", "dev.jsonl", "test.jsonl")
    }
    assert read_tools(tmp_path / "tools.json").tools == TOOLSET.tools
    assert len((tmp_path / "train.jsonl").read_text().splitlines()) == 20
    assert report.as_json()["records"]["train"] == 20
