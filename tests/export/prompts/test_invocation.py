"""Where an activated LoRA begins to act: the opening of a call, be it one token or plain text."""

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from edgetune_export.prompts.invocation import invocation_tokens
from edgetune_export.prompts.template import cut_pieces
from edgetune_runtime.calls import RESPOND_CALL, RESPOND_TOOL
from edgetune_runtime.errors import InputError
from edgetune_runtime.invocation import invocation_place
from edgetune_runtime.prompt import Called, User, call_opening, render_prompt


def test_a_token_of_its_own_is_the_whole_invocation(tiny_base):
    tokenizer = tiny_base().tokenizer
    found = invocation_tokens(tokenizer.backend_tokenizer, cut_pieces(tokenizer), "call")
    assert found == (tokenizer.convert_tokens_to_ids("<tool_call>"),)


def test_plain_text_is_taken_as_far_as_every_call_begins_with_it(tiny_base):
    tokenizer = tiny_base().tokenizer
    pieces = cut_pieces(tokenizer).model_copy(update={"call_open": '[call] {"name": "'})
    found = invocation_tokens(tokenizer.backend_tokenizer, pieces, "call")
    assert len(found) > 1
    for name in ("get_weather", "x"):
        ids = tokenizer.encode(call_opening(pieces, name), add_special_tokens=False)
        assert tuple(ids[: len(found)]) == found


def test_a_turn_of_the_user_opens_alike_whatever_is_said(tiny_base):
    tokenizer = tiny_base().tokenizer
    pieces = cut_pieces(tokenizer)
    found = invocation_tokens(tokenizer.backend_tokenizer, pieces, "turn")
    for text in ("hello", "\n\n7 o'clock", " x"):
        ids = tokenizer.encode(render_prompt(pieces, "", [User(text)]), add_special_tokens=False)
        assert invocation_place(ids, found) == 0
    two = [User("hello"), Called(RESPOND_TOOL, RESPOND_CALL), User("again")]
    ids = tokenizer.encode(render_prompt(pieces, "", two), add_special_tokens=False)
    assert "again" in tokenizer.decode(ids[invocation_place(ids, found) :])
    assert "hello" not in tokenizer.decode(ids[invocation_place(ids, found) :])


def test_an_opening_that_is_joined_to_what_stands_before_is_refused(tiny_base):
    pieces = cut_pieces(tiny_base().tokenizer).model_copy(
        update={"assistant": ("", "a"), "user": ("b: ", "")}
    )
    joining = Tokenizer(models.BPE({"a": 0, "b": 1, "ab": 2, ":": 3, " ": 4}, [("a", "b")]))
    joining.pre_tokenizer = pre_tokenizers.Whitespace()
    with pytest.raises(InputError, match=r"adapter.invocation: turn .*'b: '.* to 'a' before"):
        invocation_tokens(joining, pieces, "turn")
