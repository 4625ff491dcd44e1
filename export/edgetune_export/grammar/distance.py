"""How many tokens it takes at least from each state of an automaton to its end.

All states walk the whole vocabulary together, along a trie of its bytes. This module knows states
and bytes, neither schemas nor what an automaton is for.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from edgetune_export.grammar.tables import Table
from edgetune_runtime.automaton import UNREACHABLE
from edgetune_runtime.vocabulary import Vocabulary


def distances(table: Table, done: NDArray[np.bool_], vocabulary: Vocabulary) -> NDArray[np.uint32]:
    """`[states]`: the fewest tokens of `vocabulary` from each state to a done one.

    Breadth first from the `done` states; `UNREACHABLE` where no sequence of tokens gets there.
    """
    successors = _successors(table, vocabulary)
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


@lru_cache(maxsize=1)
def _trie_of(vocabulary: Vocabulary) -> _TokenTrie:
    """The trie of `vocabulary`, built once for all tools."""
    return _TokenTrie({vocabulary[token] for token in range(len(vocabulary))})
