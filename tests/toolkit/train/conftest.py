"""Fixtures of the training tests: a tiny quantized base, and its model to be adapted."""

import pytest

from edgetune_export.weights.base import load_base


@pytest.fixture(scope="module")
def base(tiny_checkpoint, tmp_path_factory):
    return load_base(tiny_checkpoint("qwen2"), tmp_path_factory.mktemp("base") / "base")


@pytest.fixture
def model(base):
    return base.model()
