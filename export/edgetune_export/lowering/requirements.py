"""What targets require of a base, told from its configuration: before anything is made of it.

Which target requires what stands in `targets`' table. Knows neither weights nor how a base is
lowered, and imports nothing heavy.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

ROPE_TYPES = ("default", "llama3")
"""Rotary embeddings that every target computes as transformers does. Others (YaRN, linear scaling,
longrope) are drawn a little differently by the ONNX builder, which does not say so, or depend on
the length of the prompt, which a table of angles cannot."""

SILU = ("silu", "swish")
"""The one activation that edgetune's own decoders compute, by its two names."""

DRAWN = (*SILU, "gelu", "gelu_new", "gelu_pytorch_tanh", "relu")
"""Activations that the ONNX builder draws as transformers computes them."""

VULKAN_ROWS = 4
"""Vulkan's int4 product takes outputs in multiples of this."""


class Described(Protocol):
    """A base or a float checkpoint: whatever has a configuration in a directory."""

    directory: Path

    @property
    def config(self) -> Any:
        """transformers' configuration."""


Requirement = Callable[[Any], str | None]
"""From transformers' configuration to what is wrong with it, None where nothing is."""


def known_rope(config: Any) -> str | None:
    """Angles that are computed as transformers does."""
    kind = (config.rope_parameters or {}).get("rope_type", "default")
    if kind in ROPE_TYPES:
        return None
    return f"rope_type '{kind}' cannot be lowered faithfully (only {', '.join(ROPE_TYPES)})"


def silu(config: Any) -> str | None:
    """The activation of edgetune's own decoders."""
    return _activation(config, SILU)


def drawn_activation(config: Any) -> str | None:
    """An activation that the ONNX builder draws."""
    return _activation(config, DRAWN)


def _activation(config: Any, known: tuple[str, ...]) -> str | None:
    found = config.hidden_act
    if found in known:
        return None
    return f"hidden_act '{found}' cannot be lowered faithfully (only {', '.join(known)})"


def rows_of_four(config: Any) -> str | None:
    """As many tokens as Vulkan's int4 product takes."""
    found = config.vocab_size
    if found % VULKAN_ROWS == 0:
        return None
    return f"vocab_size {found} is no multiple of {VULKAN_ROWS}, as Vulkan's int4 product needs"
