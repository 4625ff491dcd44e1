"""The ONNX Runtime engine: the base graph with LoRA slots and one shared KV buffer, by I/O binding.

Everything that the graph reads and writes lies in buffers that are made once: the K/V of each layer
is past and present at the same time, and an adapter's tensors are bound as they lie in its blob.
Knows tensors and ids only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from edgetune_runtime.bundle import Bundle
from edgetune_runtime.errors import BundleError, ContextError
from edgetune_runtime.files import inside
from edgetune_runtime.manifest import Target
from edgetune_runtime.slots import check_tensors, graph_shapes

_ONLY_ERRORS = 3
"""Log severity: without it, each unbound slot is a warning at every session."""

_TYPES = {"float32": "tensor(float)", "float16": "tensor(float16)"}
"""From NumPy's names to ONNX Runtime's."""


def open_engine(
    bundle: Bundle, target: Target, context_length: int, threads: int | None
) -> "OnnxEngine":
    """The engine on the graph of `target`, with a K/V cache of `context_length` tokens."""
    base = bundle.manifest.base
    return OnnxEngine(
        inside(bundle.path, target.model),
        context_length=context_length,
        kv_heads=base.kv_heads,
        head_dim=base.head_dim,
        layers=base.layers,
        vocab_size=base.vocab_size,
        kv_type=bundle.kv_type(target),
        threads=threads,
    )


@dataclass(frozen=True)
class _Snapshot:
    position: int
    buffers: list[NDArray[Any]]


class OnnxEngine:
    """`Engine` on ONNX Runtime's CPU provider.

    The graph's inputs: `input_ids` `[1, S]`, `attention_mask` `[1, past + S]`, `position_ids`
    `[1, S]` where it asks for them, `past_key_values.{l}.key|value`
    `[1, kv_heads, context_length, head_dim]`, and each slot's `lora_A` `[in, r]` and `lora_B`
    `[r, out]`, which default to rank 0. Its outputs: `logits` and `present.{l}.key|value`.
    """

    name = "onnx"

    def __init__(
        self,
        model_path: Path,
        *,
        context_length: int,
        kv_heads: int,
        head_dim: int,
        layers: int,
        vocab_size: int,
        kv_type: str = "float32",
        threads: int | None = None,
    ) -> None:
        options = ort.SessionOptions()
        options.log_severity_level = _ONLY_ERRORS
        if threads is not None:
            options.intra_op_num_threads = threads
        try:
            self._session = ort.InferenceSession(
                str(model_path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            raise BundleError(
                f"{model_path}: ONNX Runtime cannot load it ({error}); export the bundle again."
            ) from error
        self.vocab_size = vocab_size
        self.context_length = context_length
        inputs = {entry.name: entry for entry in self._session.get_inputs()}
        defaulted = self._session.get_overridable_initializers()
        self._slots = graph_shapes({entry.name: entry.shape for entry in defaulted})
        self._wants_positions = "position_ids" in inputs
        shape = (1, kv_heads, context_length, head_dim)
        self._cache: dict[str, NDArray[Any]] = {}
        for layer in range(layers):
            for part in ("key", "value"):
                past = inputs.get(f"past_key_values.{layer}.{part}")
                if past is None or past.type != _TYPES[kv_type]:
                    raise BundleError(
                        f"{model_path}: no input 'past_key_values.{layer}.{part}' of {kv_type} for "
                        f"a base of {layers} layers; export the bundle again."
                    )
                # np.zeros takes pages only as they are written: a long context costs when used.
                self._cache[f"{layer}.{part}"] = np.zeros(shape, kv_type)
        self._position = 0
        self.activate(None)

    @property
    def position(self) -> int:
        return self._position

    def prepare(self, tensors: Mapping[str, NDArray[np.floating]]) -> dict[str, ort.OrtValue]:
        """Check each tensor against the graph's slots; the values share memory with `tensors`."""
        check_tensors(tensors, self._slots)
        return {
            name: ort.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(tensor))
            for name, tensor in tensors.items()
        }

    def activate(self, handle: Mapping[str, ort.OrtValue] | None) -> None:
        # A fresh binding forgets the old adapter's tensors: slots left unbound default to rank 0.
        binding = self._session.io_binding()
        for name, buffer in self._cache.items():
            where = ("cpu", 0, buffer.dtype, buffer.shape, buffer.ctypes.data)
            binding.bind_input(f"past_key_values.{name}", *where)
            binding.bind_output(f"present.{name}", *where)
        for name, value in (handle or {}).items():
            binding.bind_ortvalue_input(name, value)
        self._binding = binding
        self._bound = handle  # keeps the tensors alive for as long as they are bound

    def forward(self, ids: Sequence[int]) -> NDArray[np.float32]:
        total = self._position + len(ids)
        if total > self.context_length:
            raise ContextError(
                f"context: {total} tokens are needed, but the engine was opened for "
                f"{self.context_length}; shorten the request or ask for a longer --context."
            )
        feeds = {
            "input_ids": np.array([ids], np.int64),
            "attention_mask": np.ones((1, total), np.int64),
        }
        if self._wants_positions:
            feeds["position_ids"] = np.arange(self._position, total, dtype=np.int64)[None]
        for name, array in feeds.items():
            self._binding.bind_ortvalue_input(name, ort.OrtValue.ortvalue_from_numpy(array))
        self._binding.bind_output("logits", "cpu")
        self._session.run_with_iobinding(self._binding)
        self._position = total
        logits = self._binding.get_outputs()[-1].numpy()
        return logits[0, -1].astype(np.float32, copy=False)

    def rewind(self, position: int) -> None:
        if not 0 <= position <= self._position:
            raise ValueError(f"cannot rewind to {position}: the cache holds {self._position}")
        self._position = position

    def snapshot(self) -> _Snapshot:
        buffers = [buffer[:, :, : self._position].copy() for buffer in self._cache.values()]
        return _Snapshot(self._position, buffers)

    def restore(self, snapshot: _Snapshot) -> int:
        for buffer, kept in zip(self._cache.values(), snapshot.buffers, strict=True):
            buffer[:, :, : snapshot.position] = kept
        self._position = snapshot.position
        return 0

    def kv_bytes(self) -> int:
        return sum(buffer.nbytes for buffer in self._cache.values())
