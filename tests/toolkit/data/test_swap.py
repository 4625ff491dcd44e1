"""Swapping values keeps requests and calls in step."""

from edgetune.data.records import Example
from edgetune.data.swap import swapped_examples
from edgetune_runtime.calls import RESPOND_CALL, Call
from edgetune_runtime.prompt import User


def weather(text: str, **arguments: object) -> Example:
    return Example((User(text),), Call("get_weather", arguments))


EXAMPLES = [
    weather("Is it raining in Oslo", city="Oslo"),
    weather("Weather for Lima, 3 days", city="Lima", days=3),
    weather("Rome in celsius please", city="Rome", unit="celsius"),
    Example((User("hello"),), RESPOND_CALL),
]


def test_new_values_stand_in_the_request_as_in_the_call(weather_toolset):
    made = swapped_examples(weather_toolset, EXAMPLES, copies=20, seed=1)
    assert {example.call.arguments["city"] for example in made} == {"Oslo", "Lima", "Rome"}
    for example in made:
        assert str(example.call.arguments["city"]) in example.turns[-1].text
        assert example not in EXAMPLES


def test_numbers_enums_and_answers_in_words_stay(weather_toolset):
    for example in swapped_examples(weather_toolset, EXAMPLES, copies=20, seed=1):
        assert example.call.tool == "get_weather"
        assert example.call.arguments.get("days", 3) == 3
        assert example.call.arguments.get("unit", "celsius") == "celsius"


def test_a_value_that_stands_twice_or_within_another_is_left_alone(weather_toolset):
    twice = weather("Oslo, what about Oslo", city="Oslo")
    nested = Example(
        (User("alarm at seven"),), Call("set_alarm", {"time": "seven", "label": "eve"})
    )
    other = Example((User("alarm nine, call it gym"),), Call("set_alarm", {"time": "nine"}))
    made = swapped_examples(weather_toolset, [twice, nested, other, *EXAMPLES], copies=9, seed=0)
    assert not any("what about" in example.turns[-1].text for example in made)
    assert not any(example.call.arguments.get("label") for example in made)


def test_the_same_seed_gives_the_same_records(weather_toolset):
    one, two = (swapped_examples(weather_toolset, EXAMPLES, 3, seed=5) for _ in range(2))
    assert one == two
