"""The names of slots and of their tensors, and whether an adapter's tensors fit a base's slots.

A slot is `layers.{l}.{attn|mlp}.{projection}`; its tensors are `<slot>.lora_A` `[in, r]` and
`<slot>.lora_B` `[r, out]`. Nothing else makes these names or takes them apart.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgetune_runtime.errors import AdapterError
from edgetune_runtime.manifest import Slot

_A, _B = ".lora_A", ".lora_B"

SlotShapes = Mapping[str, tuple[int, int]]
"""Slot name to its input and output features."""


def slot_name(layer: int, part: str, projection: str) -> str:
    """The slot of a projection, such as `q_proj` of part `attn` (or `mlp`)."""
    return f"layers.{layer}.{part}.{projection}"


def split_slot_name(name: str) -> tuple[int, str, str]:
    """Layer, part and projection of a slot: what `slot_name` puts together."""
    _, layer, part, projection = name.split(".")
    return int(layer), part, projection


def tensor_names(slot: str) -> tuple[str, str]:
    """The names of a slot's A and B."""
    return slot + _A, slot + _B


def split_tensor_name(name: str) -> tuple[str, int] | None:
    """The slot of a tensor, and 0 for its A or 1 for its B; None for a name that is no tensor's.

    The number is also the axis of the slot's own features: the other one is the rank.
    """
    for axis, side in enumerate((_A, _B)):
        if name.endswith(side):
            return name.removesuffix(side), axis
    return None


def slots_of(names: Iterable[str]) -> list[str]:
    """The slots of tensors of these names, in order."""
    return sorted({found[0] for name in names if (found := split_tensor_name(name)) is not None})


def base_shapes(slots: Iterable[Slot]) -> SlotShapes:
    """The shapes of a base's slots."""
    return {slot.name: (slot.in_features, slot.out_features) for slot in slots}


def graph_shapes(inputs: Mapping[str, Sequence[Any]]) -> SlotShapes:
    """The shapes of the slots among a graph's inputs, given the shape of each input by name."""
    shapes = {}
    for slot in slots_of(inputs):
        a, b = tensor_names(slot)
        shapes[slot] = (inputs[a][0], inputs[b][1])
    return shapes


def check_tensors(
    tensors: Mapping[str, NDArray[Any]], slots: SlotShapes, max_rank: int | None = None
) -> None:
    """Each tensor is one half of a slot, `lora_A` `[in, r]` or `lora_B` `[r, out]` in float32, r at
    most `max_rank`.

    Raises AdapterError naming the tensor, what was found and what the base takes.
    """
    for name in tensors:
        _check(name, tensors, slots, max_rank)


def _check(
    name: str, tensors: Mapping[str, NDArray[Any]], slots: SlotShapes, max_rank: int | None
) -> None:
    tensor = tensors[name]
    slot, axis = split_tensor_name(name) or ("", 0)
    if slot not in slots:
        raise AdapterError(
            f"tensor '{name}': this base has no such slot; use an adapter that was trained on it."
        )
    if tensor.dtype != np.float32:
        raise AdapterError(
            f"tensor '{name}': found {tensor.dtype}, engines bind float32; widen it first."
        )
    other_name = tensor_names(slot)[1 - axis]
    other = tensors.get(other_name)
    if other is None:
        raise AdapterError(
            f"tensor '{name}': its other half '{other_name}' is missing; export the adapter again."
        )
    shape, wide = list(tensor.shape), slots[slot][axis]
    if tensor.ndim != 2 or other.ndim != 2 or shape[axis] != wide:
        expected = f"[{wide}, r]" if axis == 0 else f"[r, {wide}]"
        raise AdapterError(
            f"tensor '{name}': found shape {shape}, this base takes {expected}; use an adapter "
            "that was trained on it."
        )
    rank = shape[1 - axis]
    if rank != other.shape[axis]:
        raise AdapterError(
            f"tensor '{name}': found shape {shape} of rank {rank}, but its other half has rank "
            f"{other.shape[axis]}; export the adapter again."
        )
    if max_rank is not None and rank > max_rank:
        raise AdapterError(
            f"tensor '{name}': found shape {shape} of rank {rank}, but {max_rank} is the most "
            "here; export the bundle with this adapter, or train it with a smaller rank."
        )
