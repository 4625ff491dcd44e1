"""How large a base is: what is chosen for it where nobody says otherwise follows from that.

A large base pays for exactness with a phone's memory and time; a small one, such as nano, hardly.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgetune_export.weights.base import Base

LARGE = 50_000_000
"""Parameters above which a base is large."""


def parameters(base: "Base") -> int:
    """How many numbers the base's matrices have."""
    shape = base.shape
    tables = (1 if shape.tied else 2) * shape.vocab_size * shape.hidden_size
    return tables + sum(slot.in_features * slot.out_features for slot in base.slots())


def is_large(base: "Base") -> bool:
    """Whether blobs are halved and activations rounded for it, unless somebody says otherwise."""
    return parameters(base) > LARGE
