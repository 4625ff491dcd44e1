"""Told probability against observed accuracy: bins, their error, and what a threshold buys."""

import json

import numpy as np
import pytest

from edgetune.evaluate.reliability import THRESHOLDS, reliability


def test_each_bin_compares_what_was_told_with_what_was_seen():
    found = reliability([(0.95, True), (0.93, False), (1.0, True), (0.55, True), (0.3, False)])
    bins = {(each.low, each.high): each for each in found.bins}
    # A border belongs to the bin below it; bins without examples are left out.
    assert list(bins) == [(0.2, pytest.approx(0.3)), (0.5, 0.6), (0.9, 1.0)]
    last = bins[0.9, 1.0]
    assert (last.n, last.accuracy) == (3, pytest.approx(2 / 3))
    assert last.probability == pytest.approx(0.96)
    expected = (3 * abs(2 / 3 - 0.96) + abs(1 - 0.55) + 0.3) / 5
    assert found.expected_calibration_error == pytest.approx(expected)


def test_true_probabilities_have_next_to_no_error_and_exaggerated_ones_do():
    rng = np.random.default_rng(0)
    told = rng.uniform(0.4, 1.0, 20_000)
    right = rng.random(20_000) < told
    true = reliability(list(zip(told, right, strict=True)))
    bold = reliability(list(zip(np.sqrt(told), right, strict=True)))
    assert true.expected_calibration_error < 0.01
    assert bold.expected_calibration_error == pytest.approx(np.mean(np.sqrt(told) - told), abs=0.01)


def test_a_threshold_answers_less_and_is_more_often_right():
    found = reliability([(0.6, False), (0.75, True), (0.92, False), (0.97, True), (0.9, True)])
    by_threshold = {each.threshold: (each.answered, each.accuracy) for each in found.coverage}
    assert list(by_threshold) == list(THRESHOLDS)
    assert by_threshold[0.0] == (1.0, 0.6)
    assert by_threshold[0.7] == (0.8, 0.75)
    assert by_threshold[0.9] == (0.6, pytest.approx(2 / 3))
    assert by_threshold[0.95] == (0.2, 1.0)
    assert by_threshold[0.99] == (0.0, None)


@pytest.mark.parametrize("probability", [0.0, 1.0, 1.0 + 1e-12])
def test_the_ends_of_the_scale_have_a_bin(probability):
    found = reliability([(probability, True)])
    assert len(found.bins) == 1
    assert json.loads(json.dumps(found.as_json())) == found.as_json()
