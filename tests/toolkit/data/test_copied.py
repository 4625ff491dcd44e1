"""A parameter is copied where the records say so, all of them and enough of them."""

import pytest

from edgetune.data.copied import ENOUGH, copied_parameters
from edgetune.data.records import Example
from edgetune_runtime.calls import RESPOND_CALL, Call
from edgetune_runtime.prompt import User

COPIED = Example(
    (User("Weather in New York in celsius, 3 days"),),
    Call("get_weather", {"city": "New York", "unit": "celsius", "days": 3}),
)


def test_strings_that_stand_in_every_request_are_copied(weather_toolset):
    answer = Example((User("hello"),), RESPOND_CALL)
    found = copied_parameters(weather_toolset, [*[COPIED] * ENOUGH, answer])
    assert found == {"get_weather": ["city"]}  # no number, no enum, no tool that is never called


@pytest.mark.parametrize("city", ["new york", "New", "Yor", ""])
def test_one_value_that_is_worded_otherwise_is_enough_to_leave_it_free(weather_toolset, city):
    other = Example(COPIED.turns, Call("get_weather", {"city": city}))
    found = copied_parameters(weather_toolset, [*[COPIED] * ENOUGH, other])
    assert found == ({"get_weather": ["city"]} if city == "New" else {})


def test_few_values_prove_nothing(weather_toolset):
    assert copied_parameters(weather_toolset, [COPIED] * (ENOUGH - 1)) == {}
