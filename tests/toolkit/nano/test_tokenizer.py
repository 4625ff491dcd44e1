"""nano's tokenizer: nothing lost, and a span has the same pieces wherever it stands."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from edgetune.invent.records import invent_record, rng_for
from edgetune.invent.words import pseudo_phrase
from edgetune.nano.rendering import render
from edgetune.nano.tokenizer import SPECIAL
from edgetune_export.weights.checkpoint import read_tokenizer
from edgetune_runtime.errors import InputError


def pieces(tokenizer: PreTrainedTokenizerFast, text: str) -> list[str]:
    """The tokens of `text` without the spaces before them."""
    return [piece for piece in (t.lstrip("Ġ") for t in tokenizer.tokenize(text)) if piece]


def test_special_tokens_come_first_and_are_single(tokenizer: PreTrainedTokenizerFast) -> None:
    assert tokenizer.convert_tokens_to_ids(list(SPECIAL)) == list(range(len(SPECIAL)))
    assert tokenizer.pad_token_id == 0
    assert tokenizer.eos_token == "<|im_end|>"
    assert len(tokenizer) <= 4096


def test_text_comes_back_as_it_was(tokenizer: PreTrainedTokenizerFast) -> None:
    for index in range(50):
        record = invent_record(8, index)
        text = render(record["messages"], record["tools"])
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    for text in ("Zoë's café — 東京 🙂", "a  b\n\n c", '{"a": ["x", 1.5, true]}'):
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


@pytest.mark.parametrize("context", ["add {}", '": "{}"', "to {}, please", "({})", "\n{}"])
def test_a_span_has_the_same_pieces_wherever_it_stands(
    tokenizer: PreTrainedTokenizerFast, context: str
) -> None:
    before, after = context.split("{}")
    for index in range(40):
        span = pseudo_phrase(rng_for(6, index))
        alone = pieces(tokenizer, span)
        inside = pieces(tokenizer, before + span + after)
        start = len(pieces(tokenizer, before))
        assert inside[start : start + len(alone)] == alone


def test_junctures_of_json_are_tokens_apart_from_values(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    tokens = tokenizer.tokenize('{"name": "go", "arguments": {"place": "Oslo"}}')
    assert {'":', 'Ġ"', '",', 'Ġ{"', '"}}'} <= set(tokens)


def test_auto_tokenizer_loads_what_is_saved(
    tokenizer: PreTrainedTokenizerFast, tokenizer_file: Path
) -> None:
    loaded = AutoTokenizer.from_pretrained(str(tokenizer_file.parent))
    assert loaded.chat_template == tokenizer.chat_template
    assert loaded.model_max_length == 2048
    assert loaded.tokenize("Add Zarkon to my list") == tokenizer.tokenize("Add Zarkon to my list")


def test_a_checkpoint_of_another_family_s_class_is_read_as_its_tokenizer_says(
    tokenizer: PreTrainedTokenizerFast,
    tokenizer_file: Path,
    tiny_checkpoint: Callable[..., Path],
    tmp_path: Path,
) -> None:
    shutil.copytree(tokenizer_file.parent, tmp_path, dirs_exist_ok=True)
    shutil.copyfile(tiny_checkpoint("qwen2") / "config.json", tmp_path / "config.json")
    text = '{"name": "go", "arguments": {"place": "Oslo"}}'
    assert read_tokenizer(tmp_path).tokenize(text) == tokenizer.tokenize(text)


@pytest.mark.parametrize("part", ["model", "pre_tokenizer"])
def test_a_tokenizer_that_cannot_be_read_is_one_sentence(
    tokenizer_file: Path, tmp_path: Path, part: str
) -> None:
    shutil.copytree(tokenizer_file.parent, tmp_path, dirs_exist_ok=True)
    state = json.loads(tokenizer_file.read_text())
    state[part] = {"type": "Nonsense"}
    (tmp_path / "tokenizer.json").write_text(json.dumps(state))
    with pytest.raises(InputError, match="its tokenizer does not load"):
        read_tokenizer(tmp_path)
