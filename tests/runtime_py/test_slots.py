"""One place makes the names of slots and takes them apart, and says what does not fit."""

import numpy as np
import pytest

from edgetune_runtime.errors import AdapterError
from edgetune_runtime.manifest import Slot
from edgetune_runtime.slots import (
    base_shapes,
    check_tensors,
    graph_shapes,
    slot_name,
    slots_of,
    split_slot_name,
    split_tensor_name,
    tensor_names,
)

SLOT = slot_name(3, "attn", "q_proj")
A, B = tensor_names(SLOT)
SHAPES = base_shapes([Slot(name=SLOT, in_features=6, out_features=8)])


def test_names_are_taken_apart_as_they_were_made():
    assert (SLOT, A) == ("layers.3.attn.q_proj", "layers.3.attn.q_proj.lora_A")
    assert split_slot_name(SLOT) == (3, "attn", "q_proj")
    assert [split_tensor_name(name) for name in (A, B)] == [(SLOT, 0), (SLOT, 1)]
    assert split_tensor_name(f"{SLOT}.lora_C") is None


def test_the_slots_of_a_graph_are_found_among_its_other_inputs():
    inputs = {"input_ids": [1, "sequence"], B: ["rank", 8], A: [6, "rank"]}
    assert slots_of(inputs) == [SLOT]
    assert graph_shapes(inputs) == SHAPES


@pytest.mark.parametrize(
    ("a", "b", "wrong"),
    [
        ((6, 4), (4, 8), None),
        ((6, 0), (0, 8), None),
        ((6, 5), (5, 8), r"lora_A': found shape \[6, 5\] of rank 5, but 4 is the most"),
        ((6, 4), (3, 8), r"lora_A': found shape \[6, 4\] of rank 4, but its other half has rank 3"),
        ((7, 4), (4, 8), r"lora_A': found shape \[7, 4\], this base takes \[6, r\]"),
        ((6, 4), (4, 9), r"lora_B': found shape \[4, 9\], this base takes \[r, 8\]"),
        ((6, 4), None, r"lora_A': its other half '.*lora_B' is missing"),
    ],
)
def test_tensors_fit_or_the_one_that_does_not_is_named(a, b, wrong):
    tensors = {A: np.zeros(a, np.float32)}
    if b is not None:
        tensors[B] = np.zeros(b, np.float32)
    if wrong is None:
        check_tensors(tensors, SHAPES, 4)
        return
    with pytest.raises(AdapterError, match=wrong):
        check_tensors(tensors, SHAPES, 4)
