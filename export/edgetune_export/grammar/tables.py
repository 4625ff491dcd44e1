"""Deterministic automata over bytes: made minimal, joined, told apart.

This module knows tables alone: neither the expressions that they come from, nor JSON, nor tokens.
"""

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from math import inf

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Table:
    """A deterministic automaton. State 0 is dead; every other state can reach a final one."""

    transitions: NDArray[np.int32]
    """`[states, 256]`: the state after each byte."""
    start: int
    """0 where the language is empty."""
    final: NDArray[np.bool_]
    """`[states]`"""

    def walk(self, text: bytes, state: int | None = None) -> int:
        """The state after `text`, 0 where no word of the language goes that way."""
        state = self.start if state is None else state
        for byte in text:
            state = int(self.transitions[state, byte])
        return state

    def accepts(self, text: bytes) -> bool:
        """True where `text` is a word of the language."""
        return bool(self.final[self.walk(text)])


class TooLarge(ValueError):
    """An automaton would have more states than it was given room for."""


STEPS = 250
"""Steps that a state of an automaton costs, which is made, merged and laid in; one step is another
place of an expression that can be reached without a byte."""


class Room:
    """How many states an automaton may have, and how many steps all may take that lead to it."""

    def __init__(self, states: float = inf, steps: float = inf) -> None:
        self._states = states
        self._left = steps

    def hold(self, states: int) -> None:
        """Raise TooLarge unless an automaton may have as many."""
        if states > self._states:
            raise TooLarge(f"over {self._states} states")

    def take(self, steps: int) -> None:
        """Count steps. Raises TooLarge where too many were taken."""
        self._left -= steps
        if self._left < 0:
            raise TooLarge("too many steps")


ENDLESS = Room()


def reduced(transitions: NDArray[np.int32], final: NDArray[np.bool_]) -> Table:
    """The minimal table of `[states, 256]` transitions that start in state 1, 0 being dead.

    Its states are numbered in breadth-first order.
    """
    return _renumbered(*_merged(_trimmed(transitions, final), final))


def restarted(table: Table, start: int) -> Table:
    """The same automaton started elsewhere, without the states that are then out of reach."""
    return _renumbered(table.transitions, table.final, start)


def common(left: Table, right: Table, room: Room = ENDLESS) -> Table:
    """The words of both languages. Raises TooLarge beyond `room`."""
    return _product(left, right, room, without=False)


def difference(left: Table, right: Table, room: Room = ENDLESS) -> Table:
    """The words of `left` that are none of `right`. Raises TooLarge beyond `room`."""
    return _product(left, right, room, without=True)


def disjoint(left: Table, right: Table) -> bool:
    """True where no word belongs to both languages."""
    return not common(left, right).start


def _product(left: Table, right: Table, room: Room, *, without: bool) -> Table:
    """Pairs of states, found layer by layer; `without`: the words of `left` that are not right's.

    A pair is dead where its left is, and for common words where its right is.
    """
    width = len(right.final)
    both = np.vstack([left.transitions, right.transitions])
    columns = _columns(both)
    byte_column = np.searchsorted(columns, np.arange(256), side="right") - 1
    rows: list[NDArray[np.int32]] = []
    start = left.start * width + right.start
    alive = left.start and (without or right.start)
    if not alive:
        return Table(np.zeros((1, 256), np.int32), 0, np.zeros(1, bool))
    number = {0: 0, start: 1}
    pairs = [np.array([start])]
    for layer in pairs:
        after_left = left.transitions[layer // width][:, columns].astype(np.int64)
        after_right = right.transitions[layer % width][:, columns]
        dead = after_left == 0 if without else (after_left == 0) | (after_right == 0)
        keys = np.where(dead, 0, after_left * width + after_right)
        found, place = np.unique(keys, return_inverse=True)
        fresh = [key for key in found.tolist() if key not in number]
        for key in fresh:
            number[key] = len(number)
        room.hold(len(number))
        if fresh:
            pairs.append(np.array(fresh))
        numbers = np.array([number[key] for key in found.tolist()], np.int32)
        rows.append(numbers[place.reshape(keys.shape)])
    room.take(STEPS * len(number))
    every = np.concatenate([np.zeros(1, np.int64), *pairs])
    is_final = right.final[every % width]
    final = left.final[every // width] & (~is_final if without else is_final)
    table = np.vstack([np.zeros((1, len(columns)), np.int32), *rows])
    return reduced(table[:, byte_column], final)


def _columns(transitions: NDArray[np.int32]) -> NDArray[np.int64]:
    """The bytes that some state tells apart from the byte before."""
    differs = (transitions[:, 1:] != transitions[:, :-1]).any(axis=0)
    return np.flatnonzero(np.concatenate([[True], differs]))


def _trimmed(transitions: NDArray[np.int32], final: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Send every transition into a state that cannot finish to the dead state."""
    before = _before(transitions[:, _columns(transitions)])
    alive = final.copy()
    waiting = np.flatnonzero(final).tolist()
    while waiting:
        for state in before[waiting.pop()]:
            if state and not alive[state]:
                alive[state] = True
                waiting.append(state)
    return np.where(alive[transitions] & alive[:, None], transitions, 0).astype(np.int32)


def _before(table: NDArray[np.int32]) -> list[list[int]]:
    """For each state those from which a step leads to it."""
    states = len(table)
    pairs = table.astype(np.int64) * states + np.arange(states)[:, None]
    targets, sources = np.divmod(np.unique(pairs), states)
    ends = np.searchsorted(targets, np.arange(states + 1))
    return [sources[a:b].tolist() for a, b in pairwise(ends.tolist())]


def _merged(
    transitions: NDArray[np.int32], final: NDArray[np.bool_]
) -> tuple[NDArray[np.int32], NDArray[np.bool_], int]:
    """One state for each class of states with the same future.

    Moore's refinement, but each round looks only at states before those that got a new class in the
    round before; of a class that falls apart the largest part keeps the number (Hopcroft's half),
    so that long counters cost no more than short ones.
    """
    table = transitions[:, _columns(transitions)]
    before = _before(table)
    group = final.astype(np.int64)
    members = {
        number: set(np.flatnonzero(group == number).tolist())
        for number in np.unique(group).tolist()
    }
    touched = list(range(len(group)))
    while touched:
        signatures = np.ascontiguousarray(group[table[touched]].astype(np.int32))
        parts: dict[int, dict[bytes, list[int]]] = defaultdict(lambda: defaultdict(list))
        numbers = group[touched].tolist()
        for state, number, signature in zip(touched, numbers, signatures, strict=True):
            parts[number][signature.tobytes()].append(state)
        moved: list[int] = []
        for number, classes in parts.items():
            split = sorted(classes.values(), key=len)
            rest = len(members[number]) - sum(map(len, split))
            if rest and rest < len(split[-1]):
                untouched = members[number].difference(*split)
                split = sorted([*split, list(untouched)], key=len)
                rest = 0
            for part in split if rest else split[:-1]:
                new = len(members)
                members[new] = set(part)
                members[number] -= members[new]
                group[part] = new
                moved += part
        touched = sorted({state for target in moved for state in before[target]})
    _, first, place = np.unique(group, return_index=True, return_inverse=True)
    place = place.reshape(-1)
    # The dead state stays state 0.
    order = np.argsort(np.arange(len(first)) != place[0], kind="stable")
    rank = np.empty(len(first), np.int64)
    rank[order] = np.arange(len(first))
    kept = first[order]
    return rank[place][transitions[kept]].astype(np.int32), final[kept], int(rank[place[1]])


def _renumbered(transitions: NDArray[np.int32], final: NDArray[np.bool_], start: int) -> Table:
    """States in breadth-first order from the start, unreachable ones dropped."""
    order = [0] + ([start] if start else [])
    seen = set(order)
    index = 1
    table = transitions[:, _columns(transitions)]
    while index < len(order):
        for target in dict.fromkeys(table[order[index]].tolist()):
            if target not in seen:
                seen.add(target)
                order.append(target)
        index += 1
    rank = np.zeros(len(final), np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    return Table(rank[transitions[order]], int(rank[start]), final[order])
