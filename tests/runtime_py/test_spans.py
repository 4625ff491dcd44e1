"""Copied values: spans of whole words, beginnings of them, and nothing else."""

import pytest

from edgetune_runtime.prompt import Called, Result, User
from edgetune_runtime.spans import FREE, Spans

REQUEST = User('Add "Tür zu" by Ann\'s band to my list-a, é.')


@pytest.mark.parametrize("value", ["Tür zu", '"Tür zu"', "Ann", "Ann's band", "list", "a, é", "é."])
def test_a_span_begins_and_ends_with_a_whole_word(value):
    assert Spans([REQUEST], ()).holds(value)


@pytest.mark.parametrize("value", ["", " my", "my ", "Tü", "nd", "ann", "Ann band", "nothing"])
def test_what_is_cut_or_worded_otherwise_is_no_span(value):
    assert not Spans([REQUEST], ()).holds(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [("go to my ", "my "), ("go\n", "go\n"), ("cafe\u0301 now", "cafe"), ("हिन्दी में", "हिन")],
)
def test_no_span_ends_in_space_or_within_a_letter_and_its_marks(text, value):
    assert not Spans([User(text)], ()).holds(value)
    assert Spans([User(text)], ()).holds(text.split()[0])


def test_results_are_said_too_but_not_earlier_calls():
    turns = [User("who is it"), Called("find", '{"name": "Bo"}'), Result("Cy is")]
    assert Spans(turns, ()).holds("Cy")
    assert not Spans(turns, ()).holds("Bo")
    assert not Spans(turns, ()).holds("it Cy")


@pytest.mark.parametrize(
    ("token", "admitted"),
    [
        ('"', True),
        ('"Ann', True),
        ('"Ann"', True),
        ('"An', True),
        ('"An"', False),
        ('"nn', False),
        ('"my ', True),
        ('"my "', False),
        ('"x', False),
        ('"\\"T', True),
        ('"\\"Tür zu\\""}', True),
        ('"Ann", "b": "x"', True),
        ('""', False),
    ],
)
def test_a_token_must_leave_a_value_that_spans_go_on_from(token, admitted):
    assert Spans([REQUEST], ["a"]).admits(b'{"b": "x", "a": ', token.encode()) is admitted


def test_a_token_may_end_within_a_character():
    written = b'{"a": "T'
    first, second = "ü".encode()[:1], "ü".encode()[1:]
    spans = Spans([REQUEST], ["a"])
    assert spans.admits(written, first)
    assert spans.admits(written + first, second)
    assert not spans.admits(written + first, "ö".encode()[1:])


def test_only_strings_of_the_outermost_object_are_held():
    spans = Spans([REQUEST], ["a"])
    assert spans.admits(b'{"b": {"a": "', b"x")
    assert spans.admits(b'{"b": ["a", "', b"x")
    assert spans.admits(b'{"b": "a", "c": "', b"x")
    assert not spans.admits(b'{"b": {"c": [1, "}"]}, "a": "', b"x")


def test_a_value_that_is_no_span_already_is_free():
    spans = Spans([REQUEST], ["a"])
    assert spans.admits(b'{"a": "xy', b"z")
    assert spans.admits(b'{"a": "xy"', b', "b": "q"')


def test_a_key_is_found_as_json_writes_it():
    spans = Spans([REQUEST], ['ö"'])
    assert not spans.admits('{"ö\\"": "'.encode(), b"x")


def test_free_admits_everything():
    assert FREE.admits(b'{"a": "', b"x")
