"""Regular languages of bytes: expressions, and the minimal automaton that accepts one of them.

An expression is a tree of the node classes below; `minimal` turns it into a table by the textbook
way: Thompson's construction, subsets, refinement (in `tables`). What is repeated, and what is
common or left out, is made a table first and then laid in. This module knows bytes alone: neither
JSON nor schemas nor tokens.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from edgetune_export.grammar.tables import ENDLESS, STEPS, Room, Table, common, difference, reduced

Edge = tuple[int, int, int]
"""An inclusive range of bytes and the state after it."""


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
    index and how many were written before, as far as that counts (for the separator: whether any).
    """

    members: tuple[tuple["Node", bool], ...]
    """Each member and whether it must be there."""
    extra: "Node | None"
    between: bytes
    least: int = 0
    most: int | None = None
    """How many there have to be and may be. All `extra` count as one towards `least`, since two of
    them may be the same."""


@dataclass(frozen=True)
class Graph:
    """An automaton whose edges are themselves expressions; state 0 is the start."""

    edges: tuple[tuple[tuple["Node", int], ...], ...]
    """For each state its edges: what is read and the state after it."""
    final: frozenset[int]


@dataclass(frozen=True)
class Both:
    """The words that all parts have in common."""

    parts: tuple["Node", ...]


@dataclass(frozen=True)
class Except:
    """The words of `part` that are none of `without`."""

    part: "Node"
    without: "Node"


Node = Literal | OneOf | Sequence | Either | Repeat | Members | Graph | Both | Except | Table

NOTHING = Either(())
"""The empty language: what contains it as a required part is empty too."""

FEW = 2
"""Repetitions up to which a part is written out as it is, without being made a table first."""

WAYS = 8
"""States of the construction for one state of the automaton that is to come, at most."""


def minimal(node: Node, room: Room = ENDLESS) -> Table:
    """The minimal automaton of `node`'s language, its states numbered in breadth-first order.

    Raises TooLarge where more states than `room` has would be needed on the way.
    """
    if isinstance(node, Table):
        return node
    if isinstance(node, Both):
        tables = [minimal(part, room) for part in node.parts]
        return reduce(lambda left, right: common(left, right, room), tables)
    if isinstance(node, Except):
        return difference(minimal(node.part, room), minimal(node.without, room), room)
    nfa = _Nfa(room)
    first = nfa.state()
    last = nfa.add(node, first)
    return reduced(*nfa.subsets(first, last))


class _Nfa:
    """Thompson's construction; edges carry inclusive byte ranges."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._last = 0
        self.edges: list[list[Edge]] = []
        self.empty: list[list[int]] = []

    def state(self) -> int:
        self._room.hold(len(self.edges) // WAYS)
        self.edges.append([])
        self.empty.append([])
        return len(self.edges) - 1

    def fresh(self, before: int) -> int:
        """A new state that `before` reaches for nothing: loops inside it stay inside it."""
        state = self.state()
        self.empty[before].append(state)
        return state

    def add(self, node: "Node | _Laid", start: int) -> int:
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
            case Both() | Except():
                return self._add_table(_Laid(minimal(node, self._room)), start)
            case Table():
                return self._add_table(_Laid(node), start)
            case _Laid():
                return self._add_table(node, start)
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

    def _add_table(self, laid: "_Laid", start: int) -> int:
        first = len(self.edges)
        self._room.hold((first + len(laid.runs)) // WAYS)
        self.edges += [
            [(low, high, first + target) for low, high, target in row] for row in laid.runs
        ]
        self.empty += [[] for _ in laid.runs]
        self.empty[start].append(first + laid.table.start)
        end = self.state()
        for final in np.flatnonzero(laid.table.final).tolist():
            self.empty[first + final].append(end)
        return end

    def _add_repeat(self, node: Repeat, start: int) -> int:
        end = self.state()
        here = self.fresh(start)
        # Written out up to `most`; without end, as far as the loop below can start.
        last = max(node.least, 1) if node.most is None else node.most
        # With what stands between before it, for all but the first.
        part: Node | _Laid = node.part
        more: Node | _Laid = Sequence((Literal(node.between), node.part))
        if last > FEW and not isinstance(node.part, Literal | OneOf):
            table = minimal(node.part, self._room)
            part = _Laid(table)
            more = _Laid(minimal(Sequence((Literal(node.between), table)), self._room))
        for count in range(last):
            if count >= node.least:
                self.empty[here].append(end)
            here = self.add(more if count else part, here)
        if last >= node.least:
            self.empty[here].append(end)
        if node.most is None:
            loop = self.fresh(here)
            self.empty[self.add(more, loop)].append(loop)
            self.empty[loop].append(end)
        return end

    def _add_members(self, node: Members, start: int) -> int:
        between = Literal(node.between)
        # Counted as far as it matters; at the last count without a most, more are the same.
        last = max(1, node.least) if node.most is None else node.most
        counted = {0: self.fresh(start)}
        for member, required in node.members:
            after: dict[int, int] = {}
            for count in range(1, last + 1):
                before = [count - 1, count] if count == last and node.most is None else [count - 1]
                before = [each for each in before if each in counted]
                if before:
                    inside = self._after_separator(counted, before, between)
                    after[count] = self.fresh(self.add(member, inside))
            if not required:
                for count, here in counted.items():
                    after.setdefault(count, self.state())
                    self.empty[here].append(after[count])
            counted = after
        end = self.state()
        for count, here in counted.items():
            if count >= node.least:
                self.empty[here].append(end)
        enough = [count for count in counted if count + 1 >= node.least]
        if node.extra is not None and node.most is None and enough:
            inside = self._after_separator(counted, enough, between)
            loop = self.fresh(self.add(node.extra, inside))
            self.empty[self.add(between, loop)].append(inside)
            self.empty[loop].append(end)
        if node.extra is not None and node.most is not None:
            extras: dict[int, int] = {}
            for count in range(1, node.most + 1):
                inside = self._after_separator(counted, {count - 1} & set(enough), between)
                if count - 1 in extras:
                    self.empty[self.add(between, extras[count - 1])].append(inside)
                extras[count] = self.fresh(self.add(node.extra, inside))
                self.empty[extras[count]].append(end)
        return end

    def _after_separator(
        self, counted: dict[int, int], counts: Collection[int], between: Node
    ) -> int:
        """A new state behind a separator after any of `counts`, behind nothing after none."""
        inside = self.state()
        for count in counts:
            here = counted[count]
            self.empty[self.add(between, here) if count else here].append(inside)
        return inside

    def subsets(self, first: int, last: int) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        """The subset construction: `[states, 256]` with 0 dead and 1 the start, and finals."""
        self._last = last
        sets: list[frozenset[int]] = []
        known: dict[frozenset[int], int] = {}
        numbers: dict[frozenset[int], int] = {}

        def number(targets: frozenset[int]) -> int:
            if targets not in numbers:
                closed = self._closure(targets)
                self._room.take(len(closed))
                if closed not in known:
                    known[closed] = len(sets) + 1
                    sets.append(closed)
                    self._room.hold(len(sets))
                numbers[targets] = known[closed]
            return numbers[targets]

        number(frozenset([first]))
        rows = [np.zeros(256, np.int32)]
        for states in sets:  # it grows meanwhile
            row = np.zeros(256, np.int32)
            for low, high, targets in _apart([e for state in states for e in self.edges[state]]):
                row[low : high + 1] = number(targets)
            rows.append(row)
        self._room.take(STEPS * len(sets))
        return np.vstack(rows), np.array([False, *(last in states for states in sets)])

    def _closure(self, states: frozenset[int]) -> frozenset[int]:
        """What is reached for nothing, without the states that only lead on for nothing."""
        seen = set(states)
        waiting = list(states)
        while waiting:
            for target in self.empty[waiting.pop()]:
                if target not in seen:
                    seen.add(target)
                    waiting.append(target)
        return frozenset(state for state in seen if self.edges[state] or state == self._last)


def _apart(edges: list[Edge]) -> Iterator[tuple[int, int, frozenset[int]]]:
    """Edges as ranges of bytes that do not overlap, each with all states that it leads to."""
    edges.sort()
    if all(left[1] < right[0] for left, right in pairwise(edges)):
        for low, high, target in edges:
            yield low, high, frozenset((target,))
        return
    cuts = sorted({cut for low, high, _ in edges for cut in (low, high + 1)})
    for low, end in pairwise(cuts):
        targets = frozenset(target for a, b, target in edges if a <= low <= b)
        if targets:
            yield low, end - 1, targets


class _Laid:
    """A table as it is laid in: for each state its edges as ranges."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.runs: list[list[Edge]] = []
        for row in table.transitions:
            cuts = [0, *(np.flatnonzero(row[1:] != row[:-1]) + 1).tolist(), 256]
            found = [(low, end - 1, int(row[low])) for low, end in pairwise(cuts)]
            self.runs.append([edge for edge in found if edge[2]])
