"""The hand-written circuit: nano repeats what it has seen before it has learnt anything."""

import torch
from transformers import PreTrainedTokenizerFast

from edgetune.nano.model import build_model
from edgetune.nano.recipe import Recipe
from edgetune.nano.tokenizer import VOCABULARY, spaced_pairs


def test_untrained_nano_repeats_a_sequence_that_it_has_seen(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    model = build_model(Recipe(), spaced_pairs(tokenizer.backend_tokenizer))
    once = torch.randint(20, VOCABULARY, (4, 60), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        guesses = model(torch.cat([once, once], dim=1)).logits.argmax(-1)
    again = (guesses[:, 60:-1] == once[:, 1:]).float().mean()
    before = (guesses[:, :59] == once[:, 1:]).float().mean()
    assert again > 0.4
    assert before < 0.05


def test_the_circuit_depends_on_the_seed_alone(tokenizer: PreTrainedTokenizerFast) -> None:
    pairs = spaced_pairs(tokenizer.backend_tokenizer)
    one, same, other = (build_model(Recipe(seed=seed), pairs) for seed in (1, 1, 2))
    for name, weight in one.state_dict().items():
        assert torch.equal(weight, same.state_dict()[name])
    assert not torch.equal(one.lm_head.weight, other.lm_head.weight)
