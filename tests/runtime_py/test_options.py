"""Options out of their range are refused when they are made, by name."""

import pytest

from edgetune_runtime.errors import InputError
from edgetune_runtime.options import Options


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", -1),
        ("temperature", float("nan")),
        ("max_tokens", 0),
        ("max_reply_tokens", -5),
        ("abstain_below", 1.5),
        ("abstain_below", float("nan")),
    ],
)
def test_a_value_out_of_its_range_is_named(name, value):
    with pytest.raises(InputError, match=f"{name}: found {value}"):
        Options(**{name: value})
