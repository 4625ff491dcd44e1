"""The engine for Qualcomm's NPU: two compiled graphs of fixed shapes, and a K/V cache on this side.

On an x86-64 machine the provider emulates the NPU: slow, and for checks alone. Knows tensors and
ids only.
"""

from collections.abc import Callable, Mapping, Sequence
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
from edgetune_runtime.qnn_provider import add_provider
from edgetune_runtime.quiet import silent
from edgetune_runtime.slots import check_tensors, graph_shapes, tensor_names

EMBEDDING, PREFILL, DECODE = "embedding.onnx", "prefill.onnx", "decode.onnx"
"""The graphs: the first beside the chips' folders, the others in each."""

_FORBIDDEN = -1e4
"""Added to the score of what a token must not see: float16 holds it, and its exponential is 0."""

Handle = Mapping[str, NDArray[np.float32]]
"""A and B of every slot, filled up with zeros to the graphs' rank."""


def open_engine(
    bundle: Bundle, target: Target, context_length: int, _threads: int | None
) -> "QnnEngine":
    """The engine on the graphs of `target`, for at most `context_length` tokens."""
    decode = inside(bundle.path, target.model)
    return QnnEngine(
        inside(bundle.path, f"qnn/{EMBEDDING}"),
        decode.with_name(PREFILL),
        decode,
        context_length=context_length,
        vocab_size=bundle.manifest.base.vocab_size,
        kv_type=bundle.kv_type(target),
    )


@dataclass(frozen=True)
class _Snapshot:
    position: int
    cache: dict[str, NDArray[Any]]


class QnnEngine:
    """`Engine` on `embedding.onnx`, and `prefill.onnx` and `decode.onnx` of one chip.

    Inputs and outputs are those of `edgetune_export.lowering.static_graph`. A prompt goes through
    in chunks, the last one padded; whatever lies beyond the position is masked. `provider` is what
    a session gets to run the graphs: those before compilation need none.
    """

    name = "qnn"

    def __init__(
        self,
        embedding: Path,
        prefill: Path,
        decode: Path,
        *,
        context_length: int,
        vocab_size: int,
        kv_type: str = "float32",
        provider: Callable[[ort.SessionOptions], None] = add_provider,
    ) -> None:
        self.vocab_size = vocab_size
        self.context_length = context_length
        self._embedding = _open(embedding, ort.SessionOptions())
        self._graphs: dict[int, ort.InferenceSession] = {}
        for path in (prefill, decode):
            options = ort.SessionOptions()
            provider(options)
            session = _open(path, options)
            shapes = {value.name: value.shape for value in session.get_inputs()}
            self._graphs[shapes["hidden"][1]] = session
        self._chunk = max(self._graphs)
        self._slots = graph_shapes(shapes)
        self._rank = shapes[tensor_names(next(iter(self._slots)))[0]][1]
        self._cache = {
            name.removeprefix("past."): np.zeros(shape, kv_type)
            for name, shape in shapes.items()
            if name.startswith("past.")
        }
        self._columns = next(iter(self._cache.values())).shape[2]
        self._none = self._filled({})
        self._position = 0
        self.activate(None)

    @property
    def position(self) -> int:
        return self._position

    def prepare(self, tensors: Mapping[str, NDArray[np.floating]]) -> Handle:
        check_tensors(tensors, self._slots, self._rank)
        return self._filled(tensors)

    def _filled(self, tensors: Mapping[str, NDArray[np.floating]]) -> Handle:
        """Zeros add nothing, in slots without an adapter and beyond an adapter's rank."""
        filled: dict[str, NDArray[np.float32]] = {}
        for slot, (rows, columns) in self._slots.items():
            inner = np.zeros((rows, self._rank), np.float32)
            outer = np.zeros((self._rank, columns), np.float32)
            a, b = tensor_names(slot)
            if a in tensors:
                rank = tensors[a].shape[1]
                inner[:, :rank] = tensors[a]
                outer[:rank] = tensors[b]
            filled |= {a: inner, b: outer}
        return filled

    def activate(self, handle: Handle | None) -> None:
        self._bound = self._none if handle is None else handle

    def forward(self, ids: Sequence[int]) -> NDArray[np.float32]:
        total = self._position + len(ids)
        if total > self.context_length:
            raise ContextError(
                f"context: {total} tokens are needed, but this engine has {self.context_length}; "
                "shorten the request."
            )
        left = list(ids)
        while left:
            length = 1 if len(left) == 1 else self._chunk
            logits = self._step(left[:length], length)
            left = left[length:]
        return logits

    def _step(self, ids: list[int], length: int) -> NDArray[np.float32]:
        """Run `ids` through the graph of `length` tokens; the logits after the last of them."""
        start, count = self._position, len(ids)
        padded = np.array([ids + [0] * (length - count)], np.int64)
        mask = np.full((1, 1, length, self._columns + length), _FORBIDDEN, np.float32)
        mask[..., :start] = 0
        mask[0, 0, :, self._columns :][np.tril_indices(length)] = 0
        feeds = {
            "hidden": self._embedding.run(None, {"ids": padded})[0],
            "positions": np.arange(start, start + length, dtype=np.int64),
            "last": np.array([count - 1], np.int64),
            "mask": mask,
            **{f"past.{name}": cache for name, cache in self._cache.items()},
            **self._bound,
        }
        names = ["logits", *(f"new.{name}" for name in self._cache)]
        logits, *new = self._graphs[length].run(names, feeds)
        for cache, values in zip(self._cache.values(), new, strict=True):
            cache[:, :, start : start + count] = values[:, :, :count]
        self._position = start + count
        return logits.reshape(-1)

    def rewind(self, position: int) -> None:
        if not 0 <= position <= self._position:
            raise ValueError(f"cannot rewind to {position}: the cache holds {self._position}")
        self._position = position

    def snapshot(self) -> _Snapshot:
        kept = {name: cache[:, :, : self._position].copy() for name, cache in self._cache.items()}
        return _Snapshot(self._position, kept)

    def restore(self, snapshot: _Snapshot) -> int:
        for name, kept in snapshot.cache.items():
            self._cache[name][:, :, : snapshot.position] = kept
        self._position = snapshot.position
        return 0

    def kv_bytes(self) -> int:
        return sum(cache.nbytes for cache in self._cache.values())


def _open(path: Path, options: ort.SessionOptions) -> Any:
    options.log_severity_level = 3
    try:
        with silent():
            return ort.InferenceSession(str(path), options)
    except Exception as error:
        raise BundleError(
            f"{path}: ONNX Runtime cannot load it ({error}); export the bundle again with this "
            "version of onnxruntime-qnn."
        ) from error
