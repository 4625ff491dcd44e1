"""The invocation is where PEFT finds it: at its last occurrence, and nowhere in silence."""

import pytest

from edgetune_runtime.invocation import invocation_place


def test_the_last_occurrence_counts():
    assert invocation_place([7, 1, 2, 5, 1, 2, 9], (1, 2)) == 4
    assert invocation_place([7, 1], [7, 1]) == 0


@pytest.mark.parametrize("ids", [[], [1], [2, 1], [1, 3, 2]])
def test_an_invocation_that_is_not_there_is_an_error(ids):
    with pytest.raises(ValueError, match="does not stand"):
        invocation_place(ids, (1, 2))
