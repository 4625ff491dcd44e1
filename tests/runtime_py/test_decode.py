"""The two decodings, on an engine whose logits are known: always valid, exact, and few forwards."""

import json
from itertools import pairwise

import numpy as np
import pytest

from edgetune_export.prompts.names import name_trie
from edgetune_runtime.decode import decode_arguments, select
from edgetune_runtime.errors import InputError
from edgetune_runtime.prompt import User, call_opening
from edgetune_runtime.spans import Spans

NAMES = ("set_alarm", "set_alarm_label", "set", "cancel_alarms", "respond")
WEATHER = (
    r'\{"city": "[a-zA-Z ]{0,20}"(, "days": ([1-9]|1[0-4]))?'
    r'(, "unit": ("celsius"|"fahrenheit"))?\}'
)
PROMPT = (10, 11, 12)


def favouring(text_ids, vocab_size, bonus=9.0):
    """Logits that prefer to continue along `text_ids`, as a model that knows the answer would."""

    def logits(ids, adapter):
        found = np.zeros(vocab_size, np.float32)
        for length in range(len(text_ids)):
            if ids[-length:] == tuple(text_ids[:length]) or length == 0:
                found[text_ids[length]] += bonus * (length + 1)
        return found

    return logits


def brute_force(engine, trie, tokenizer, pieces):
    """Joint probability of each name from single-token forwards over its whole path."""
    paths = {
        name: tokenizer.encode(call_opening(pieces, name), add_special_tokens=False).ids
        for name in trie.names
    }
    found = {}
    for name, path in paths.items():
        found[name] = 1.0
        for place in range(len(path)):
            rivals = {p[place] for p in paths.values() if p[:place] == path[:place]}
            if len(rivals) > 1:
                engine.rewind(0)
                logits = engine.forward([*PROMPT, *path[:place]]).astype(np.float64)
                weights = {token: np.exp(logits[token]) for token in rivals}
                found[name] *= weights[path[place]] / sum(weights.values())
            if sum(p[: place + 1] == path[: place + 1] for p in paths.values()) == 1:
                break
    return found


@pytest.mark.parametrize("seed", range(20))
def test_exact_probabilities_are_products_over_branching_points(
    mock_engine, tokenizer, pieces, seed
):
    trie = name_trie(tokenizer, pieces, NAMES)
    selection = select(mock_engine(seed=seed), trie, prompt=PROMPT, exact=True)
    expected = brute_force(mock_engine(seed=seed), trie, tokenizer, pieces)
    assert selection.exact
    assert selection.probabilities == pytest.approx(expected)
    assert sum(selection.probabilities.values()) == pytest.approx(1)
    assert selection.name == max(expected, key=expected.__getitem__)


@pytest.mark.parametrize("seed", range(20))
def test_the_lazy_choice_is_the_exact_one(mock_engine, tokenizer, pieces, seed):
    trie = name_trie(tokenizer, pieces, NAMES)
    lazy = select(mock_engine(seed=seed, spread=1.0), trie, prompt=PROMPT)
    exact = select(mock_engine(seed=seed, spread=1.0), trie, prompt=PROMPT, exact=True)
    assert lazy.name == exact.name
    assert lazy.probability == pytest.approx(exact.probability)
    assert lazy.decode_steps <= exact.decode_steps


def test_selection_beats_a_greedy_descent_that_splits_its_mass(mock_engine, tokenizer, pieces):
    """The subtree of three names weighs more than `respond`, but none of the three alone does."""
    trie = name_trie(tokenizer, pieces, ("set_a", "set_b", "set_c", "respond"))
    root = dict(trie.branches[0].children)
    respond = next(token for token, child in root.items() if child == "respond")

    def logits(ids, adapter):
        found = np.zeros(420, np.float32)
        found[respond] = -0.4
        return found

    selection = select(mock_engine(logits=logits), trie, prompt=PROMPT)
    assert selection.name == "respond"
    assert selection.probability == pytest.approx(1 / (1 + np.exp(0.4)))


@pytest.mark.parametrize("temperature", [0.4, 3.0])
@pytest.mark.parametrize("seed", range(20))
def test_a_temperature_divides_the_logits_of_every_branching_point(
    mock_engine, tokenizer, pieces, seed, temperature
):
    trie = name_trie(tokenizer, pieces, NAMES)
    plain, cooled = mock_engine(seed=seed), mock_engine(seed=seed, spread=5.0 / temperature)
    found = select(plain, trie, prompt=PROMPT, exact=True, temperature=temperature)
    assert found.probabilities == pytest.approx(
        brute_force(cooled, trie, tokenizer, pieces), rel=1e-4
    )
    assert found.probability == found.probabilities[found.name]


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("seed", range(20))
def test_a_temperature_never_changes_the_choice(mock_engine, tokenizer, pieces, seed, exact):
    trie = name_trie(tokenizer, pieces, NAMES)
    found = [
        select(
            mock_engine(seed=seed, spread=1.0),
            trie,
            prompt=PROMPT,
            exact=exact,
            temperature=temperature,
        )
        for temperature in (1.0, 0.2, 8.0)
    ]
    assert len({(each.name, each.decode_steps) for each in found}) == 1
    assert len({each.probability for each in found}) == 3


def test_a_sure_selection_costs_one_forward_a_branching_point(mock_engine, tokenizer, pieces):
    trie = name_trie(tokenizer, pieces, NAMES)
    ids = tokenizer.encode(call_opening(pieces, "cancel_alarms"), add_special_tokens=False).ids
    engine = mock_engine(logits=favouring(ids, 420))
    selection = select(engine, trie, prompt=PROMPT)
    assert selection.name == "cancel_alarms"
    assert selection.probability > 0.99
    assert selection.decode_steps == len(engine.fed) == 1
    assert engine.fed[0] == (*PROMPT, *trie.opening_ids)


def test_a_single_name_costs_no_forward(mock_engine, tokenizer, pieces):
    engine = mock_engine()
    selection = select(engine, name_trie(tokenizer, pieces, ("respond",)), prompt=PROMPT)
    assert (selection.name, selection.probability, engine.fed) == ("respond", 1.0, [])


def test_arguments_follow_the_model_where_the_grammar_allows(
    mock_engine, tokenizer, vocabulary, regex_automaton
):
    text = '{"city": "Oslo", "unit": "celsius"}'
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    automaton = regex_automaton(WEATHER, opening_ids=(2,), force=False)
    engine = mock_engine(logits=favouring(ids, len(vocabulary)))
    decoded = decode_arguments(engine, automaton, vocabulary, prompt=PROMPT)
    assert decoded.arguments == {"city": "Oslo", "unit": "celsius"}
    assert decoded.text == text
    assert decoded.tokens[: len(ids) - 1] == tuple(ids[:-1])


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("temperature", [0.0, 1.5])
@pytest.mark.parametrize("seed", range(40))
def test_every_result_satisfies_the_schema_within_any_budget(
    mock_engine, vocabulary, regex_automaton, weather_schema, seed, temperature, force
):
    automaton = regex_automaton(WEATHER, pending=' "arguments": ', opening_ids=(2, 3), force=force)
    shortest = int(automaton.distance[automaton.start])
    for max_tokens in (shortest, shortest + 1, shortest + 2, shortest + 7, 256):
        decoded = decode_arguments(
            mock_engine(seed=seed),
            automaton,
            vocabulary,
            prompt=PROMPT,
            max_tokens=max_tokens,
            temperature=temperature,
            rng=np.random.default_rng(seed),
        )
        weather_schema.validate(decoded.arguments)
        assert json.loads(decoded.text) == decoded.arguments
        assert len(decoded.tokens) <= max_tokens


@pytest.mark.parametrize("temperature", [0.0, 1e-3])
def test_a_value_that_the_budget_cuts_is_told(
    mock_engine, tokenizer, vocabulary, regex_automaton, temperature
):
    text = '{"city": "Oslo", "unit": "celsius"}'
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    automaton = regex_automaton(WEATHER, opening_ids=(2,), force=False)
    found = {}
    for budget in range(int(automaton.distance[automaton.start]), len(ids) + 3):
        engine = mock_engine(logits=favouring(ids, len(vocabulary)))
        decoded = decode_arguments(
            engine, automaton, vocabulary, max_tokens=budget, temperature=temperature
        )
        found[budget] = (decoded.text == text, decoded.truncated)
    whole = [budget for budget, (right, _) in found.items() if right]
    assert all(cut for right, cut in found.values() if not right)
    # With a token to spare the budget forbids much at the end, but nothing that was wanted.
    assert not any(found[budget][1] for budget in whole if budget > min(whole))
    assert len(whole) > 1


def test_copied_values_are_spans_of_the_request_where_the_model_slips(
    mock_engine, tokenizer, vocabulary, regex_automaton
):
    ids = tokenizer.encode('{"city": "Oslo", "unit": "celsius"}', add_special_tokens=False).ids
    automaton = regex_automaton(WEATHER, force=False)
    spans = Spans([User("how warm is Osaka in celsius")], ["city"])
    engine = mock_engine(logits=favouring(ids, len(vocabulary)))
    decoded = decode_arguments(engine, automaton, vocabulary, prompt=PROMPT, spans=spans)
    assert decoded.arguments["city"].startswith("Osaka")


@pytest.mark.parametrize("temperature", [0.0, 1.5])
@pytest.mark.parametrize("request_text", ["is it warm in New York", "", "12 !?", "Ünder Çity"])
def test_spans_never_cost_validity(
    mock_engine, vocabulary, regex_automaton, weather_schema, temperature, request_text
):
    automaton = regex_automaton(WEATHER)
    shortest = int(automaton.distance[automaton.start])
    spans = Spans([User(request_text)], ["city", "unit"])
    words = {"is", "it", "warm", "in", "New", "York"}
    for seed in range(10):
        for max_tokens in (shortest, shortest + 3, 256):
            decoded = decode_arguments(
                mock_engine(seed=seed),
                automaton,
                vocabulary,
                prompt=PROMPT,
                spans=spans,
                max_tokens=max_tokens,
                temperature=temperature,
                rng=np.random.default_rng(seed),
            )
            weather_schema.validate(decoded.arguments)
        # The last had budget enough, and the schema allows these words in 20 letters.
        if "York" in request_text:
            assert set(decoded.arguments["city"].split()) <= words


@pytest.mark.parametrize("strange", [np.nan, np.inf, -np.inf])
def test_strange_logits_still_give_valid_arguments(
    mock_engine, vocabulary, regex_automaton, weather_schema, strange
):
    engine = mock_engine(logits=lambda ids, _: np.full(len(vocabulary), strange, np.float32))
    for temperature in (0.0, 1.5):
        engine.rewind(0)
        decoded = decode_arguments(
            engine, regex_automaton(WEATHER), vocabulary, prompt=PROMPT, temperature=temperature
        )
        weather_schema.validate(decoded.arguments)


def test_the_context_bounds_the_arguments_like_max_tokens(
    mock_engine, vocabulary, regex_automaton, weather_schema
):
    automaton = regex_automaton(WEATHER)
    room = int(automaton.distance[automaton.start]) + 3
    engine = mock_engine(context_length=len(PROMPT) + room)
    decoded = decode_arguments(engine, automaton, vocabulary, prompt=PROMPT)
    weather_schema.validate(decoded.arguments)


def test_a_budget_below_the_shortest_arguments_is_refused(mock_engine, vocabulary, regex_automaton):
    automaton = regex_automaton(WEATHER)
    shortest = int(automaton.distance[automaton.start])
    with pytest.raises(InputError, match="max_tokens"):
        decode_arguments(mock_engine(), automaton, vocabulary, max_tokens=shortest - 1)


def test_forced_text_costs_no_forward(mock_engine, vocabulary, regex_automaton):
    automaton = regex_automaton(r'\{"unit": ("celsius"|"fahrenheit")\}', opening_ids=(2, 3))
    engine = mock_engine()
    decoded = decode_arguments(engine, automaton, vocabulary, prompt=PROMPT)
    assert decoded.decode_steps == len(engine.fed)
    assert decoded.forced_tokens == 2 + len(decoded.tokens) - decoded.decode_steps
    assert decoded.decode_steps < len(decoded.tokens)
    assert engine.fed[0][:5] == (*PROMPT, 2, 3)


def test_what_was_fed_is_what_was_decoded(mock_engine, vocabulary, regex_automaton):
    """Tokens reach the cache once and in order, but the last ones: nothing waits for them."""
    engine = mock_engine(seed=3)
    automaton = regex_automaton(WEATHER, opening_ids=(2, 3))
    decoded = decode_arguments(engine, automaton, vocabulary, prompt=PROMPT)
    whole = [*PROMPT, 2, 3, *decoded.tokens]
    assert engine.ids == whole[: len(engine.ids)]
    assert len(engine.ids) < len(whole)


def test_wholly_forced_arguments_cost_no_forward_at_all(mock_engine, vocabulary, regex_automaton):
    engine = mock_engine()
    decoded = decode_arguments(engine, regex_automaton(r'\{"on": true\}'), vocabulary)
    assert decoded.arguments == {"on": True}
    assert (decoded.decode_steps, engine.fed) == (0, [])


def test_temperature_samples_the_softmax_of_the_allowed_tokens(
    mock_engine, vocabulary, regex_automaton
):
    automaton = regex_automaton(r'\{"n":(1|2|3)\}', force=False)
    digits = {vocabulary[token]: token for token in range(len(vocabulary))}

    def logits(ids, adapter):
        found = np.full(len(vocabulary), -30, np.float32)
        found[digits[b"1"]], found[digits[b"2"]] = 0, 1
        return found

    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(400):
        engine = mock_engine(logits=logits)
        decoded = decode_arguments(
            engine, automaton, vocabulary, prompt=PROMPT, temperature=2.0, rng=rng
        )
        drawn.append(decoded.arguments["n"])
    expected = 1 / (1 + np.exp(-0.5))
    assert np.mean(np.array(drawn) == 2) == pytest.approx(expected, abs=0.07)


def test_the_same_seed_gives_the_same_arguments(mock_engine, vocabulary, regex_automaton):
    def texts(seed):
        rng = np.random.default_rng(seed)
        automaton = regex_automaton(WEATHER)
        return [
            decode_arguments(
                mock_engine(seed=1), automaton, vocabulary, prompt=PROMPT, temperature=1.0, rng=rng
            ).text
            for _ in range(5)
        ]

    assert texts(0) == texts(0)
    assert any(first != second for first, second in pairwise(texts(0)))
