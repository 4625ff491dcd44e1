"""How a tool is asked for: the words of requests for the usual tools of developers."""

import json
import re
from random import Random

import pytest

from edgetune.generate.asking import ask, askable
from edgetune.generate.tool_values import zones
from edgetune.invent.words import number_word
from edgetune.tools.schema import arguments_problem
from edgetune_runtime.calls import Tool

TEXT = {"type": "string"}
NUMBER = {"type": "number"}
ZONE = {"type": "string", "description": "IANA timezone name (e.g., 'Asia/Tokyo')."}


def made(name, description, properties, required=(), split="train", count=120, others=()):
    parameters = {"type": "object", "properties": properties, "required": list(required)}
    tool = Tool(name, description, parameters)
    asked, rng = askable(tool, split, [tool, *others]), Random(name)
    requests = [ask(rng, asked) for _ in range(count)]
    assert not any(arguments_problem(tool, each.arguments) for each in requests)
    return requests


def test_a_time_zone_is_mostly_said_by_its_city():
    requests = made("get_current_time", "Get current time in a timezone", {"timezone": ZONE},
                    ["timezone"])  # fmt: skip
    values = [each.arguments["timezone"] for each in requests]
    assert set(values) <= {*zones(), "UTC"}
    cities = [value.rpartition("/")[2].replace("_", " ").lower() for value in values]
    texts = [each.text.lower().replace("_", " ") for each in requests]
    assert all(city in text for city, text in zip(cities, texts, strict=True))
    by_name = [value for value, each in zip(values, requests, strict=True) if value in each.text]
    assert 0 < len(by_name) < len(values) / 2
    assert any(each.text.lower().startswith("what time is it") for each in requests)


def test_a_time_of_day_is_said_in_many_ways_and_written_in_one():
    clock = {"type": "string", "description": "Time in 24-hour format (HH:MM)"}
    requests = made("convert_time", "Convert time between timezones",
                    {"source_timezone": ZONE, "time": clock, "target_timezone": ZONE},
                    ["source_timezone", "time", "target_timezone"])  # fmt: skip
    times = [each.arguments["time"] for each in requests]
    assert all(len(time) == 5 and time[2] == ":" for time in times)
    literal = [time for time, each in zip(times, requests, strict=True) if time in each.text]
    assert 0 < len(literal) < len(times)
    assert any("past" in each.text or "pm" in each.text for each in requests)
    assert any("what time is it in" in each.text.lower() for each in requests)


def test_the_head_of_a_file_is_a_number_of_lines():
    requests = made("read_file", "Read a file.", {"path": TEXT, "head": NUMBER, "tail": NUMBER},
                    ["path"], count=300)  # fmt: skip
    heads = [each for each in requests if "head" in each.arguments]
    assert heads
    assert all(isinstance(each.arguments["head"], int) for each in heads)
    assert sum("line" in each.text for each in heads) > 0.9 * len(heads)
    assert not any({"head", "tail"} <= each.arguments.keys() for each in requests)


@pytest.mark.parametrize(
    ("name", "description", "required", "told"),
    [
        ("read_file", "Read a file.", ["path"], "read {path}"),
        ("move_file", "Move a file.", ["source", "destination"], "move {source} to {destination}"),
        ("list_directory", "List a directory.", ["path"], "what is in {path}"),
        ("delete_branch", "Delete a branch.", ["branch"], "delete {branch}"),
        ("echo", "Echoes back the input string", ["message"], "echo {message}"),
        ("search_files", "Search for files.", ["path", "pattern"], "matching {pattern}"),
        ("git_commit", "Records changes to the repository", ["message"], "saying {message}"),
        ("fetch", "Fetches a URL.", ["url"], "{url}"),
    ],
)
def test_requests_are_worded_by_the_tools_verb_and_its_object(name, description, required, told):
    requests = made(name, description, dict.fromkeys(required, TEXT), required, count=200)
    assert any(told.format(**each.arguments) in each.text.lower() for each in requests)


def test_a_prefix_of_all_tools_is_no_verb_and_a_description_may_give_one():
    tools = [Tool(f"git_{name}") for name in ("log", "status", "show")]
    requests = made("git_log", "Shows the commit logs", {"repo_path": TEXT}, ["repo_path"],
                    others=tools)  # fmt: skip
    texts = [each.text.lower() for each in requests]
    assert any("commit logs" in text for text in texts)
    assert not any(text.startswith("git ") for text in texts)


def test_listed_examples_are_mostly_said():
    described = {"type": "string", "description": "Kind of tree (e.g., oak, red elm, ash)"}
    requests = made("plant_tree", "Plant a tree.", {"tree_kind": described}, ["tree_kind"])
    said = [each.arguments["tree_kind"] for each in requests]
    assert 0.7 < sum(value in ("oak", "red elm", "ash") for value in said) / len(said) < 1


def test_a_listed_choice_is_kept_to():
    described = {"type": "string", "description": "Either 'asc' or 'desc'"}
    requests = made("sort_rows", "Sort the rows.", {"direction": described}, ["direction"])
    assert {each.arguments["direction"] for each in requests} == {"asc", "desc"}


def test_units_are_said_and_what_is_counted_is_whole():
    properties = {
        "duration": {"type": "number", "description": "Duration in seconds"},
        "steps": {"type": "number", "description": "Number of steps"},
    }
    requests = made("run_job", "Run a job.", properties, ["duration", "steps"])
    said = ["second" in each.text and "step" in each.text for each in requests]
    assert sum(said) > 0.9 * len(said)
    assert all(isinstance(each.arguments["steps"], int) for each in requests)


def test_units_are_written_short_at_times():
    properties = {"weight": {"type": "number", "description": "Weight in kilograms"}}
    requests = made("weigh_parcel", "Weigh a parcel.", properties, ["weight"])
    short = [re.search(r"(\S+?) ?kg\b", each.text) for each in requests]
    assert 0 < sum(found is not None for found in short) < len(requests)
    for found, each in zip(short, requests, strict=True):
        weight = each.arguments["weight"]
        spelt = number_word(weight) if weight in range(1, 21) else ""
        assert found is None or found[1] in (str(weight), spelt)


def test_sums_of_money_are_large_and_said_as_people_write_them():
    properties = {"annual_income": {"type": "integer"}}
    requests = made("plan_taxes", "Plan the taxes.", properties, ["annual_income"], count=300)
    assert max(each.arguments["annual_income"] for each in requests) > 10**6
    for each in requests:
        said = re.search(r"\$?([\d,.]+\d|\d)( million)?", each.text)
        value = float(said[1].replace(",", "")) * (10**6 if said[2] else 1)
        assert value == each.arguments["annual_income"], each
    for mark in ("$", ",", "million", "dollars"):
        assert 0.02 < sum(mark in each.text for each in requests) / len(requests) < 0.9, mark


def test_a_text_is_quoted_at_times_and_the_quotes_are_no_part_of_it():
    requests = made("find_show", "Find a show.", {"title": TEXT}, ["title"], count=300)
    quoted = [each for each in requests if re.search(r"[\"'] ?[.!?]?$", each.text)]
    assert 0.03 < len(quoted) / len(requests) < 0.3
    for each in quoted:
        title = each.arguments["title"]
        assert title[0] not in "\"'"
        assert f'"{title}"' in each.text or f"'{title}'" in each.text


def test_nested_objects_are_said_as_phrases():
    one = {"from": TEXT, "to": TEXT, "relationType": TEXT}
    relation = {"type": "object", "properties": one, "required": list(one)}
    requests = made("create_relations", "Create new relations between entities",
                    {"relations": {"type": "array", "items": relation}}, ["relations"])  # fmt: skip
    assert any(each.text.lower().startswith("relate ") for each in requests)
    for each in requests:
        for found in each.arguments["relations"]:
            ends = f"{found['from']} to {found['to']}".lower()
            assert ends in each.text.lower()


def test_values_are_seldom_put_into_forms():
    requests = made("create_issue", "Create an issue.", {"title": TEXT, "body": TEXT},
                    ["title", "body"], count=400)  # fmt: skip
    formal = ("title:", "title=", "body:", "body=", " as title", " as body")
    assert sum(any(form in each.text for form in formal) for each in requests) < 0.05 * 400


def test_few_optional_parameters_are_said():
    words = ("city", "date", "language", "color", "country", "genre")
    requests = made("find_show", "Find a show.", {"id": TEXT, **dict.fromkeys(words, TEXT)},
                    ["id"], count=300)  # fmt: skip
    extra = [len(each.arguments) - 1 for each in requests]
    assert sum(count > 2 for count in extra) < 0.1 * len(extra)
    assert 0 in extra


def test_held_out_splits_have_turns_of_phrase_of_their_own():
    def words(split):
        found = made("list_directory", "List a directory.", {"path": TEXT}, ["path"], split)
        return {json.dumps(each.text.replace(each.arguments["path"], "x")) for each in found}

    assert not words("train") & words("dev")


def test_what_stands_before_the_object_is_said_in_questions_too():
    weather = {"city": TEXT, "condition": TEXT}
    requests = made("get_weather", "Get the weather.", weather, list(weather), count=300)
    assert any(each.text.lower().startswith(("how is", "how's")) for each in requests)
    for each in requests:
        assert each.arguments["condition"].lower() in each.text.lower()


def test_what_starts_ends_later():
    day = {"type": "string", "format": "date"}
    requests = made("list_sales", "List the sales.", {"start_date": day, "end_date": day},
                    ["start_date", "end_date"])  # fmt: skip
    assert all(each.arguments["start_date"] <= each.arguments["end_date"] for each in requests)
