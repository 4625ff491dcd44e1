"""The bytes behind each token id, so that a grammar over bytes can judge all tokens at once.

They are worked out of a tokenizer at export (`edgetune_export.grammar.token_bytes`) and only read
here. Walks any automaton; it knows neither logits nor what a grammar is for.
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from edgetune_runtime.automaton import DEAD, Automaton
from edgetune_runtime.errors import BundleError
from edgetune_runtime.files import write_bytes

_CACHED_STATES = 64
"""How many states' moves are kept: a string state of a 150,000-token vocabulary takes 1.2 MB."""


@dataclass(frozen=True)
class Moves:
    """The tokens that are allowed in one state, and where each leads."""

    ids: NDArray[np.int32]
    """`[n]`: token ids in ascending order."""
    states: NDArray[np.int32]
    """`[n]`: the state after each of them, never dead."""
    farthest: int
    """The largest `distance` among `states`: a budget above it allows every token."""


class Vocabulary:
    """The bytes of each token id.

    Added tokens (special or not: chat marks, `<tool_call>`) have no bytes here, so that no grammar
    ever lets one into a call's arguments.
    """

    def __init__(self, token_bytes: Sequence[bytes]) -> None:
        self._bytes = list(token_bytes)
        self._flat = np.frombuffer(b"".join(self._bytes), np.uint8)
        self._lengths = np.array([len(token) for token in self._bytes], np.int32)
        self._offsets = np.cumsum(self._lengths, dtype=np.int64) - self._lengths
        self._not_empty = np.flatnonzero(self._lengths)
        self._moves: OrderedDict[tuple[Automaton, int], Moves] = OrderedDict()

    def save(self, path: Path) -> None:
        """Write one safetensors file: `bytes` `[n]`, all tokens' in a row, and `lengths` `[V]`."""
        arrays: dict[str, NDArray[np.generic]] = {
            "bytes": self._flat,
            "lengths": self._lengths.astype(np.uint32),
        }
        write_bytes(path, save(arrays, {"format": "edgetune-vocabulary-1"}))

    @classmethod
    def load(cls, path: Path) -> "Vocabulary":
        """Read what `save` wrote. Raises BundleError where the file is damaged or another kind."""
        try:
            arrays = load(path.read_bytes())
            flat, lengths = arrays["bytes"], arrays["lengths"]
        except (OSError, SafetensorError, KeyError) as error:
            raise BundleError(
                f"{path}: cannot be read as a vocabulary ({error!r}); export the bundle again."
            ) from error
        kinds = [(array.dtype.name, array.ndim) for array in (flat, lengths)]
        if kinds != [("uint8", 1), ("uint32", 1)] or int(lengths.sum(dtype=np.int64)) != flat.size:
            raise BundleError(
                f"{path}: not a valid vocabulary: 'lengths' do not cut 'bytes' into tokens; export "
                "the bundle again."
            )
        text, ends = flat.tobytes(), np.cumsum(lengths, dtype=np.int64).tolist()
        return cls(
            [text[end - length : end] for end, length in zip(ends, lengths.tolist(), strict=True)]
        )

    def __len__(self) -> int:
        return len(self._bytes)

    def __getitem__(self, token: int) -> bytes:
        """The bytes of one token id, none for an added token."""
        return self._bytes[token]

    def text(self, tokens: Iterable[int]) -> bytes:
        """The bytes of `tokens`, joined."""
        return b"".join(self._bytes[token] for token in tokens)

    @property
    def text_ids(self) -> NDArray[np.int64]:
        """`[n]`: the token ids that stand for text, ascending."""
        return self._not_empty

    @cached_property
    def first_bytes(self) -> NDArray[np.uint8]:
        """`[V]`: the first byte of each token id, 0 for one without bytes."""
        return np.array([token[0] if token else 0 for token in self._bytes], np.uint8)

    @cached_property
    def longest(self) -> int:
        """The length in bytes of the longest token."""
        return int(self._lengths.max(initial=0))

    def advance(self, automaton: Automaton, state: int) -> NDArray[np.int32]:
        """`[V]`: the state of `automaton` after each token's bytes, `DEAD` where it is not allowed.

        All tokens take their first byte together, then the living ones their second, and so on.
        Tokens without bytes are dead: they would be a step that goes nowhere.
        """
        count = automaton.transitions.shape[1]
        table = automaton.transitions.ravel()
        classes = automaton.byte_class[self._flat]
        alive = self._not_empty
        lengths, places = self._lengths[alive], self._offsets[alive]
        states = np.full(len(alive), state, np.intp)
        reached = np.full(len(self._bytes), DEAD, np.int32)
        for length in range(1, self.longest + 1):
            states = table.take(states * count + classes.take(places)).astype(np.intp)
            ends = lengths == length
            reached[alive[ends]] = states[ends]
            goes_on = np.flatnonzero((states != DEAD) & ~ends)
            if not len(goes_on):
                break
            alive, states = alive.take(goes_on), states.take(goes_on)
            lengths, places = lengths.take(goes_on), places.take(goes_on) + 1
        return reached

    def moves(self, automaton: Automaton, state: int) -> Moves:
        """The allowed tokens in `state` and where they lead, kept for the states last seen."""
        key = (automaton, state)
        if key not in self._moves:
            reached = self.advance(automaton, state)
            ids = np.flatnonzero(reached).astype(np.int32)
            states = reached[ids]
            farthest = int(automaton.distance[states].max(initial=0))
            self._moves[key] = Moves(ids, states, farthest)
            if len(self._moves) > _CACHED_STATES:
                self._moves.popitem(last=False)
        self._moves.move_to_end(key)
        return self._moves[key]
