"""Regular languages of bytes: expressions, and the minimal automaton that accepts one of them.

An expression is a tree of the node classes below; `minimal` turns it into a table by the textbook
way: Thompson's construction, subsets, Moore's refinement. This module knows bytes alone: neither
JSON nor schemas nor tokens.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Literal:
    """Exactly these bytes."""

    text: bytes


@dataclass(frozen=True)
class OneOf:
    """One byte out of inclusive ranges."""

    ranges: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Sequence:
    """One part after the other."""

    parts: tuple["Node", ...]


@dataclass(frozen=True)
class Either:
    """Any one of the parts; none of them at all is the empty language."""

    parts: tuple["Node", ...]


@dataclass(frozen=True)
class Repeat:
    """`part` at least `least` and at most `most` times (None: without end), with `between`."""

    part: "Node"
    least: int
    most: int | None
    between: bytes = b""


@dataclass(frozen=True)
class Members:
    """Members in a fixed order, optional ones left out at will, then any number of `extra`.

    The automaton is linear in the number of members: its states are pairs of the next member's
    index and whether something was written before, so that it knows about the separator.
    """

    members: tuple[tuple["Node", bool], ...]
    """Each member and whether it must be there."""
    extra: "Node | None"
    between: bytes


@dataclass(frozen=True)
class Graph:
    """An automaton whose edges are themselves expressions; state 0 is the start."""

    edges: tuple[tuple[tuple["Node", int], ...], ...]
    """For each state its edges: what is read and the state after it."""
    final: frozenset[int]


Node = Literal | OneOf | Sequence | Either | Repeat | Members | Graph

NOTHING = Either(())
"""The empty language: what contains it as a required part is empty too."""


@dataclass(frozen=True)
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


def minimal(node: Node) -> Table:
    """The minimal automaton of `node`'s language, its states numbered in breadth-first order."""
    nfa = _Nfa()
    first = nfa.state()
    last = nfa.add(node, first)
    transitions, final = nfa.subsets(first, last)
    transitions, final, start = _merged(_trimmed(transitions, final), final)
    return _renumbered(transitions, final, start)


def disjoint(left: Table, right: Table) -> bool:
    """True where no word belongs to both languages."""
    seen = {(left.start, right.start)}
    waiting = list(seen)
    while waiting:
        a, b = waiting.pop()
        if left.final[a] and right.final[b]:
            return False
        both = np.stack([left.transitions[a], right.transitions[b]], axis=1)
        for pair in np.unique(both[(both != 0).all(axis=1)], axis=0):
            key = (int(pair[0]), int(pair[1]))
            if key not in seen:
                seen.add(key)
                waiting.append(key)
    return True


class _Nfa:
    """Thompson's construction; edges carry inclusive byte ranges."""

    def __init__(self) -> None:
        self.edges: list[list[tuple[int, int, int]]] = []
        self.empty: list[list[int]] = []

    def state(self) -> int:
        self.edges.append([])
        self.empty.append([])
        return len(self.edges) - 1

    def fresh(self, before: int) -> int:
        """A new state that `before` reaches for nothing: loops inside it stay inside it."""
        state = self.state()
        self.empty[before].append(state)
        return state

    def add(self, node: Node, start: int) -> int:
        """Add `node` from `start` on; the state where it ends."""
        match node:
            case Literal(text):
                for byte in text:
                    start = self._edge(start, ((byte, byte),))
                return start
            case OneOf(ranges):
                return self._edge(start, ranges)
            case Sequence(parts):
                for part in parts:
                    start = self.add(part, start)
                return start
            case Either(parts):
                end = self.state()
                for part in parts:
                    self.empty[self.add(part, self.fresh(start))].append(end)
                return end
            case Repeat():
                return self._add_repeat(node, start)
            case Members():
                return self._add_members(node, start)
            case Graph(edges, final):
                states = [self.fresh(start), *(self.state() for _ in edges[1:])]
                for state, leaving in zip(states, edges, strict=True):
                    for part, target in leaving:
                        self.empty[self.add(part, state)].append(states[target])
                end = self.state()
                for index in final:
                    self.empty[states[index]].append(end)
                return end

    def _edge(self, start: int, ranges: tuple[tuple[int, int], ...]) -> int:
        end = self.state()
        self.edges[start] += [(low, high, end) for low, high in ranges]
        return end

    def _add_repeat(self, node: Repeat, start: int) -> int:
        between = Literal(node.between)
        end = self.state()
        here = self.fresh(start)
        count = 0
        # Written out up to `most`; without end, as far as the loop below can start.
        last = max(node.least, 1) if node.most is None else node.most
        while True:
            if count >= node.least:
                self.empty[here].append(end)
            if count >= last:
                break
            here = self.add(node.part, self.add(between, here) if count else here)
            count += 1
        if node.most is None:
            loop = self.fresh(here)
            self.empty[self.add(node.part, self.add(between, loop))].append(loop)
            self.empty[loop].append(end)
        return end

    def _add_members(self, node: Members, start: int) -> int:
        between = Literal(node.between)
        bare, written = self.fresh(start), self.state()
        for member, required in node.members:
            inside = self.fresh(bare)
            self.empty[self.add(between, written)].append(inside)
            after = self.fresh(self.add(member, inside))
            if not required:
                self.empty[written].append(after)
            bare = self.state() if required else self.fresh(bare)
            written = after
        end = self.state()
        if node.extra is not None:
            inside = self.fresh(bare)
            loop = self.fresh(written)
            self.empty[self.add(between, loop)].append(inside)
            self.empty[self.add(node.extra, inside)].append(loop)
            written = loop
        self.empty[bare].append(end)
        self.empty[written].append(end)
        return end

    def subsets(self, first: int, last: int) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        """The subset construction: `[states, 256]` with 0 dead and 1 the start, and finals."""
        every = [edge for row in self.edges for edge in row]
        cuts = sorted({cut for low, high, _ in every for cut in (low, high + 1)})
        interval = {cut: index for index, cut in enumerate(cuts)}
        closures: dict[frozenset[int], int] = {}
        sets: list[frozenset[int]] = []
        known: dict[frozenset[int], int] = {}

        def number(targets: frozenset[int]) -> int:
            if targets not in closures:
                closed = self._closure(targets)
                if closed not in known:
                    known[closed] = len(sets) + 1
                    sets.append(closed)
                closures[targets] = known[closed]
            return closures[targets]

        number(frozenset([first]))
        rows: list[NDArray[np.int32]] = []
        widths = np.diff([*cuts, 256]) if cuts else np.zeros(0, int)
        for states in _growing(sets):
            reached: dict[int, set[int]] = {}
            for state in states:
                for low, high, target in self.edges[state]:
                    for index in range(interval[low], interval[high + 1]):
                        reached.setdefault(index, set()).add(target)
            by_interval = np.zeros(len(cuts), np.int32)
            for index, targets in reached.items():
                by_interval[index] = number(frozenset(targets))
            row = np.zeros(256, np.int32)
            if cuts:
                row[cuts[0] :] = np.repeat(by_interval, widths)
            rows.append(row)
        final = np.array([False, *(last in states for states in sets)])
        return np.vstack([np.zeros((1, 256), np.int32), *rows]), final

    def _closure(self, states: frozenset[int]) -> frozenset[int]:
        seen = set(states)
        waiting = list(states)
        while waiting:
            for target in self.empty[waiting.pop()]:
                if target not in seen:
                    seen.add(target)
                    waiting.append(target)
        return frozenset(seen)


def _growing(sets: list[frozenset[int]]) -> Iterator[frozenset[int]]:
    """The items of a list that grows while it is walked."""
    index = 0
    while index < len(sets):
        yield sets[index]
        index += 1


def _trimmed(transitions: NDArray[np.int32], final: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Send every transition into a state that cannot finish to the dead state."""
    before: list[set[int]] = [set() for _ in final]
    for state, row in enumerate(transitions):
        for target in np.unique(row):
            before[target].add(state)
    alive = final.copy()
    waiting = [int(state) for state in np.flatnonzero(final)]
    while waiting:
        for state in before[waiting.pop()]:
            if state and not alive[state]:
                alive[state] = True
                waiting.append(state)
    return np.where(alive[transitions] & alive[:, None], transitions, 0).astype(np.int32)


def _merged(
    transitions: NDArray[np.int32], final: NDArray[np.bool_]
) -> tuple[NDArray[np.int32], NDArray[np.bool_], int]:
    """Moore's refinement: one state for each class of states with the same future."""
    # Neighbouring bytes that no state tells apart are one column.
    differs = (transitions[:, 1:] != transitions[:, :-1]).any(axis=0)
    columns = transitions[:, np.flatnonzero(np.concatenate([[True], differs]))]
    group = final.astype(np.int64)
    count = len(np.unique(group))
    while True:
        rows = np.column_stack([group, group[columns]])
        _, refined = np.unique(_row_keys(rows), return_inverse=True)
        if refined.max() + 1 == count:
            break
        group, count = refined.astype(np.int64), int(refined.max()) + 1
    _, members = np.unique(group, return_index=True)
    table = group[transitions[members]]
    dead = group[0]
    order = np.argsort(np.arange(count) != dead, kind="stable")
    rank = np.empty(count, np.int64)
    rank[order] = np.arange(count)
    return rank[table[order]].astype(np.int32), final[members][order], int(rank[group[1]])


def _row_keys(rows: NDArray[np.int64]) -> NDArray[np.void]:
    """Each row as one comparable item of raw bytes."""
    rows = np.ascontiguousarray(rows.astype(np.int32))
    return rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1]))).ravel()


def _renumbered(transitions: NDArray[np.int32], final: NDArray[np.bool_], start: int) -> Table:
    """States in breadth-first order from the start, unreachable ones dropped."""
    order = [0] + ([start] if start else [])
    seen = set(order)
    index = 1
    while index < len(order):
        row = transitions[order[index]]
        _, first = np.unique(row, return_index=True)
        for target in row[np.sort(first)]:
            if int(target) not in seen:
                seen.add(int(target))
                order.append(int(target))
        index += 1
    rank = np.zeros(len(final), np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    return Table(rank[transitions[order]], int(rank[start]), final[order])


def restarted(table: Table, start: int) -> Table:
    """The same automaton started elsewhere, without the states that are then out of reach."""
    return _renumbered(table.transitions, table.final, start)
