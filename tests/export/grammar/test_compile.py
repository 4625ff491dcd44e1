"""A grammar under a tokenizer: exact distances, and forced tokens that are its own choice."""

import json

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from tokenizers import Tokenizer, decoders, models, normalizers

from edgetune_export.grammar.compile import compile_grammar
from edgetune_export.grammar.order import arguments_json
from edgetune_export.grammar.token_bytes import read_vocabulary
from edgetune_export.prompts.template import Template
from edgetune_runtime.automaton import UNREACHABLE, Automaton
from edgetune_runtime.calls import Tool
from edgetune_runtime.decode import decode_arguments
from edgetune_runtime.errors import GrammarError
from edgetune_runtime.prompt import render_call

TOOL = Tool(
    "set_alarm",
    "",
    {
        "type": "object",
        "properties": {
            "time": {"type": "string", "maxLength": 12},
            "label": {"type": "string"},
            "repeat": {"enum": ["daily", "weekdays", "wöchentlich"]},
            "volume": {"type": "integer", "minimum": 0, "maximum": 10},
            "days": {"type": "array", "items": {"enum": ["Mon", "Tue"]}, "maxItems": 3},
        },
        "required": ["time", "volume"],
        "additionalProperties": False,
    },
)
ARGUMENTS = [
    {"time": "7:30", "volume": 3},
    {"time": "", "volume": 10, "days": []},
    {"time": "half past", "label": 'say "ü" \\ 東京\n', "volume": 0},
    {"time": "noon", "repeat": "wöchentlich", "volume": 7, "days": ["Mon", "Tue"]},
]


@pytest.fixture(scope="module")
def template(tiny_checkpoint):
    return Template.read(tiny_checkpoint("qwen2"))


@pytest.fixture(scope="module")
def pieces(template):
    return template.pieces


@pytest.fixture(scope="module")
def tokenizer(template):
    return template.tokenizer


@pytest.fixture(scope="module")
def vocabulary(tokenizer):
    return read_vocabulary(tokenizer)


@pytest.fixture(scope="module")
def automaton(pieces, tokenizer, vocabulary):
    return compile_grammar(TOOL, pieces, tokenizer, vocabulary)


def encoded(tokenizer, pieces, arguments, tool=TOOL):
    text = render_call(pieces, tool.name, arguments_json(tool, arguments))
    return tokenizer.encode(text, add_special_tokens=False).ids


@pytest.mark.parametrize("arguments", ARGUMENTS)
def test_the_tokenizers_own_tokens_of_a_call_go_through(
    automaton, tokenizer, pieces, vocabulary, arguments
):
    ids = encoded(tokenizer, pieces, arguments)
    assert tuple(ids[: len(automaton.opening_ids)]) == automaton.opening_ids
    state = automaton.start
    for place in range(len(automaton.opening_ids), len(ids)):
        if automaton.done[state]:
            return
        forced = automaton.forced(state)
        assert ids[place : place + len(forced)] == forced
        state = automaton.walk(state, vocabulary[ids[place]])
        assert state
    pytest.fail("the arguments were never closed")


def test_forced_text_costs_no_decision_where_it_is_long(automaton):
    assert len(automaton.forced(automaton.start)) > 2


def test_distance_is_one_more_than_the_nearest_token(automaton, vocabulary):
    for state in range(1, len(automaton.done)):
        reached = vocabulary.advance(automaton, state)
        nearest = automaton.distance[reached[reached > 0]].min(initial=UNREACHABLE)
        wanted = 0 if automaton.done[state] else int(nearest) + 1
        assert automaton.distance[state] == wanted


def test_only_closed_arguments_are_done(automaton, tokenizer, pieces, vocabulary):
    text = automaton.pending + b'{"time": "7:30", "volume": 3'
    state = automaton.walk(automaton.start, text)
    assert state
    assert not automaton.done[state]
    closed = automaton.step(state, ord("}"))
    assert automaton.done[closed]
    tail = automaton.step(closed, ord("}"))
    assert automaton.done[tail]
    assert not automaton.step(tail, ord("}"))


class Noise:
    """An engine whose logits are random: whatever it says, the grammar must hold."""

    context_length, position, vocab_size = 10**6, 0, 0

    def __init__(self, size, seed):
        self._rng, self._size = np.random.default_rng(seed), size

    def forward(self, ids):
        return self._rng.normal(0, 8, self._size).astype(np.float32)


@pytest.mark.parametrize("spare", [0, 1, 5, 60])
@pytest.mark.parametrize("temperature", [0.0, 1.5])
def test_any_logits_give_valid_arguments_within_the_budget(
    automaton, vocabulary, spare, temperature
):
    budget = int(automaton.distance[automaton.start]) + spare
    check = Draft202012Validator(TOOL.parameters)
    for seed in range(10):
        engine = Noise(len(vocabulary), seed)
        rng = np.random.default_rng(seed)
        decoded = decode_arguments(
            engine, automaton, vocabulary, max_tokens=budget, temperature=temperature, rng=rng
        )
        check.validate(decoded.arguments)
        assert len(decoded.tokens) <= budget
        assert json.loads(decoded.text) == decoded.arguments


def test_the_same_tool_gives_the_same_file(automaton, pieces, tokenizer, vocabulary, tmp_path):
    automaton.save(tmp_path / "a")
    compile_grammar(TOOL, pieces, tokenizer, vocabulary).save(tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert Automaton.load(tmp_path / "a").opening_ids == automaton.opening_ids


def test_snips_sized_tool_with_optional_keys_alone_compiles(pieces, tokenizer, vocabulary):
    properties = {f"slot_number_{n}": {"type": "string"} for n in range(14)}
    tool = Tool("book", "", {"type": "object", "properties": properties})
    found = compile_grammar(tool, pieces, tokenizer, vocabulary)
    assert len(found.done) < 600
    ids = encoded(tokenizer, pieces, {"slot_number_3": "x", "slot_number_12": "y"}, tool)
    state = found.start
    for token in ids[len(found.opening_ids) :]:
        state = state if found.done[state] else found.walk(state, vocabulary[token])
    assert found.done[state]


def test_without_a_pre_tokenizer_nothing_uncertain_is_committed(pieces):
    alphabet = [f"<0x{byte:02X}>" for byte in range(256)]
    letters = list('▁abcdefghijklmnopqrstuvwxyz_{}":,')
    words = {token: index for index, token in enumerate([*alphabet, *letters, '":', '":▁'])}
    model = models.BPE(words, [('"', ":"), ('":', "▁")], byte_fallback=True)
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback()])
    tokenizer.add_special_tokens(["<tool_call>", "</tool_call>"])
    found = compile_grammar(TOOL, pieces, tokenizer, read_vocabulary(tokenizer))
    assert found.opening_ids == (tokenizer.token_to_id("<tool_call>"),)
    assert found.pending.endswith(b'"arguments": ')
    assert not found.forced_ids.size


def test_unsatisfiable_schema_is_named(pieces, tokenizer, vocabulary):
    tool = Tool("t", "", {"properties": {"a": False}, "required": ["a"]})
    with pytest.raises(GrammarError, match="tool 't', parameters: no object"):
        compile_grammar(tool, pieces, tokenizer, vocabulary)
