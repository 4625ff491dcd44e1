"""In which precision a processor trains: what multiplies faster there."""

import pytest
import torch

from edgetune.machine import precision
from edgetune.machine.precision import best_precision

CPU = torch.device("cpu")


def _processor(monkeypatch, seconds, **able):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
    monkeypatch.setattr(precision, "product_seconds", lambda kind, *rest: seconds[kind])


@pytest.mark.parametrize(
    ("able", "bfloat16", "wanted"),
    [
        ({"amx_bf16": True, "avx512_bf16": True}, 9.0, "bfloat16"),
        ({"avx512_bf16": True}, 0.5, "bfloat16"),
        ({"avx512_bf16": True}, 2.0, "float32"),
        ({"avx2": True}, 0.5, "float32"),
    ],
)
def test_bfloat16_is_taken_where_it_is_faster(monkeypatch, able, bfloat16, wanted):
    _processor(monkeypatch, {"float32": 1.0, "bfloat16": bfloat16}, **able)
    assert best_precision("auto", CPU) == wanted


def test_what_is_asked_for_is_taken(monkeypatch):
    _processor(monkeypatch, {"float32": 1.0, "bfloat16": 2.0}, avx512_bf16=True)
    assert best_precision("bfloat16", CPU) == "bfloat16"
