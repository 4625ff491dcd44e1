"""The reference engine: transformers' model on the dequantized base, in float32.

It is what every other engine is measured against, and what evaluates a run before it is exported.
Like every engine it deals in token ids, logits and bound adapters, never in text or grammars.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import DynamicCache

from edgetune_export.weights.base import Base
from edgetune_runtime.engines import within
from edgetune_runtime.errors import ContextError
from edgetune_runtime.slots import base_shapes, check_tensors, slots_of, tensor_names

_Adapter = dict[str, tuple[torch.Tensor, torch.Tensor]]
"""Module path to its A `[in, r]` and B `[r, out]`."""


@dataclass(frozen=True)
class _Snapshot:
    position: int
    layers: tuple[tuple[torch.Tensor, torch.Tensor], ...]


class TorchEngine:
    """`edgetune_runtime.engine.Engine` on the dequantized weights of `base`.

    `context_length` is in tokens, by default the base's own. Raises InputError where it is longer.
    """

    name = "torch"

    def __init__(self, base: Base, context_length: int | None = None) -> None:
        self.vocab_size = base.shape.vocab_size
        self.context_length = within(base.shape.context_length, context_length)
        self._modules = base.slot_modules
        self._slots = base_shapes(base.slots())
        self._model = base.model()
        self._active: _Adapter = {}
        self._cache = DynamicCache()
        self._position = 0
        for path in base.slot_modules.values():
            self._model.get_submodule(path).register_forward_hook(self._hook(path))

    @property
    def position(self) -> int:
        return self._position

    def prepare(self, tensors: Mapping[str, NDArray[np.floating]]) -> _Adapter:
        check_tensors(tensors, self._slots)
        pairs: _Adapter = {}
        for slot in slots_of(tensors):
            a, b = (torch.tensor(tensors[name]) for name in tensor_names(slot))
            pairs[self._modules[slot]] = (a, b)
        return pairs

    def activate(self, handle: _Adapter | None) -> None:
        self._active = handle or {}

    @torch.inference_mode()
    def forward(self, ids: Sequence[int]) -> NDArray[np.float32]:
        if self._position + len(ids) > self.context_length:
            raise ContextError(
                f"context: {self._position + len(ids)} tokens are needed, but this engine has "
                f"{self.context_length}; shorten the request or ask for a longer --context."
            )
        output = self._model(
            torch.tensor([list(ids)]), past_key_values=self._cache, use_cache=True, logits_to_keep=1
        )
        self._position += len(ids)
        return output.logits[0, -1].numpy()

    def rewind(self, position: int) -> None:
        if not 0 <= position <= self._position:
            raise ValueError(f"cannot rewind to {position} from {self._position}")
        if position == 0:
            self._cache = DynamicCache()
        elif position < self._position:
            self._cache.crop(position - self._position)
        self._position = position

    def snapshot(self) -> _Snapshot:
        # The cache grows by concatenation and never writes into the tensors it has: no copy.
        layers = tuple((layer.keys, layer.values) for layer in self._cache.layers)
        return _Snapshot(self._position, layers if self._position else ())

    def restore(self, snapshot: _Snapshot) -> int:
        self._cache = DynamicCache()
        for index, (keys, values) in enumerate(snapshot.layers):
            self._cache.update(keys, values, index)
        self._position = snapshot.position
        return 0

    def kv_bytes(self) -> int:
        return sum(keys.nbytes + values.nbytes for keys, values in self.snapshot().layers)

    def _hook(self, path: str) -> Any:
        def add_lora(_module: Any, args: tuple[torch.Tensor], output: torch.Tensor) -> torch.Tensor:
            pair = self._active.get(path)
            return output if pair is None else output + args[0] @ pair[0] @ pair[1]

        return add_lora
