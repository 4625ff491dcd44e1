"""nano before its first step: the shape of the model, its initial weights, and its optimizers.

It knows the recipe's numbers: nothing of data, steps or files.
"""

import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

from edgetune.nano.recipe import Recipe
from edgetune.nano.tokenizer import VOCABULARY
from edgetune.nano.warm_start import write_induction


def build_model(recipe: Recipe, pairs: list[tuple[int, int]]) -> Qwen2ForCausalLM:
    """nano with random weights but for a circuit that copies; `pairs` as from `spaced_pairs`."""
    torch.manual_seed(recipe.seed)
    config = Qwen2Config(
        vocab_size=VOCABULARY,
        hidden_size=recipe.hidden,
        intermediate_size=recipe.intermediate,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        num_key_value_heads=recipe.kv_heads,
        max_position_embeddings=2048,
        rms_norm_eps=1e-6,
        rope_theta=10_000.0,
        tie_word_embeddings=True,
        attention_dropout=0.0,
        use_cache=False,
        bos_token_id=None,
        eos_token_id=2,
        pad_token_id=0,
    )
    model = Qwen2ForCausalLM(config)
    write_induction(model, recipe.seed, pairs)
    return model


def make_optimizers(model: Qwen2ForCausalLM, recipe: Recipe) -> list[torch.optim.Optimizer]:
    """Muon for the hidden matrices at `muon_rate`, AdamW for the rest at `adam_rate`."""
    hidden = [p for n, p in model.named_parameters() if p.ndim == 2 and "embed" not in n]
    rest = [p for n, p in model.named_parameters() if p.ndim != 2 or "embed" in n]
    return [
        torch.optim.Muon(
            hidden, lr=recipe.muon_rate, weight_decay=recipe.weight_decay, momentum=0.95
        ),
        torch.optim.AdamW(rest, lr=recipe.adam_rate, betas=(0.9, 0.95), weight_decay=0.0),
    ]
