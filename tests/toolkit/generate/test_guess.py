"""What a parameter is about, guessed from its name and description."""

import pytest

from edgetune.generate.guess import concepts_of, connectors_of, split_words, switch_phrases


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("departureCity", "departure city"),
        ("user-id", "user id"),
        ("HTTPServer.port", "http server port"),
        ("q", "q"),
        ("größe_名前", "größe 名前"),
    ],
)
def test_identifiers_are_split_into_words(name, words):
    assert split_words(name) == words


@pytest.mark.parametrize(
    ("words", "description", "expected"),
    [
        ("city", "Where to look, or the artist.", "city"),
        ("home city", "", "city"),
        ("recipients", "", "person"),
        ("x", "The email address of the customer.", "email"),
    ],
)
def test_the_name_counts_first_and_then_the_description(words, description, expected):
    assert expected in [concept.key for concept in concepts_of(words, description, ("string",))]


def test_nothing_is_known_of_a_word_without_meaning():
    assert concepts_of("zorblax", "", ("string",)) == []
    assert concepts_of("city", "", ("integer",)) == []


def test_origin_and_destination_are_led_to_differently():
    about = concepts_of("origin", "", ("string",))
    assert list(connectors_of("origin", about, False)) == ["from {v}"]
    assert list(connectors_of("to station", about, False)) == ["to {v}"]


@pytest.mark.parametrize(
    ("words", "yes", "no"),
    [
        ("urgent", "urgently", "not urgent"),
        ("include images", "and include images", "without images"),
        ("is open", "with open", "not open"),
    ],
)
def test_a_switch_is_said_by_a_turn_of_phrase(words, yes, no):
    phrases = switch_phrases(words)
    assert yes in phrases[True]
    assert no in phrases[False]
