"""The bytes behind each token id, so that a grammar over bytes can judge all tokens at once.

Knows byte-level vocabularies (GPT-2's alphabet) and metaspace ones with byte fallback, and walks
any automaton; it knows neither logits nor what a grammar is for.
"""

import json
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from edgetune_runtime.automaton import DEAD, Automaton
from edgetune_runtime.errors import InputError

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
    """The bytes of each token id of `tokenizer`.

    Added tokens (special or not: chat marks, `<tool_call>`) have no bytes here, so that no grammar
    ever lets one into a call's arguments. Raises InputError for a tokenizer of another kind.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._bytes = _token_bytes(tokenizer)
        self._flat = np.frombuffer(b"".join(self._bytes), np.uint8)
        self._lengths = np.array([len(token) for token in self._bytes], np.int32)
        self._offsets = np.cumsum(self._lengths, dtype=np.int64) - self._lengths
        self._not_empty = np.flatnonzero(self._lengths)
        self._moves: OrderedDict[tuple[Automaton, int], Moves] = OrderedDict()

    def __len__(self) -> int:
        return len(self._bytes)

    def __getitem__(self, token: int) -> bytes:
        """The bytes of one token id, none for an added token."""
        return self._bytes[token]

    def text(self, tokens: list[int]) -> bytes:
        """The bytes of `tokens`, joined."""
        return b"".join(self._bytes[token] for token in tokens)

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


def _token_bytes(tokenizer: Tokenizer) -> list[bytes]:
    kinds = set(_component_types(tokenizer.decoder)) | set(
        _component_types(tokenizer.pre_tokenizer)
    )
    if "ByteLevel" in kinds:
        to_bytes = _byte_level
    elif kinds & {"Metaspace", "ByteFallback"}:
        to_bytes = _metaspace
    else:
        raise InputError(
            f"tokenizer: its parts are {sorted(kinds)}, but a byte-level tokenizer or a metaspace "
            "one with byte fallback was expected; use a base of the Llama or Qwen family."
        )
    vocabulary = tokenizer.get_vocab(with_added_tokens=True)
    added = set(tokenizer.get_added_tokens_decoder())
    size = max(vocabulary.values(), default=-1) + 1
    found = [b""] * size
    for token, index in vocabulary.items():
        if index not in added:
            found[index] = to_bytes(token)
    return found


def _component_types(component: Any) -> Iterator[str]:
    """The type names of a tokenizer's component and of all that it is made of."""
    if component is None:
        return
    # The components of a sequence are visible only in its serialised form.
    yield from _types(json.loads(component.__getstate__()))


def _types(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("type"), str):
            yield value["type"]
        for inner in value.values():
            yield from _types(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _types(inner)


def _gpt2_alphabet() -> dict[int, int]:
    """Code point of each visible stand-in to the byte it stands for (GPT-2's byte-level BPE)."""
    visible = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in set(visible)]
    return {byte: byte for byte in visible} | {256 + n: byte for n, byte in enumerate(hidden)}


_ALPHABET = _gpt2_alphabet()


def _byte_level(token: str) -> bytes:
    try:
        return bytes(_ALPHABET[ord(character)] for character in token)
    except KeyError:
        return b""  # written outside the alphabet: no text tokenizes to it


def _metaspace(token: str) -> bytes:
    if len(token) == 6 and token.startswith("<0x") and token.endswith(">"):
        return bytes([int(token[3:5], 16)])
    return token.replace("▁", " ").encode()
