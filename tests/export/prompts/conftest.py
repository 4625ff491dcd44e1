"""Fixtures of the prompt tests."""

import pytest


@pytest.fixture(scope="session")
def with_template(tiny_checkpoint):
    """A factory: transformers' tokenizer with this chat template."""
    from transformers import AutoTokenizer

    def make(source):
        loaded = AutoTokenizer.from_pretrained(tiny_checkpoint("qwen2"))
        loaded.chat_template = source
        return loaded

    return make
