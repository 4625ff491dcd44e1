"""Whether an adapter's tensors fit a base's slots: what every engine asks before it binds them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgetune_runtime.errors import AdapterError

SlotShapes = Mapping[str, tuple[int, int]]
"""Slot name to its input and output features."""


def check_tensors(
    tensors: Mapping[str, NDArray[Any]], slots: SlotShapes, max_rank: int | None = None
) -> None:
    """Each tensor is one half of a slot, `lora_A` `[in, r]` or `lora_B` `[r, out]` in float32.

    Raises AdapterError naming the tensor, what was found and what the base takes.
    """
    for name, tensor in tensors.items():
        _check(name, tensor, tensors, slots)
        rank = tensor.shape[1 if name.endswith("A") else 0]
        if max_rank is not None and rank > max_rank:
            raise AdapterError(
                f"tensor '{name}': found rank {rank}, the program takes {max_rank} at the most; "
                "train the adapter with a smaller rank."
            )


def _check(
    name: str, tensor: NDArray[Any], tensors: Mapping[str, NDArray[Any]], slots: SlotShapes
) -> None:
    slot, _, side = name.rpartition(".lora_")
    if slot not in slots or side not in ("A", "B"):
        raise AdapterError(
            f"tensor '{name}': the graph has no such slot; use an adapter that was trained on this "
            "base."
        )
    if tensor.dtype != np.float32:
        raise AdapterError(
            f"tensor '{name}': found {tensor.dtype}, the graph binds float32; widen it first."
        )
    other = tensors.get(f"{slot}.lora_{'B' if side == 'A' else 'A'}")
    if other is None:
        raise AdapterError(f"tensor '{name}': its other half is missing; export the adapter again.")
    fixed = 0 if side == "A" else 1
    expected = slots[slot][fixed]
    if tensor.ndim != 2 or other.ndim != 2 or tensor.shape[fixed] != expected:
        raise AdapterError(
            f"tensor '{name}': found shape {tensor.shape}, the graph expects {expected} along axis "
            f"{fixed}; use an adapter that was trained on this base."
        )
    if tensor.shape[1 - fixed] != other.shape[fixed]:
        raise AdapterError(
            f"tensor '{name}': found rank {tensor.shape[1 - fixed]}, but its other half has rank "
            f"{other.shape[fixed]}; export the adapter again."
        )
