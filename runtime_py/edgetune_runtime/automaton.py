"""A tool's grammar as data: a byte-level automaton that a runtime in any language can walk.

It is compiled at export (`edgetune_export.grammar`) and only read here. It knows bytes, states and
the few token ids that the compiler worked out; it knows no tokenizer, no schema and no logits.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from edgetune_runtime.errors import BundleError
from edgetune_runtime.files import write_bytes

DEAD = 0
"""The state that no text leads out of."""

UNREACHABLE = np.iinfo(np.uint32).max
"""The distance of a state from which no sequence of tokens reaches a done state."""

_ARRAYS = {
    "byte_class": ("uint8",),
    "transitions": ("uint16", "uint32"),
    "start": ("uint32",),
    "done": ("bool",),
    "distance": ("uint32",),
    "forced_offsets": ("uint32",),
    "forced_ids": ("uint32",),
    "opening_ids": ("uint32",),
    "pending": ("uint8",),
}


@dataclass(frozen=True, eq=False)
class Automaton:
    """The language `pending` + arguments object + the text of the call's close, over bytes.

    A token may reach past the end of the object into the call's close, which is why that text
    belongs to the language. S states, of which 0 is dead; C classes of bytes that no state tells
    apart. Compared by identity, so that masks can be cached under it.
    """

    byte_class: NDArray[np.uint8]
    """`[256]`: the class of each byte."""
    transitions: NDArray[np.uint16] | NDArray[np.uint32]
    """`[S, C]`: the state after a byte of that class."""
    start: int
    done: NDArray[np.bool_]
    """`[S]`: the arguments object is closed; nothing more needs decoding."""
    distance: NDArray[np.uint32]
    """`[S]`: the fewest tokens to a done state, `UNREACHABLE` where there is none."""
    forced_offsets: NDArray[np.uint32]
    """`[S + 1]`: state s may commit `forced_ids[forced_offsets[s]:forced_offsets[s + 1]]`."""
    forced_ids: NDArray[np.uint32]
    """Token ids that cost no decode step, since no continuation changes the tokenizer's choice."""
    opening_ids: tuple[int, ...]
    """Token ids from the invocation on that are the same whatever the arguments are."""
    pending: bytes
    """The text of the opening that `opening_ids` do not cover; the language starts with it."""

    def step(self, state: int, byte: int) -> int:
        """The state after one byte."""
        return int(self.transitions[state, self.byte_class[byte]])

    def walk(self, state: int, text: bytes) -> int:
        """The state after all bytes of `text`, `DEAD` as soon as one is not allowed."""
        for byte in text:
            state = self.step(state, byte)
        return state

    def forced(self, state: int) -> list[int]:
        """The token ids that `state` may commit without a decode step."""
        begin, end = self.forced_offsets[state : state + 2]
        return self.forced_ids[begin:end].tolist()

    def save(self, path: Path) -> None:
        """Write everything as one safetensors file; the same automaton gives the same bytes."""
        write_bytes(
            path,
            save(
                {
                    "byte_class": self.byte_class,
                    "transitions": np.ascontiguousarray(self.transitions),
                    "start": np.array([self.start], np.uint32),
                    "done": self.done,
                    "distance": self.distance,
                    "forced_offsets": self.forced_offsets,
                    "forced_ids": self.forced_ids,
                    "opening_ids": np.array(self.opening_ids, np.uint32),
                    "pending": np.frombuffer(self.pending, np.uint8),
                },
                # One key alone: safetensors writes several in no fixed order.
                {"format": "edgetune-automaton-1"},
            ),
        )

    @classmethod
    def load(cls, path: Path) -> "Automaton":
        """Read what `save` wrote. Raises BundleError where the file is damaged or another kind."""
        try:
            arrays = load(path.read_bytes())
        except (OSError, SafetensorError, KeyError) as error:
            raise BundleError(
                f"{path}: cannot be read as a grammar ({error}); export the bundle again."
            ) from error
        if problem := _problem(arrays):
            raise BundleError(f"{path}: not a valid grammar, {problem}; export the bundle again.")
        opening, pending, start = (arrays.pop(key) for key in ("opening_ids", "pending", "start"))
        return cls(
            **arrays,
            start=int(start[0]),
            opening_ids=tuple(opening.tolist()),
            pending=pending.tobytes(),
        )


def _problem(arrays: dict[str, NDArray[Any]]) -> str | None:
    """What keeps `arrays` from being an automaton: walking a wrong one would index out of it."""
    if set(arrays) != set(_ARRAYS):
        return f"its arrays are {sorted(arrays)} where {sorted(_ARRAYS)} were expected"
    for name, dtypes in _ARRAYS.items():
        if arrays[name].dtype.name not in dtypes:
            return f"{name} is {arrays[name].dtype} where {' or '.join(dtypes)} was expected"
    transitions = arrays["transitions"]
    if transitions.ndim != 2 or 0 in transitions.shape:
        return f"transitions has shape {transitions.shape} where [states, classes] was expected"
    states, classes = transitions.shape
    shapes = {
        "byte_class": (256,),
        "start": (1,),
        "done": (states,),
        "distance": (states,),
        "forced_offsets": (states + 1,),
    }
    for name, shape in shapes.items():
        if arrays[name].shape != shape:
            return f"{name} has shape {arrays[name].shape} where {shape} was expected"
    offsets = arrays["forced_offsets"].astype(np.int64)
    if offsets[0] != 0 or offsets[-1] != arrays["forced_ids"].size or (np.diff(offsets) < 0).any():
        return "forced_offsets do not cut forced_ids into one piece per state"
    if max(transitions.max(), arrays["start"][0]) >= states:
        return f"it leads to a state that is not among its {states}"
    if arrays["byte_class"].max() >= classes:
        return f"byte_class names a class that is not among its {classes}"
    return None
