"""The bytes of each token: text in tokens is text in bytes, for both kinds of tokenizers."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from edgetune_export.grammar.token_bytes import read_vocabulary
from edgetune_runtime.errors import InputError


@pytest.fixture(scope="module")
def metaspace() -> Tokenizer:
    """Llama 2's kind: `▁` for a space, a `<0x..>` token for each byte without one of its own."""
    tokens = [
        "<unk>",
        "<s>",
        *(f"<0x{byte:02X}>" for byte in range(256)),
        "▁",
        "a",
        "b",
        "▁a",
        "ab",
    ]
    made = Tokenizer(
        models.BPE(
            {token: index for index, token in enumerate(tokens)},
            [("▁", "a"), ("a", "b")],
            unk_token="<unk>",
            byte_fallback=True,
        )
    )
    made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never", split=False)
    made.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    made.add_special_tokens(["<unk>", "<s>"])
    return made


@pytest.fixture(scope="module")
def tokenizer(tiny_checkpoint) -> Tokenizer:
    return Tokenizer.from_file(str(tiny_checkpoint("qwen2") / "tokenizer.json"))


@pytest.fixture(scope="module")
def vocabulary(tokenizer):
    return read_vocabulary(tokenizer)


@given(text=st.text())
def test_tokens_of_a_byte_level_vocabulary_have_the_bytes_of_their_text(
    tokenizer, vocabulary, text
):
    assume(
        not any(token.content in text for token in tokenizer.get_added_tokens_decoder().values())
    )
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    assert vocabulary.text(ids) == text.encode()


@given(text=st.text(alphabet="ab é☃\n"))
def test_tokens_of_a_metaspace_vocabulary_have_the_bytes_of_their_text(metaspace, text):
    ids = metaspace.encode(text, add_special_tokens=False).ids
    assert read_vocabulary(metaspace).text(ids) == text.encode()


def test_added_tokens_have_no_bytes(tokenizer, vocabulary):
    assert vocabulary[tokenizer.token_to_id("<tool_call>")] == b""


def test_another_kind_of_tokenizer_is_refused():
    with pytest.raises(InputError, match="byte-level"):
        read_vocabulary(Tokenizer(models.WordLevel({"a": 0}, unk_token="a")))
