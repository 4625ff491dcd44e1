"""The dimensions of a base, by the names that edgetune uses for them."""

from dataclasses import dataclass
from typing import Any

from optimum.utils import NormalizedConfigManager


@dataclass(frozen=True)
class Shape:
    """A base's dimensions, read through optimum's normalised configuration."""

    family: str
    vocab_size: int
    hidden_size: int
    intermediate_size: int
    layers: int
    attention_heads: int
    kv_heads: int
    head_dim: int
    context_length: int
    tied: bool
    """The output head is the embedding table."""


def read_shape(config: Any) -> Shape:
    """The dimensions that transformers' configuration `config` tells."""
    normalized = NormalizedConfigManager.get_normalized_config_class(config.model_type)(config)
    heads = normalized.num_attention_heads
    return Shape(
        family=config.model_type,
        vocab_size=normalized.vocab_size,
        hidden_size=normalized.hidden_size,
        intermediate_size=normalized.intermediate_size,
        layers=normalized.num_layers,
        attention_heads=heads,
        kv_heads=getattr(config, "num_key_value_heads", None) or heads,
        head_dim=getattr(config, "head_dim", None) or normalized.hidden_size // heads,
        context_length=normalized.max_position_embeddings,
        tied=bool(config.tie_word_embeddings),
    )
