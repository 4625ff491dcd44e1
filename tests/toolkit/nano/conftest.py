"""A tokenizer of nano's kind, trained on a few records."""

from pathlib import Path

import pytest
from transformers import PreTrainedTokenizerFast

from edgetune.nano.tokenizer import train_tokenizer, training_text


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerFast:
    return train_tokenizer(training_text(seed=1, records=400))


@pytest.fixture(scope="session")
def tokenizer_file(
    tokenizer: PreTrainedTokenizerFast, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    directory = tmp_path_factory.mktemp("tokenizer")
    tokenizer.save_pretrained(str(directory))
    return directory / "tokenizer.json"
