"""Delta blobs and which of them are in memory: reading, residency and swaps.

A blob is one safetensors file whose tensors lie as the graph binds them. This module knows files
and memory; what a slot is and how it is bound is the engine's.
"""

import json
import time
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgetune_runtime.assets import AdapterSource, Tensors
from edgetune_runtime.blob_types import BLOB_TYPES
from edgetune_runtime.engine import Engine
from edgetune_runtime.errors import AdapterError, BundleError, InputError

BASE_KEY = "base_sha256"
"""Metadata key of a blob: the hash of the quantized base that it was trained on."""

_DTYPES: dict[str, np.dtype[Any]] = {
    each.safetensors: np.dtype(each.numpy) for each in BLOB_TYPES.values()
}


def read_blob(path: Path) -> Tensors:
    """The tensors of a blob by name, as float32 arrays.

    float32 tensors are read-only views of the memory-mapped file (no copy: pages come in as they
    are used); float16 ones are widened here, once. Raises BundleError for a missing, truncated or
    foreign file.
    """
    content, header, begin = _open_blob(path)
    tensors: dict[str, NDArray[np.float32]] = {}
    covered = begin
    for name, entry in header.items():
        try:
            dtype, shape = _DTYPES[entry["dtype"]], tuple(map(int, entry["shape"]))
            first, last = (begin + int(offset) for offset in entry["data_offsets"])
        except (KeyError, TypeError, ValueError) as error:
            raise _damaged(
                path,
                f"tensor '{name}' has no {' or '.join(BLOB_TYPES)} data where the header says so",
            ) from error
        size = dtype.itemsize * int(np.prod(shape, dtype=np.int64))
        if min(shape, default=0) < 0 or not begin <= first <= last <= content.size:
            raise _damaged(path, f"it ends at byte {content.size}, before tensor '{name}' does")
        if last - first != size:
            raise _damaged(path, f"tensor '{name}' has {last - first} bytes where {size} belong")
        covered = max(covered, last)
        data = content[first:last].view(dtype).reshape(shape)
        tensors[name] = data.astype(np.float32, copy=False)
    if covered != content.size:
        raise _damaged(path, f"it has {content.size} bytes where its header describes {covered}")
    return tensors


def read_blob_metadata(path: Path) -> dict[str, str]:
    """The metadata of a blob's header. Raises BundleError for a missing or foreign file."""
    _, header, _ = _open_blob(path, keep_metadata=True)
    return header.get("__metadata__") or {}


def _open_blob(
    path: Path, keep_metadata: bool = False
) -> tuple[NDArray[np.uint8], dict[str, Any], int]:
    """The mapped file, its safetensors header, and where the data begins.

    The format: 8 bytes little-endian header length, a JSON header, the data
    (https://huggingface.co/docs/safetensors).
    """
    try:
        content = np.memmap(path, np.uint8, "r")
        begin = 8 + int.from_bytes(content[:8].tobytes(), "little")
        header = json.loads(content[8:begin].tobytes()) if begin <= content.size else None
    except (OSError, ValueError) as error:
        raise BundleError(f"{path}: cannot be read as a blob ({error}); export again.") from error
    if not isinstance(header, dict):
        raise _damaged(path, "its header is cut off or is none of safetensors")
    if not keep_metadata:
        header.pop("__metadata__", None)
    # A plain array: np.memmap's own slices carry bookkeeping that every later operation pays for.
    return np.asarray(content), header, begin


def _damaged(path: Path, what: str) -> BundleError:
    return BundleError(f"{path}: not a whole blob, {what}; copy or export the bundle again.")


class AdapterPool:
    """The adapters that are in memory, and the one that is active on `engine`.

    A cold activation loads, prepares and binds; a warm one only binds. With `max_resident` the
    least recently used adapter makes room. The times of the last activations (`cold_ms`,
    `warm_ms`) and the bytes in memory (`resident_bytes`) are kept by adapter name.
    """

    def __init__(
        self,
        engine: Engine,
        sources: Mapping[str, AdapterSource],
        max_resident: int | None = None,
    ) -> None:
        if max_resident is not None and max_resident < 1:
            raise InputError(f"max_resident: found {max_resident}, expected 1 or more.")
        self._engine = engine
        self._sources = sources
        self._max_resident = max_resident
        self._handles: OrderedDict[str, Any] = OrderedDict()
        self.active: str | None = None
        self.cold_ms: dict[str, float] = {}
        self.warm_ms: dict[str, float] = {}
        self.resident_bytes: dict[str, int] = {}
        engine.activate(None)

    def activate(self, name: str | None) -> float:
        """Make adapter `name` (None: the bare base) the active one; how long it took, in ms.

        Raises InputError for a name that is not there, BundleError or AdapterError for a blob that
        cannot be read or does not fit the base; the adapter that was active then stays so. It is
        bound again even where it was active: another pool may have used the engine since.
        """
        begin = time.perf_counter()
        cold = name is not None and name not in self._handles
        if name is None:
            self._engine.activate(None)
        else:
            if cold:
                self._load(name)
            self._engine.activate(self._handles[name])
            self._handles.move_to_end(name)
        self.active = name
        took = 1000 * (time.perf_counter() - begin)
        if name is not None:
            (self.cold_ms if cold else self.warm_ms)[name] = took
        self._evict()
        return took

    def _load(self, name: str) -> None:
        if name not in self._sources:
            raise InputError(
                f"adapter '{name}': not in this bundle, which has {sorted(self._sources)}; "
                "choose one of these."
            )
        tensors = self._sources[name].load()
        try:
            self._handles[name] = self._engine.prepare(tensors)
        except AdapterError as error:
            raise AdapterError(f"adapter '{name}': {error}") from error
        self.resident_bytes[name] = sum(tensor.nbytes for tensor in tensors.values())

    def _evict(self) -> None:
        while self._max_resident is not None and len(self._handles) > self._max_resident:
            oldest = next(name for name in self._handles if name != self.active)
            del self._handles[oldest], self.resident_bytes[oldest]
