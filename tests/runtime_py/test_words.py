"""Words: as they appear, never in halves, never a call, and within their budget."""

import numpy as np
import pytest

from edgetune_runtime.decode import write_words
from edgetune_runtime.errors import InputError

PROMPT = (10, 11, 12)


def saying(ids, vocab_size, end):
    """Logits of a model that wants to say `ids` and then ends its turn."""
    said = iter([*ids, end])

    def logits(_fed, _adapter):
        found = np.zeros(vocab_size, np.float32)
        found[next(said)] = 9.0
        return found

    return logits


@pytest.mark.parametrize("text", ["It is sunny.", "Zürich, 東京 👍🏽!", ""])
def test_words_come_as_they_appear_and_never_in_halves(mock_engine, tokenizer, vocabulary, text):
    end = tokenizer.token_to_id("<|im_end|>")
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    engine = mock_engine(logits=saying(ids, len(vocabulary), end))
    pieces = list(write_words(engine, vocabulary, prompt=PROMPT, end_tokens=(end,)))
    assert "".join(pieces) == text
    assert all(pieces)
    assert "�" not in "".join(pieces)
    assert engine.fed == [PROMPT, *((token,) for token in ids)]


def test_no_added_token_is_ever_said(mock_engine, tokenizer, vocabulary):
    call, end = (tokenizer.token_to_id(mark) for mark in ("<tool_call>", "<|im_end|>"))

    def logits(_fed, _adapter):
        found = np.zeros(len(vocabulary), np.float32)
        found[call], found[end] = 99.0, -1.0
        return found

    engine = mock_engine(logits=logits)
    words = list(write_words(engine, vocabulary, prompt=PROMPT, end_tokens=(end,), max_tokens=9))
    assert words
    assert (call,) not in engine.fed


@pytest.mark.parametrize(("max_tokens", "context"), [(5, 512), (99, len(PROMPT) + 4)])
def test_words_are_bounded_by_their_budget_and_the_context(
    mock_engine, vocabulary, max_tokens, context
):
    engine = mock_engine(seed=4, context_length=context)
    list(write_words(engine, vocabulary, prompt=PROMPT, end_tokens=(), max_tokens=max_tokens))
    assert len(engine.fed) == 5
    full = write_words(mock_engine(context_length=2), vocabulary, prompt=PROMPT, end_tokens=())
    with pytest.raises(InputError, match="context"):
        next(full)


def test_sampled_words_repeat_with_their_seed(mock_engine, vocabulary):
    def said(seed):
        rng = np.random.default_rng(seed)
        engine = mock_engine(seed=4)
        return "".join(
            write_words(
                engine,
                vocabulary,
                prompt=PROMPT,
                end_tokens=(),
                max_tokens=12,
                temperature=1.5,
                rng=rng,
            )
        )

    assert said(0) == said(0)
    assert len({said(seed) for seed in range(4)}) > 1
