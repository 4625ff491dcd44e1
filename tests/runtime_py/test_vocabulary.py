"""What a vocabulary promises: text in tokens is text in bytes, and a grammar's walk is exact."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from edgetune_runtime.errors import InputError
from edgetune_runtime.vocabulary import Vocabulary

OBJECT = r'\{"city": "[a-zA-Z ]{0,9}"(, "days": [1-9][0-9]?)?\}'


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
    assert Vocabulary(metaspace).text(ids) == text.encode()


def test_added_tokens_have_no_bytes(tokenizer, vocabulary):
    assert vocabulary[tokenizer.token_to_id("<tool_call>")] == b""


def test_another_kind_of_tokenizer_is_refused():
    with pytest.raises(InputError, match="byte-level"):
        Vocabulary(Tokenizer(models.WordLevel({"a": 0}, unk_token="a")))


def test_all_tokens_at_once_go_where_each_goes_alone(vocabulary, regex_automaton):
    automaton = regex_automaton(OBJECT)
    for state in range(len(automaton.done)):
        alone = [
            automaton.walk(state, vocabulary[token]) if vocabulary[token] else 0
            for token in range(len(vocabulary))
        ]
        assert vocabulary.advance(automaton, state).tolist() == alone


def test_moves_are_the_tokens_that_stay_alive(vocabulary, regex_automaton):
    automaton = regex_automaton(OBJECT)
    reached = vocabulary.advance(automaton, automaton.start)
    moves = vocabulary.moves(automaton, automaton.start)
    assert moves.ids.tolist() == np.flatnonzero(reached).tolist()
    assert (reached[moves.ids] == moves.states).all()
    assert vocabulary.moves(automaton, automaton.start) is moves
