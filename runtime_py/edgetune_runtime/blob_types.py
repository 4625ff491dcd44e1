"""How a delta blob may store its numbers: the one table of types.

Engines bind float32: what is stored otherwise is widened when a blob is read (`adapters`). This
module imports nothing heavy, so that a command line can list the names.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class BlobType:
    """One type."""

    safetensors: str
    """What a header of safetensors calls it."""
    numpy: str
    """NumPy's name of it, as it lies in the file."""
    tolerance: float
    """By how much of itself a slot's |A B| may be off, by rounding to this type alone."""


DEFAULT_BLOB_TYPE, HALF_BLOB_TYPE = "float32", "float16"
"""What is taken for a small base, and for a large one."""

BLOB_TYPES: Mapping[str, BlobType] = {
    "float32": BlobType("F32", "<f4", 1e-4),
    "float16": BlobType("F16", "<f2", 2e-3),
}
"""By the name that `--blob-type` and the manifest use."""
