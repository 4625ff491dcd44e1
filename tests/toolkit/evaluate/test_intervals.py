"""Intervals: they hold what they are of, are as wide as theory says, and never claim certainty."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgetune.evaluate.intervals import difference_interval, share_interval


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_an_interval_holds_its_share_and_stays_between_zero_and_one(counts):
    hits, n = counts
    low, high = share_interval(hits / n, n)
    assert 0.0 <= low <= hits / n <= high <= 1.0
    assert low < high


def test_an_interval_is_the_bootstraps():
    """As resampling the examples themselves gives it, and near to the normal approximation."""
    flags = np.arange(400) < 360
    rng = np.random.default_rng(7)
    means = rng.choice(flags, (4000, 400)).mean(axis=1)
    assert share_interval(0.9, 400) == pytest.approx(np.quantile(means, [0.025, 0.975]), abs=0.004)
    half = 1.96 * math.sqrt(0.9 * 0.1 / 400)
    assert share_interval(0.9, 400) == pytest.approx((0.9 - half, 0.9 + half), abs=0.004)
    assert share_interval(0.9, 400) == share_interval(0.9, 400)


@pytest.mark.parametrize("n", [1, 20, 300])
def test_all_right_is_not_certainty(n):
    low, high = share_interval(1.0, n)
    assert high == 1.0
    assert low**n == pytest.approx(0.05)
    assert share_interval(0.0, n) == pytest.approx((0.0, 1 - low))


def test_nothing_seen_is_nothing_known():
    assert share_interval(0.0, 0) == (0.0, 1.0)


def test_the_difference_of_a_pair_has_its_sign():
    low, high = difference_interval(2, 10, 40)
    assert 0 < low < 8 / 40 < high < 0.4
    mirrored = difference_interval(10, 2, 40)
    assert mirrored == pytest.approx((-high, -low), abs=0.03)
