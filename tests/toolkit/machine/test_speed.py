"""How long training takes is told from the processor's speed and what is to be trained."""

import pytest
import torch

from edgetune.machine import speed

SIZES = [(64, 64), (64, 128), (64, 64)]


def test_time_goes_with_tokens_and_sizes(monkeypatch):
    monkeypatch.setattr(speed, "product_seconds", lambda precision, inner, outer: inner * outer)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    plain = speed.training_seconds(512, SIZES, "float32", compiled=False)
    products = speed.PRODUCTS * 2 * 64 * 256
    assert plain == pytest.approx(products + 512 * speed.BETWEEN * 256 / 2)
    assert speed.training_seconds(1024, SIZES, "float32", compiled=False) == 2 * plain


def test_the_faster_products_are_the_more_of_a_step_is_between_them(monkeypatch):
    """SmolLM2-135M, one thread: 2.4 s for 1,536 tokens where products took 1.0 s of them."""
    layer = [(576, 576), (576, 192), (576, 192), (576, 576)]
    layer += [(576, 1536), (576, 1536), (1536, 576)]
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)

    def told(speed_of_products):
        monkeypatch.setattr(
            speed, "product_seconds", lambda _, m, n: 2 * 512 * m * n / speed_of_products
        )
        return speed.training_seconds(1536, 30 * layer, "bfloat16", compiled=True)

    assert told(700e9) == pytest.approx(2.4, rel=0.2)
    assert told(1400e9) > 0.6 * told(700e9)
    assert told(60e9) == pytest.approx(10.6, rel=0.3)


def test_a_product_takes_longer_the_larger_it_is():
    small, large = (speed.product_seconds("float32", side, side) for side in (32, 1024))
    assert 0 < small < large
