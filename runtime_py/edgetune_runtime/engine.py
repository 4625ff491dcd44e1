"""The protocol between the runtime and whatever runs the base graph.

An engine deals in token ids, logits and bound adapters, never in text, tools or grammars. It holds
one base, one KV cache and at most one active adapter. One engine, one file.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Engine(Protocol):
    """One base graph with LoRA slots as inputs, and one sequence in its KV cache (batch of 1)."""

    name: str
    """As in `engines.ENGINES`, or `torch`."""
    vocab_size: int
    context_length: int
    """The most tokens that the KV cache holds."""

    @property
    def position(self) -> int:
        """How many tokens the KV cache holds now."""

    def prepare(self, tensors: Mapping[str, NDArray[np.floating]]) -> Any:
        """Make a blob's tensors ready to bind (pack, pad, widen), once, at load.

        `tensors` maps slot names (`layers.0.attn.q_proj.lora_A` `[in, r]`, `.lora_B` `[r, out]`,
        scale folded in) to float32 arrays. Raises AdapterError for an unknown slot, a wrong shape
        or dtype. Returns an opaque handle for `activate`.
        """

    def activate(self, handle: Any | None) -> None:
        """Bind an adapter from `prepare`, or none at all: the next `forward` runs with it.

        The KV cache stays as it is; the caller rewinds to where the adapter's own context begins.
        """

    def forward(self, ids: Sequence[int]) -> NDArray[np.float32]:
        """Append `ids` to the KV cache; the logits `[vocab_size]` after the last of them.

        Raises ContextError where the context would be longer than `context_length`.
        """

    def rewind(self, position: int) -> None:
        """Forget every token from `position` on (0 empties the cache)."""

    def snapshot(self) -> Any:
        """A copy of the KV cache up to `position`, to be given back to `restore`."""

    def restore(self, snapshot: Any) -> int:
        """Make the KV cache what it was at `snapshot`, with the same adapter bound.

        Returns how many tokens had to be run again for it: 0 where the engine can copy its cache.
        """

    def kv_bytes(self) -> int:
        """Bytes that the KV cache occupies."""
