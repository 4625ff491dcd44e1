"""Loss stands on the characters that a role writes, and on every token that touches one."""

import numpy as np
import pytest

from edgetune.train.loss_masks import loss_spans, token_mask
from edgetune_export.grammar.order import arguments_json
from edgetune_runtime.calls import RESPOND
from edgetune_runtime.prompt import NO_ARGUMENTS, Pieces, render_call

PIECES = Pieces(
    user=("<u>", "</u>"),
    assistant=("<a>", "</a>"),
    result=("<r>", "</r>"),
    call_open='<tool_call>\n{"name": "',
    call_middle='", "arguments": ',
    call_close="}\n</tool_call>",
)


@pytest.mark.parametrize(
    ("role", "learnt"),
    [
        ("selector", ['set_alarm"']),
        ("arguments", ['{"time": "7:30", "label": "tea"}}\n</tool_call>']),
        ("monolithic", ['set_alarm"', '{"time": "7:30", "label": "tea"}}\n</tool_call>']),
    ],
)
def test_each_role_learns_its_part_of_the_call(weather_toolset, role, learnt):
    tool = weather_toolset["set_alarm"]
    call = tool.name, arguments_json(tool, {"label": "tea", "time": "7:30"})
    text = render_call(PIECES, *call)
    spans = loss_spans(PIECES, *call, role)
    assert [text[start:end] for start, end in spans] == learnt


def test_the_selector_learns_to_respond():
    text = render_call(PIECES, RESPOND, NO_ARGUMENTS)
    [(start, end)] = loss_spans(PIECES, RESPOND, NO_ARGUMENTS, "selector")
    assert text[start:end] == 'respond"'


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        ((2, 4), [0, 1, 0, 0]),  # exactly one token
        ((1, 3), [1, 1, 0, 0]),  # begins inside one token and ends inside the next
        ((3, 5), [0, 1, 1, 0]),
        ((4, 4), [0, 0, 0, 0]),  # nothing
        ((0, 8), [1, 1, 1, 1]),
    ],
)
def test_a_token_that_straddles_an_edge_is_in(span, expected):
    offsets = [(0, 2), (2, 4), (4, 6), (6, 8)]
    assert token_mask(offsets, [span]).tolist() == [bool(value) for value in expected]


def test_the_bytes_of_one_character_are_in_or_out_together():
    offsets = [(0, 1), (1, 2), (1, 2), (1, 2), (2, 3)]
    assert token_mask(offsets, [(1, 2)]).tolist() == [False, True, True, True, False]


def test_a_blank_that_a_tokenizer_leaves_out_belongs_to_the_token_after_it():
    # " to" with trimmed offsets (1 to 3), and a lone blank with none at all.
    offsets = [(0, 1), (2, 4), (5, 5), (5, 6)]
    assert token_mask(offsets, [(1, 2)]).tolist() == [False, True, False, False]
    assert token_mask(offsets, [(4, 5)]).tolist() == [False, False, True, False]


def test_no_tokens_give_no_mask():
    assert token_mask([], [(0, 1)]).shape == (0,)
    assert token_mask([], [(0, 1)]).dtype == np.bool_
