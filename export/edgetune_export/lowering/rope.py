"""Which rotary embeddings a target may be made for."""

from edgetune_export.weights.base import Base
from edgetune_runtime.errors import InputError

ROPE_TYPES = ("default", "llama3")
"""Those that every target computes as transformers does. Others (YaRN, linear scaling, longrope)
are drawn a little differently by the ONNX builder, which does not say so, or depend on the length
of the prompt, which a table of angles cannot."""


def check_rope(base: Base) -> None:
    """Raises InputError for a base whose rotary embedding would come out differently."""
    kind = (base.config.rope_parameters or {}).get("rope_type", "default")
    if kind not in ROPE_TYPES:
        raise InputError(
            f"{base.directory / 'config.json'}: rope_type '{kind}' cannot be lowered faithfully "
            f"(only {', '.join(ROPE_TYPES)}); choose another base."
        )
