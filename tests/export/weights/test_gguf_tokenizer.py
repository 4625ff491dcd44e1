"""Text becomes the same tokens as in llama.cpp, whose own answers are in llama_cpp_golden.json."""

import json
from pathlib import Path

import pytest

from edgetune_export.weights.checkpoint import find_checkpoint, read_tokenizer
from edgetune_export.weights.gguf_tokenizer import PRE_TOKENIZERS, gguf_tokenizer

GOLDEN = json.loads(Path(__file__).with_name("llama_cpp_golden.json").read_text())
CONTROL, DEFINED = 3, 2
"""So many tokens of the golden vocabulary are control tokens, and defined by the user: its last."""


class File(dict):
    """The keys of a GGUF file."""

    path = "small.gguf"


def small(rule: str, **keys) -> File:
    plain = len(GOLDEN["tokens"]) - CONTROL - DEFINED
    values = {
        "model": "gpt2",
        "pre": rule,
        "tokens": GOLDEN["tokens"],
        "merges": GOLDEN["merges"],
        "token_type": [1] * plain + [3] * CONTROL + [4] * DEFINED,
        **keys,
    }
    return File({f"tokenizer.ggml.{key}": value for key, value in values.items()})


def assert_like_llama_cpp(tokenizer, wanted):
    for text, ids in zip(GOLDEN["texts"], wanted, strict=True):
        found = tokenizer.encode(text, add_special_tokens=False)
        names = tokenizer.convert_ids_to_tokens
        assert found == ids, (text, names(found), names(ids))
        assert tokenizer.decode(found) == text


@pytest.mark.parametrize("rule", PRE_TOKENIZERS)
def test_each_rule_cuts_text_as_llama_cpp_does(rule):
    assert_like_llama_cpp(gguf_tokenizer(small(rule)), GOLDEN["ids"][rule])


@pytest.mark.parametrize("rule", PRE_TOKENIZERS)
def test_what_is_saved_is_read_as_it_was(rule, tmp_path):
    gguf_tokenizer(small(rule)).save_pretrained(tmp_path)
    assert_like_llama_cpp(read_tokenizer(tmp_path), GOLDEN["ids"][rule])


def test_smollm2_reads_text_as_in_llama_cpp(real_gguf):
    directory, _ = find_checkpoint(str(real_gguf), None)
    assert_like_llama_cpp(read_tokenizer(directory), GOLDEN["ids"]["smollm2-135m"])


def test_rules_differ_on_these_texts():
    told = [json.dumps(GOLDEN["ids"][rule]) for rule in PRE_TOKENIZERS]
    assert len(set(told)) == len(told)


def test_a_merge_may_begin_with_a_space():
    tokens = ["\u0120", "a", " ", " \u0120", "a\u0120"]
    merges = ["  \u0120", "a \u0120"]
    made = gguf_tokenizer(small("gpt-2", tokens=tokens, merges=merges, token_type=[1] * 5))
    assert made.get_vocab()[" \u0120"] == 3


def test_a_file_names_the_rule_by_any_of_its_names():
    by = [gguf_tokenizer(small(name)).encode("12345 It's") for name in ("llama3", "llama-bpe")]
    assert by[0] == by[1]


def test_unused_rows_are_no_tokens():
    tokens = [*GOLDEN["tokens"], "[PAD1]"]
    kinds = small("qwen2")["tokenizer.ggml.token_type"] + [5]
    tokenizer = gguf_tokenizer(small("qwen2", tokens=tokens, token_type=kinds))
    assert "[PAD1]" not in tokenizer.get_vocab()
    assert len(tokenizer) == len(tokens) - 1
