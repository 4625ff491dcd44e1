"""Requests that no tool serves: how many are missing, and that no tool serves them."""

import itertools

import pytest

from edgetune.data.records import Example
from edgetune.generate import negatives
from edgetune.generate.negatives import missing_negatives, request_key, unserved_records
from edgetune.tools.reader import builtin_tools
from edgetune_runtime.calls import RESPOND_CALL, Call, Tool, Toolset
from edgetune_runtime.errors import InputError
from edgetune_runtime.prompt import Called, Result, User

TABLES = Toolset(
    "tables", "", (Tool("book_restaurant", "Book a table.", {"properties": {"city": {}}}),)
)
OSLO = Example((User("a table in Oslo"),), Call("book_restaurant", {"city": "Oslo"}))
TALK = Example((User("hello"),), RESPOND_CALL)
DONE = Example((User("a table"), Called("book_restaurant", "{}"), Result("ok")), RESPOND_CALL)


def texts(records):
    return [record["messages"][0]["content"] for record in records]


@pytest.mark.parametrize(
    ("share", "examples", "expected"),
    [
        (0.5, [OSLO] * 4, 4),
        (0.5, [OSLO] * 4 + [TALK] * 2, 2),
        (0.25, [OSLO] * 4 + [DONE] * 2, 2),  # an answer when all is done is no such request
    ],
)
def test_as_many_are_missing_as_make_the_share_of_the_whole(share, examples, expected):
    assert missing_negatives(share, examples) == expected


def test_a_share_that_the_records_have_already_is_refused():
    with pytest.raises(InputError, match=r"is 0\.2, but 0\.5 of the training examples"):
        missing_negatives(0.2, [OSLO, TALK])


def test_requests_are_different_seeded_and_answered_by_respond():
    phone = builtin_tools("phone_actions")
    records = unserved_records(phone, 60, 0)
    assert len({request_key(text) for text in texts(records)}) == 60
    assert not any("tool_calls" in record["messages"][1] for record in records)
    assert records == unserved_records(phone, 60, 0)
    assert texts(records) != texts(unserved_records(phone, 60, 1))


def test_a_request_of_the_records_is_never_among_them():
    first = texts(unserved_records(TABLES, 30, 0))
    shouted = [text.upper() + "!" for text in first[:10]]
    again = {request_key(text) for text in texts(unserved_records(TABLES, 30, 0, shouted))}
    assert not again & {request_key(text) for text in first[:10]}


def test_some_do_something_else_to_what_a_tool_is_about_but_none_what_it_does():
    asked = [text.casefold() for text in texts(unserved_records(TABLES, 400, 0))]
    about = [text for text in asked if "restaurant" in text]
    assert len(about) > 15
    assert not any(word in text for text in about for word in ("book a", "reserve", "find a"))


def test_what_another_tool_does_to_it_is_left_out():
    both = Toolset("both", "", (*TABLES.tools, Tool("cancel_table", "Cancel a table.", {})))
    asked = [text.casefold() for text in texts(unserved_records(both, 400, 0))]
    assert not any("restaurant" in text and "delete" in text for text in asked)


def test_too_many_are_refused(monkeypatch):
    monkeypatch.setattr(negatives, "FRUITLESS", 2)
    for kind in ("_talk", "_foreign", "_almost"):
        monkeypatch.setattr(negatives, kind, lambda tools, rng: "hello")
    with pytest.raises(InputError, match=r"only 1 of 5 .* lower 'data\.negatives'"):
        unserved_records(TABLES, 5, 0)


def test_half_of_them_are_almost_served_however_many_draws_that_takes(monkeypatch):
    drawn = itertools.count()

    def seldom(tools, rng):
        number = next(drawn)
        return f"almost {number}" if number % 10 == 0 else None

    monkeypatch.setattr(negatives, "_almost", seldom)
    made = texts(unserved_records(TABLES, 300, 0))
    assert 0.4 < sum(text.startswith("almost") for text in made) / len(made) < 0.6
