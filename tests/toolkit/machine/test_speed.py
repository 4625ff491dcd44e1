"""How long training takes is told from the processor's speed and what is to be trained."""

import pytest

from edgetune.machine import speed

SIZES = [(64, 64), (64, 128), (64, 64)]


def test_time_goes_with_tokens_and_sizes(monkeypatch):
    monkeypatch.setattr(speed, "product_seconds", lambda precision, inner, outer: inner * outer)
    plain = speed.training_seconds(512, SIZES, "float32", compiled=False)
    assert plain == pytest.approx(speed.BETWEEN * 2 * 64 * 256)
    assert speed.training_seconds(1024, SIZES, "float32", compiled=False) == 2 * plain
    assert speed.training_seconds(512, SIZES, "float32", compiled=True) < plain


def test_a_product_takes_longer_the_larger_it_is():
    small, large = (speed.product_seconds("float32", side, side) for side in (32, 1024))
    assert 0 < small < large
