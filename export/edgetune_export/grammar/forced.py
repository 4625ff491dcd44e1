"""Which tokens of a call are forced: the same whatever the model says, so that no step is spent.

A token is forced only where it is the tokenizer's own choice in every context that leads there, and
no continuation could change it. That is found by tokenizing: sample texts before and after a forced
text, and the cuts that the pre-tokenizer makes in all of them. Knows no schemas and no models.
"""

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from edgetune_export.grammar.tables import Table

SPREAD = 12
"""Different bytes tried for each next state."""
PROBES, PROBE_LENGTH = 24, 8
"""Continuations tried after a forced text, and their length in bytes: what a pre-tokenizer looks
at behind a cut."""
WITNESSES = 4
"""Ways to reach a state under which its forced tokens must be the tokenizer's own choice."""
CONTEXT = 96
"""Characters before a forced text that are tokenized with it: far more than one word."""


class Splits:
    """Where the tokenizer surely cuts a text, whatever follows it.

    Merges never cross the pieces that the pre-tokenizer cuts, and added tokens stand alone. Where
    there is no pre-tokenizer only added tokens cut.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._added = [token.content for token in tokenizer.get_added_tokens_decoder().values()]

    def tokens(self, text: str) -> list[tuple[int, int]]:
        """Token ids of `text`, each with the character behind its last."""
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        return [(i, end) for i, (_, end) in zip(encoding.ids, encoding.offsets, strict=True)]

    def cuts(self, text: str) -> set[int]:
        """The character positions at which the pre-tokenizer cuts `text`, its ends included."""
        begin = max((text.rfind(a) + len(a) for a in self._added if a in text), default=0)
        cuts = {begin, len(text)}
        pre_tokenizer = self._tokenizer.pre_tokenizer
        if pre_tokenizer is not None:
            for _, (first, last) in pre_tokenizer.pre_tokenize_str(text[begin:]):
                cuts |= {begin + first, begin + last}
        return cuts

    def sure(self, text: str, onward: list[str]) -> list[tuple[int, int]]:
        """The first tokens of `text`, those that stay whichever of `onward` follows."""
        wholes = [text + more for more in onward]
        common = set.intersection(*(self.cuts(whole) for whole in wholes))
        end = max((cut for cut in common if cut <= len(text)), default=0)
        versions = [[token for token in self.tokens(whole) if token[1] <= end] for whole in wholes]
        kept = []
        # A difference inside the sure part (a normalizer at work) makes nothing after it sure.
        for column in zip(*versions, strict=False):
            if len(set(column)) > 1:
                break
            kept.append(column[0])
        return kept


def opening_tokens(whole: Table, opening: str, splits: Splits) -> tuple[tuple[int, ...], int]:
    """The ids that open the call whatever its arguments, and how many characters they cover."""
    state = whole.walk(opening.encode())
    kept = splits.sure(opening, _Walks(whole).onward(state))
    return tuple(token for token, _ in kept), kept[-1][1] if kept else 0


def forced_tokens(
    table: Table, done: NDArray[np.bool_], before: str, splits: Splits
) -> list[list[int]]:
    """For each state the tokens that may be committed there without a decode step.

    They are the tokenizer's own choice after every witness (a way to the state), and no
    continuation of the forced text could change them; otherwise there are none.
    """
    forced: list[list[int]] = [[] for _ in done]
    walks = _Walks(table)
    witnesses = walks.inward()

    @cache  # the states along one forced text ask for the same whole, cut elsewhere
    def sure(whole: str, after: int) -> list[tuple[int, int]]:
        return splits.sure(whole, walks.onward(after))

    for state in range(1, len(done)):
        if done[state]:
            continue
        text, after = _forced_text(table, done, state)
        if not text:
            continue
        choices = []
        for witness in witnesses[state]:
            left = before.encode() + witness
            choices.append(_ids_after(left, text, after, sure))
            if not choices[-1]:
                break
        shortest = min(choices, key=len)
        if all(ids[: len(shortest)] == shortest for ids in choices):
            forced[state] = shortest
    return forced


def _ids_after(
    left: bytes, text: bytes, after: int, sure: Callable[[str, int], list[tuple[int, int]]]
) -> list[int]:
    """The sure tokens of `text`, which leads to the state `after`, behind `left`; none where the
    tokenizer would not cut between."""
    try:
        context = left.decode()[-CONTEXT:]
        kept = sure(context + text.decode(), after)
    except UnicodeDecodeError:
        return []  # between the bytes of one character
    if context and all(end != len(context) for _, end in kept):
        return []
    return [token for token, end in kept if end > len(context)]


def _forced_text(table: Table, done: NDArray[np.bool_], state: int) -> tuple[bytes, int]:
    """The bytes that must follow `state` before a choice or the end, and the state after them."""
    text = bytearray()
    while not done[state]:
        (bytes_on,) = np.nonzero(table.transitions[state])
        if len(bytes_on) != 1:
            break
        text.append(int(bytes_on[0]))
        state = int(table.transitions[state, bytes_on[0]])
    return bytes(text), state


class _Walks:
    """Sample texts that lead to and away from the states of an automaton, the same every time."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._steps: dict[int, list[tuple[int, int]]] = {}
        self._onward: dict[int, list[str]] = {}

    def steps(self, state: int) -> list[tuple[int, int]]:
        """Bytes that lead on from `state`: some for each target, spread over their range."""
        if state not in self._steps:
            row = self._table.transitions[state]
            steps = self._steps[state] = []
            for target in np.unique(row[row != 0]).tolist():
                choices = np.flatnonzero(row == target)
                spread = np.linspace(0, len(choices) - 1, min(SPREAD, len(choices)))
                steps += [(int(byte), target) for byte in choices[spread.astype(int)]]
        return self._steps[state]

    def onward(self, state: int) -> list[str]:
        """Texts that may follow `state`, each kind of first byte among them."""
        if state not in self._onward:
            rng = np.random.default_rng(state)
            firsts = self.steps(state)
            texts = [
                self._walk(step, rng) for step in firsts * max(1, PROBES // max(1, len(firsts)))
            ]
            self._onward[state] = list(dict.fromkeys(texts)) or [""]
        return self._onward[state]

    def _walk(self, step: tuple[int, int], rng: np.random.Generator) -> str:
        text, state = bytearray([step[0]]), step[1]
        while len(text) < PROBE_LENGTH and (steps := self.steps(state)):
            byte, state = steps[rng.integers(len(steps))]
            text.append(byte)
        # It may end inside a character: what is whole of it can be shown to a tokenizer.
        return text.decode(errors="ignore")

    def inward(self) -> list[list[bytes]]:
        """For each state a few texts that lead from the start to it, a shortest one first."""
        start = self._table.start
        found: list[list[bytes]] = [[] for _ in self._table.final]
        found[start].append(b"")
        waiting = [start]
        for state in waiting:
            for byte, target in self.steps(state):
                if not found[target]:
                    found[target].append(found[state][0] + bytes([byte]))
                    waiting.append(target)
        rng = np.random.default_rng(0)
        for _ in range(8 * WITNESSES):
            state, text = start, b""
            while len(text) < 4 * CONTEXT and (steps := self.steps(state)):
                byte, state = steps[rng.integers(len(steps))]
                text += bytes([byte])
                if len(found[state]) < WITNESSES and text not in found[state]:
                    found[state].append(text)
        return found
