"""The decodings: a tool's name along a trie, its arguments by a grammar, and free words.

All deal in token ids and logits. They know an engine and what is allowed, never how a prompt came
about, which adapter is bound or what a tool does.
"""

import codecs
import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgetune_runtime.automaton import Automaton
from edgetune_runtime.engine import Engine
from edgetune_runtime.errors import ContextError, InputError
from edgetune_runtime.spans import FREE, Spans
from edgetune_runtime.trie import Branch, NameTrie, shared_length
from edgetune_runtime.vocabulary import Vocabulary


@dataclass(frozen=True)
class Selection:
    """Which tool, and how sure."""

    name: str
    """The name with the largest joint probability, as it is before the temperature."""
    probability: float
    """Of the likeliest name: `name`, or the one that was abstained from."""
    probabilities: dict[str, float]
    """Every name whose joint probability is known, the largest first; all of them if `exact`."""
    exact: bool
    """All branching points were evaluated, so `probabilities` sum to 1."""
    decode_steps: int
    """Forward passes that a decision waited for, the prefill's among them."""
    forced_tokens: int
    """Tokens of the call so far that needed no decision."""
    abstained_from: str | None = None
    """The likeliest name, where it was too unlikely to be called; `name` is `respond` then."""


@dataclass(frozen=True)
class Decoded:
    """The arguments of one call."""

    arguments: dict[str, Any]
    text: str
    """The JSON text of `arguments` as the model wrote it."""
    tokens: tuple[int, ...]
    """What was decoded after the opening, forced tokens included."""
    decode_steps: int
    """Forward passes that a decision waited for, the prefill's among them."""
    forced_tokens: int
    """Tokens that needed no decision, those of the opening included."""
    truncated: bool = False
    """The token budget forbade what the model wanted, or left it no choice: a value may be cut."""


NOTHING_DECODED = Decoded({}, "{}", (), 0, 0)
"""The arguments of a tool without parameters: known without the model."""


def select(
    engine: Engine,
    trie: NameTrie,
    *,
    prompt: Sequence[int] = (),
    exact: bool = False,
    temperature: float = 1.0,
) -> Selection:
    """The name in `trie` with the largest joint probability after the prompt.

    A name's probability is the product, over the branching points on its path, of the softmax over
    the tokens that go on to some name. Branching points are evaluated in the order of their mass
    until no unevaluated one outweighs the best name, so the result is the argmax even where a
    greedy descent would miss it; mostly that is one path. `exact` evaluates all of them.

    `temperature` calibrates (Guo et al. 2017): each softmax is of the logits divided by it, in the
    probabilities that are told. What is chosen does not depend on it: a name behind several
    branching points could otherwise gain or lose against one behind a single one.

    `prompt` are ids to feed before the opening (the part of the prompt that the KV cache does not
    hold yet). Afterwards the KV cache holds an unspecified part of the call: rewind it.
    """
    if not trie.branches:
        (only,) = trie.names
        return Selection(only, 1.0, {only: 1.0}, True, 0, len(trie.opening_ids))
    unfed = [*prompt, *trie.opening_ids]
    start = engine.position + len(unfed)
    fed: tuple[int, ...] = ()
    known: dict[str, float] = {}
    told: dict[str, float] = {}
    forced: dict[str, int] = {}
    waiting: list[tuple[float, float, int, Branch]] = [(1.0, 1.0, 0, trie.branches[0])]
    steps = 0
    while waiting:
        heaviest = max(range(len(waiting)), key=lambda index: waiting[index][0])
        if not exact and known and max(known.values()) >= waiting[heaviest][0]:
            break
        mass, calibrated, decisions, branch = waiting.pop(heaviest)
        shared = shared_length([fed, branch.prefix])
        if not unfed:
            engine.rewind(start + shared)
        logits = engine.forward([*unfed, *branch.prefix[shared:]])
        unfed, fed, steps = [], branch.prefix, steps + 1
        choices = logits[list(branch.children)]
        shares = (mass * _softmax(choices)).tolist()
        tempered = (calibrated * _softmax(choices / temperature)).tolist()
        for share, probability, child in zip(
            shares, tempered, branch.children.values(), strict=True
        ):
            if isinstance(child, int):
                waiting.append((share, probability, decisions + 1, trie.branches[child]))
            else:
                known[child], told[child] = share, probability
                forced[child] = len(trie.opening_ids) + len(branch.prefix) - decisions
    probabilities = dict(sorted(told.items(), key=lambda item: -item[1]))
    name = max(known, key=known.__getitem__)
    return Selection(name, probabilities[name], probabilities, not waiting, steps, forced[name])


def decode_arguments(
    engine: Engine,
    automaton: Automaton,
    vocabulary: Vocabulary,
    *,
    prompt: Sequence[int] = (),
    spans: Spans = FREE,
    max_tokens: int = 256,
    temperature: float = 0.0,
    rng: np.random.Generator | None = None,
) -> Decoded:
    """The arguments object that the model writes after `prompt` and the automaton's opening.

    Only tokens from which the object can still be closed within `max_tokens` are allowed, so every
    result is complete and satisfies the schema, whatever the logits are. Forced tokens are fed with
    the token before them; a forward pass is made only before a real decision.

    `prompt` are ids to feed first (the part of the prompt that the KV cache does not hold yet).
    `spans` are what copied values are held to, as far as the schema and `max_tokens` let them.
    `temperature` 0 takes the most likely allowed token; above 0 it samples among the allowed ones
    with `rng`. Raises InputError where the shortest object takes more than `max_tokens` tokens,
    ContextError where it does not fit the context.
    """
    rng = rng or np.random.default_rng()
    unfed = [*prompt, *automaton.opening_ids]
    room = engine.context_length - engine.position - len(unfed)
    left = min(max_tokens, room)
    state, steps, truncated = automaton.start, 0, False
    shortest = int(automaton.distance[state])
    if left < shortest:
        raise (ContextError if room < shortest else InputError)(
            f"max_tokens: {left} tokens are left for the arguments ({max_tokens} asked for, in a "
            f"context of {engine.context_length}), but the shortest arguments take {shortest}; "
            "allow more tokens or shorten the request."
        )
    tokens: list[int] = []
    while not automaton.done[state]:
        forced = automaton.forced(state)
        if forced:
            after = automaton.walk(state, vocabulary.text(forced))
            if len(forced) + int(automaton.distance[after]) <= left:
                tokens += forced
                unfed += forced
                left -= len(forced)
                state = after
                continue
        moves = vocabulary.moves(automaton, state)
        ids, states = moves.ids, moves.states
        if moves.farthest > left - 1:
            in_time = automaton.distance[states] <= left - 1
            ids, states = ids[in_time], states[in_time]
        choice, cut = 0, len(ids) < len(moves.ids)
        if len(ids) > 1:
            logits = engine.forward(unfed)
            unfed, steps = [], steps + 1
            written = vocabulary.text(tokens)[len(automaton.pending) :]
            choice = _choose(
                _scores(logits[ids], temperature, rng), ids, vocabulary, spans, written
            )
            if cut:
                wished = _choose(logits[moves.ids], moves.ids, vocabulary, spans, written)
                cut = bool(automaton.distance[moves.states[wished]] > left - 1)
        truncated |= cut
        tokens.append(int(ids[choice]))
        unfed.append(int(ids[choice]))
        state = int(states[choice])
        left -= 1
    text = _object_text(automaton, vocabulary.text(tokens))
    count = len(automaton.opening_ids) + len(tokens) - steps
    return Decoded(json.loads(text), text, tuple(tokens), steps, count, truncated)


def write_words(
    engine: Engine,
    vocabulary: Vocabulary,
    *,
    prompt: Sequence[int],
    end_tokens: Collection[int],
    max_tokens: int = 256,
    temperature: float = 0.0,
    rng: np.random.Generator | None = None,
) -> Iterator[str]:
    """What the model says after `prompt`, piece by piece as it appears, until it ends its turn.

    Only text and `end_tokens` are allowed: no added token, so no call can begin. Stops after
    `max_tokens` tokens, or where the context is full. A character is given once all its bytes are
    there; `prompt`, `temperature` and `rng` are as in `decode_arguments`. Raises ContextError where
    the prompt does not fit the context.
    """
    rng = rng or np.random.default_rng()
    ends = sorted(set(end_tokens))
    allowed = np.union1d(vocabulary.text_ids, np.array(ends, np.int64))
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    unfed = list(prompt)
    room = engine.context_length - engine.position - len(unfed) + 1
    for _ in range(max(1, min(max_tokens, room))):  # where there is no room, `forward` says so
        scores = _scores(engine.forward(unfed)[allowed], temperature, rng)
        token = int(allowed[int(np.argmax(scores))])
        if token in ends:
            break
        if text := decoder.decode(vocabulary[token]):
            yield text
        unfed = [token]
    if text := decoder.decode(b"", final=True):
        yield text


def _scores(
    logits: NDArray[np.float32], temperature: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """What is largest where a choice falls: on the largest logit, or at random above temperature 0.

    Adding Gumbel noise and taking the largest samples softmax(logits / temperature) without
    computing it (Maddison et al. 2014, "A* Sampling"), which no overflow can turn into a forbidden
    token.
    """
    scores = logits.astype(np.float64)
    return scores + temperature * rng.gumbel(size=scores.shape) if temperature else scores


def _choose(
    scores: NDArray[np.floating],
    ids: NDArray[np.int32],
    vocabulary: Vocabulary,
    spans: Spans,
    written: bytes,
) -> int:
    """The best-scored place in `ids` that `spans` admit after `written`; the best if there is none.

    Mostly that is the first one tried. Where it is not, the bytes that may come next leave few
    tokens to be tried.
    """
    best = int(np.argmax(scores))
    if spans.admits(written, vocabulary[int(ids[best])]):
        return best
    begins = np.array([spans.admits(written, bytes([byte])) for byte in range(256)])
    (places,) = np.nonzero(begins[vocabulary.first_bytes[ids]])
    for place in places[np.argsort(-scores[places], kind="stable")]:
        if spans.admits(written, vocabulary[int(ids[place])]):
            return int(place)
    return best


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    exponentials = np.exp(logits.astype(np.float64) - logits.max())
    return exponentials / exponentials.sum()


def _object_text(automaton: Automaton, written: bytes) -> str:
    """The arguments object in `written`, without the opening's rest and the call's close."""
    state = automaton.start
    for end, byte in enumerate(written, start=1):
        state = automaton.step(state, byte)
        if automaton.done[state]:
            return written[len(automaton.pending) : end].decode()
    raise AssertionError("decoding stopped before the object was closed")
