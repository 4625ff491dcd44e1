"""What the phone's reader of said times is held to keeps step with the made-up requests."""

import random

import pytest
from said_table import MORE, TABLE, as_text, forms, is_known

from edgetune.generate.phone_actions import generate
from edgetune.generate.phone_values import SPLITS, value

DRAWS = 1500
KINDS = {
    "time": [("time", None), ("time", "hour")],
    "duration": [("duration", None), ("duration", "adjective")],
    "day": [("day", "date"), ("day", "relative")],
    "when": [("when", None)],
    "level": [("percent", None)],
}
PARAMETERS = {
    ("set_alarm", "time"): "time",
    ("set_alarm", "day"): "day",
    ("set_timer", "duration"): "duration",
    ("set_reminder", "when"): "when",
    ("create_event", "day"): "day",
    ("create_event", "time"): "time",
    ("set_level", "percent"): "level",
}


def test_table_is_in_step_with_what_requests_can_say():
    assert TABLE.read_text(encoding="utf-8") == as_text(), "run: python tests/android/said_table.py"


@pytest.mark.parametrize("parameter", KINDS)
def test_every_value_that_a_request_is_made_with_is_of_a_known_form(parameter):
    rng = random.Random(0)
    for name, kind in KINDS[parameter]:
        for split in SPLITS:
            for _ in range(DRAWS if name != "when" else DRAWS // 10):
                said = value(name, kind, split, rng)
                assert is_known(parameter, said), said


def test_every_said_time_of_whole_requests_is_of_a_known_form():
    for record in generate(600, seed=3):
        for call in record["messages"][-1].get("tool_calls", ()):
            name, arguments = call["function"]["name"], call["function"]["arguments"]
            for argument, said in arguments.items():
                parameter = PARAMETERS.get((name, argument))
                assert parameter is None or is_known(parameter, str(said)), (name, argument, said)


def test_what_stands_by_hand_is_said_by_no_form():
    for parameter, by_hand in MORE.items():
        computed = {said: text for form in forms(parameter).values() for said, text in form.items()}
        assert {said: by_hand[said] for said in by_hand if said in computed} == {
            said: computed[said] for said in by_hand if said in computed
        }
