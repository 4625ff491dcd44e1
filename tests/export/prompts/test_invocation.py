"""Where an activated LoRA begins to act: the opening of a call, be it one token or plain text."""

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from edgetune_export.prompts.invocation import invocation_tokens
from edgetune_export.prompts.template import Template
from edgetune_runtime.errors import InputError
from edgetune_runtime.invocation import invocation_place
from edgetune_runtime.prompt import Assistant, User, call_opening, render_prompt


def test_a_token_of_its_own_is_the_whole_invocation(tiny_base):
    template = tiny_base().template
    found = invocation_tokens(template, "call")
    assert found == (template.tokenizer.token_to_id("<tool_call>"),)


def test_plain_text_is_taken_as_far_as_every_call_begins_with_it(tiny_base):
    template = Template.read(tiny_base().directory)
    template.pieces = template.pieces.model_copy(update={"call_open": '[call] {"name": "'})
    found = invocation_tokens(template, "call")
    assert len(found) > 1
    for name in ("get_weather", "x"):
        ids = template.ids(call_opening(template.pieces, name))
        assert tuple(ids[: len(found)]) == found


def test_a_turn_of_the_user_opens_alike_whatever_is_said(tiny_base):
    template = tiny_base().template
    pieces, tokenizer = template.pieces, template.tokenizer
    found = invocation_tokens(template, "turn")
    for text in ("hello", "\n\n7 o'clock", " x"):
        ids = template.ids(render_prompt(pieces, "", [User(text)]))
        assert invocation_place(ids, found) == 0
    two = [User("hello"), Assistant(), User("again")]
    ids = template.ids(render_prompt(pieces, "", two))
    assert "again" in tokenizer.decode(ids[invocation_place(ids, found) :])
    assert "hello" not in tokenizer.decode(ids[invocation_place(ids, found) :])


def test_an_opening_that_is_joined_to_what_stands_before_is_refused(tiny_base):
    template = Template.read(tiny_base().directory)
    template.pieces = template.pieces.model_copy(
        update={"assistant": ("", "a"), "user": ("b: ", "")}
    )
    joining = Tokenizer(models.BPE({"a": 0, "b": 1, "ab": 2, ":": 3, " ": 4}, [("a", "b")]))
    joining.pre_tokenizer = pre_tokenizers.Whitespace()
    template.tokenizer = joining
    with pytest.raises(InputError, match=r"adapter.invocation: turn .*'b: '.* to 'a' before"):
        invocation_tokens(template, "turn")
