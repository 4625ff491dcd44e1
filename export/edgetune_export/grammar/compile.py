"""A tool's grammar for the bundle: its arguments' language joined with the base's tokenizer.

To the automaton over bytes come what depends on tokens: how many are needed at least to finish from
each state, and which are forced. A runtime only walks the result. This module knows no logits and
no model.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from edgetune_export.grammar.forced import Splits, forced_tokens, opening_tokens
from edgetune_export.grammar.regular import Literal, Sequence, Table, minimal, restarted
from edgetune_export.grammar.schema import arguments_language
from edgetune_runtime.automaton import UNREACHABLE, Automaton
from edgetune_runtime.calls import Tool
from edgetune_runtime.errors import GrammarError
from edgetune_runtime.prompt import Pieces, call_opening
from edgetune_runtime.vocabulary import Vocabulary


def compile_grammar(
    tool: Tool, pieces: Pieces, tokenizer: Tokenizer, vocabulary: Vocabulary
) -> Automaton:
    """The automaton of `tool`'s arguments under this tokenizer.

    Raises GrammarError, naming the tool and the field, for a schema that no grammar can hold to,
    and where the tokens of the vocabulary cannot write any object that the schema allows.
    """
    opening = call_opening(pieces, tool.name)
    tail = _closing_text(pieces, tokenizer)
    words = Sequence((Literal(opening.encode()), arguments_language(tool), Literal(tail)))
    whole = minimal(words)
    if not whole.start:
        raise GrammarError(
            f"tool '{tool.name}', parameters: no object satisfies the schema; correct it."
        )
    splits = Splits(tokenizer)
    opening_ids, fed = opening_tokens(whole, opening, splits)
    table = restarted(whole, whole.walk(opening[:fed].encode()))
    done = _done(table, tail)
    distance = _distance(_successors(table, vocabulary), done)
    if distance[table.start] == UNREACHABLE:
        raise GrammarError(
            f"tool '{tool.name}', parameters: the base's tokens cannot write its arguments; use "
            "keys and constants that the tokenizer knows."
        )
    forced = forced_tokens(table, done, opening[:fed], splits)
    columns, byte_class = np.unique(table.transitions, axis=1, return_inverse=True)
    width = np.uint16 if len(columns) <= np.iinfo(np.uint16).max else np.uint32
    return Automaton(
        byte_class=byte_class.reshape(-1).astype(np.uint8),
        transitions=np.ascontiguousarray(columns.astype(width)),
        start=table.start,
        done=done,
        distance=distance,
        forced_offsets=np.cumsum([0, *map(len, forced)]).astype(np.uint32),
        forced_ids=np.array([token for ids in forced for token in ids], np.uint32),
        opening_ids=opening_ids,
        pending=opening[fed:].encode(),
    )


def _closing_text(pieces: Pieces, tokenizer: Tokenizer) -> bytes:
    """The text of the call's close up to its first added token, into which a token may reach."""
    added = {token.content for token in tokenizer.get_added_tokens_decoder().values()}
    ends = [pieces.call_close.find(token) for token in added]
    return pieces.call_close[: min([end for end in ends if end >= 0], default=None)].encode()


def _done(table: Table, tail: bytes) -> NDArray[np.bool_]:
    """`[states]`: the states in which the arguments are closed and only `tail` can follow.

    In a minimal automaton each rest of the tail has exactly one state.
    """
    done = np.zeros(len(table.final), bool)
    (state,) = np.flatnonzero(table.final)
    done[state] = True
    for byte in reversed(tail):
        only = (table.transitions[:, byte] == state) & ((table.transitions != 0).sum(1) == 1)
        (state,) = np.flatnonzero(only)
        done[state] = True
    return done


# --- distance ------------------------------------------------------------------------------------


def _successors(table: Table, vocabulary: Vocabulary) -> list[NDArray[np.int64]]:
    """For each state the states that one token leads to, dead ones left out."""
    walk = _trie_of(vocabulary)
    transitions = table.transitions
    # States of alike freedom go together, so that most of the trie dies early in most blocks.
    order = np.argsort((transitions != 0).sum(1), kind="stable")
    order = order[order != 0]
    found: list[NDArray[np.int64]] = [np.zeros(0, np.int64)] * len(transitions)
    for block in np.array_split(order, max(1, len(order) // 32)):
        reached = walk.reached(transitions, block)
        for state, flags in zip(block, reached, strict=True):
            found[state] = np.flatnonzero(flags)
    return found


def _distance(successors: list[NDArray[np.int64]], done: NDArray[np.bool_]) -> NDArray[np.uint32]:
    """The fewest tokens from each state to a done one, breadth first from the done states."""
    distance = np.full(len(done), UNREACHABLE, np.uint32)
    before: list[list[int]] = [[] for _ in done]
    for state, targets in enumerate(successors):
        for target in targets:
            before[target].append(state)
    layer = [int(state) for state in np.flatnonzero(done)]
    distance[layer] = 0
    steps = 0
    while layer:
        steps += 1
        reached = {state for target in layer for state in before[target]}
        layer = [state for state in reached if distance[state] == UNREACHABLE]
        distance[layer] = steps
    return distance


@dataclass(frozen=True)
class _Level:
    """All distinct token beginnings of one length: the node one byte shorter, and the byte."""

    parent: NDArray[np.int32]
    byte: NDArray[np.uint8]
    is_token: NDArray[np.bool_]


class _TokenTrie:
    """The vocabulary as a trie in arrays, so that many states walk all tokens at once."""

    def __init__(self, tokens: set[bytes]) -> None:
        self._levels: list[_Level] = []
        ordered = sorted(tokens - {b""})
        lengths = np.array([len(token) for token in ordered], np.int64)
        padded = np.zeros((len(ordered), int(lengths.max(initial=0))), np.uint8)
        for row, token in enumerate(ordered):
            padded[row, : len(token)] = np.frombuffer(token, np.uint8)
        node = np.zeros(len(ordered), np.int64)
        for depth in range(padded.shape[1]):
            rows = np.flatnonzero(lengths > depth)
            key = node[rows] * 256 + padded[rows, depth]
            unique, first, inverse = np.unique(key, return_index=True, return_inverse=True)
            is_token = np.zeros(len(unique), bool)
            is_token[inverse[lengths[rows] == depth + 1]] = True
            parent = (unique // 256).astype(np.int32)
            self._levels.append(_Level(parent, padded[rows[first], depth], is_token))
            node[rows] = inverse

    def reached(
        self, transitions: NDArray[np.int32], states: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """`[len(states), S]`: the live states that some token leads to from each of `states`."""
        found = np.zeros((len(states), len(transitions)), bool)
        rows = np.arange(len(states))[:, None]
        here = states.astype(np.int32)[:, None]
        place = np.zeros(1, np.int64)
        for level in self._levels:
            # `place[n]` is the column of node n of the level above, -1 where no state is alive.
            columns = place[level.parent]
            alive = np.flatnonzero(columns >= 0)
            here = transitions[here[:, columns[alive]], level.byte[alive]]
            living = (here != 0).any(axis=0)
            alive, here = alive[living], np.ascontiguousarray(here[:, living])
            if not len(alive):
                break
            found[rows, here[:, level.is_token[alive]]] = True
            place = np.full(len(level.byte), -1, np.int64)
            place[alive] = np.arange(len(alive))
        found[:, 0] = False
        return found


_TRIES: dict[int, tuple[Vocabulary, _TokenTrie]] = {}


def _trie_of(vocabulary: Vocabulary) -> _TokenTrie:
    """The trie of `vocabulary`, built once for all tools of a bundle."""
    if id(vocabulary) not in _TRIES:
        _TRIES.clear()
        tokens = {vocabulary[token] for token in range(len(vocabulary))}
        _TRIES[id(vocabulary)] = (vocabulary, _TokenTrie(tokens))
    return _TRIES[id(vocabulary)][1]
