"""Turns invented tools and requests into batches of token ids for pretraining.

A group is one list of tools with several requests, each with its call, that all see the tools and
not each other: one prefix with branches, told apart by an attention mask. So the long list of tools
is computed once for all its requests. It knows nothing of the model or the optimizer.
"""

import json
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from edgetune.invent.records import RESPOND, as_messages, rng_for
from edgetune.invent.requests import Request, chit_chat, invent_request
from edgetune.invent.tools import Invented, invent_set, invent_tool
from edgetune.nano.recipe import Recipe, easy_share
from edgetune.nano.rendering import render

# What a token is, as the loss sees it. An id is a target where its kind is.
CONTEXT, REQUEST, OPENING, NAME, STRUCTURE, VALUE, PSEUDO = range(7)
OPEN = '<|im_start|>assistant\n<tool_call>\n{"name": "'
ARGUMENTS = '", "arguments": '
LONGEST = 1200
"""Tokens of a group at most."""
MULTIPLE = 32
"""Batches are padded to multiples of this, so that few shapes occur."""


@dataclass
class Group:
    """Token ids with, per token, its kind, its branch (0: the shared prefix) and its position."""

    ids: np.ndarray
    kinds: np.ndarray
    branches: np.ndarray
    positions: np.ndarray


def _call_spans(text: str, request: Request, mode: str, pseudo: bool) -> list[tuple[int, int, int]]:
    """(start, end, kind) in characters of one rendered branch, in order."""
    user = text.index("\n") + 1
    start = text.index(OPEN)
    spans = [(user, start - 1, CONTEXT if pseudo else REQUEST)]  # made-up words cannot be foreseen
    spans.append((start + len("<|im_start|>assistant\n"), start + len(OPEN), OPENING))
    cursor = start + len(OPEN)
    end = cursor + len(request.name)
    name_kind = NAME if mode in ("full", "names") else CONTEXT
    key_kind = STRUCTURE if mode == "full" else CONTEXT
    spans.append((cursor, end, name_kind))
    cursor = end + len(ARGUMENTS)
    spans.append((end, cursor, STRUCTURE))
    value_kind = PSEUDO if pseudo else VALUE
    for key, value in request.arguments.items():
        at = text.index(json.dumps(key) + ": ", cursor) + len(json.dumps(key)) + 2
        spans.append((cursor, at, key_kind))
        cursor = at + len(json.dumps(value, ensure_ascii=False))
        spans.append((at, cursor, value_kind))
    spans.append((cursor, len(text) - 1, key_kind if request.arguments else STRUCTURE))
    return spans


class GroupMaker:
    """Makes groups, each from (seed, index) alone, with a tokenizer file."""

    def __init__(self, tokenizer: Path) -> None:
        self.tokenizer = Tokenizer.from_file(str(tokenizer))

    def group(self, seed: int, index: int, easy: bool) -> Group:
        """The group `index` of `seed`; `easy` ones are short and mostly copy drills."""
        rng = rng_for(seed, index, "easy" if easy else "group")
        mode, drill = "full", False
        roll = rng.random()
        if easy:
            drill = roll < 0.6
            tools, requests = (1, 4) if roll < 0.85 else (rng.randint(2, 3), 5)
            listed_respond = rng.random() < 0.5 or tools > 1
        elif roll < 0.47:
            tools, requests, listed_respond = rng.randint(2, 8), rng.randint(4, 8), True
        elif roll < 0.82:
            tools, requests, listed_respond = 1, rng.randint(3, 6), rng.random() < 0.5
            drill = rng.random() < 0.08
        elif roll < 0.92:
            tools, requests, listed_respond, mode = (
                rng.randint(2, 12),
                rng.randint(4, 8),
                True,
                "names",
            )
        else:
            tools, requests, listed_respond, mode = 1, 1, False, "none"
        made = invent_set(rng, tools, drill)
        asked = [self._request(rng, made, drill, listed_respond) for _ in range(requests)]
        if mode == "none":
            shown = None
        elif mode == "names":
            shown = [
                {"type": "function", "function": {"name": t.tool["function"]["name"]}} for t in made
            ]
            shown.append({"type": "function", "function": {"name": "respond"}})
        else:
            shown = [t.tool for t in made] + ([RESPOND] if listed_respond else [])
        return self.encode(shown, asked, mode, drill)

    def _request(self, rng: Random, made: list[Invented], drill: bool, respond: bool) -> Request:
        roll = rng.random()
        if respond and not drill and roll < 0.06:
            return chit_chat(rng)
        if respond and not drill and roll < 0.10:
            names = {o for t in made for o in t.objects}
            stranger = invent_tool(rng, 4)
            if not names & set(stranger.objects):
                return Request(invent_request(rng, stranger).text, "respond", {})
        return invent_request(rng, rng.choice(made), drill)

    def encode(
        self, shown: list[dict] | None, asked: list[Request], mode: str, pseudo: bool
    ) -> Group:
        """Tokens of the tools and of each request with its call, of as many as `LONGEST` holds."""
        prefix = ""
        branches = [render(as_messages(request)) for request in asked]
        if shown is not None:
            whole = render(as_messages(asked[0]), shown)
            prefix = whole[: len(whole) - len(branches[0])]
        ids = list(self.tokenizer.encode(prefix, add_special_tokens=False).ids) if prefix else []
        kinds = [CONTEXT] * len(ids)
        owner = [0] * len(ids)
        positions = list(range(len(ids)))
        shared = len(ids)
        for number, (text, request) in enumerate(zip(branches, asked, strict=True), start=1):
            encoding = self.tokenizer.encode(text, add_special_tokens=False)
            if number > 1 and len(ids) + len(encoding.ids) > LONGEST:
                break
            spans = _call_spans(text, request, mode, pseudo)
            cursor = 0
            for token, (start, end) in zip(encoding.ids, encoding.offsets, strict=True):
                if text[start] == " " and end > start + 1:  # " 2": the value begins at 2
                    start += 1
                while cursor < len(spans) and spans[cursor][1] <= start:
                    cursor += 1
                inside = cursor < len(spans) and spans[cursor][0] <= start
                ids.append(token)
                kinds.append(spans[cursor][2] if inside else CONTEXT)
                owner.append(number)
            positions.extend(range(shared, shared + len(encoding.ids)))
        return Group(
            np.array(ids, np.uint16),
            np.array(kinds, np.uint8),
            np.array(owner, np.uint8),
            np.array(positions, np.int16),
        )


@dataclass
class Batch:
    """Right-padded groups: arrays `[batch, sequence]`; padding has branch 255 and kind CONTEXT."""

    ids: np.ndarray
    kinds: np.ndarray
    branches: np.ndarray
    positions: np.ndarray


def pad(groups: list[Group]) -> Batch:
    """Groups as one batch."""
    longest = -(-max(len(g.ids) for g in groups) // MULTIPLE) * MULTIPLE
    shape = (len(groups), longest)
    batch = Batch(
        np.zeros(shape, np.int64),
        np.zeros(shape, np.uint8),
        np.full(shape, 255, np.uint8),
        np.zeros(shape, np.int64),
    )
    for row, group in enumerate(groups):
        n = len(group.ids)
        batch.ids[row, :n], batch.kinds[row, :n] = group.ids, group.kinds
        batch.branches[row, :n], batch.positions[row, :n] = group.branches, group.positions
    return batch


def make_chunk(
    maker: GroupMaker, seed: int, chunk: int, steps: int, tokens: int, easy: float
) -> list[Batch]:
    """The `steps` batches of chunk number `chunk`, each of about `tokens` tokens with padding.

    Groups of like length share a batch; the order of the batches is shuffled.
    """
    rng = rng_for(seed, chunk, "chunk")
    groups: list[Group] = []
    index, total = chunk * 1_000_000, 0
    while total < steps * tokens * 0.985:
        group = maker.group(seed, index, rng.random() < easy)
        index += 1
        if len(group.ids) <= LONGEST:
            groups.append(group)
            total += len(group.ids)
    groups.sort(key=lambda g: len(g.ids))
    batches: list[Batch] = []
    start = 0
    for number in range(steps):
        left = sum(len(g.ids) for g in groups[start:])
        share = left / (steps - number)
        end, filled = start, 0
        while end < len(groups) and (filled + len(groups[end].ids) / 2 < share or end == start):
            filled += len(groups[end].ids)
            end += 1
        if number == steps - 1:
            end = len(groups)
        if end > start:
            batches.append(pad(groups[start:end]))
        start = end
    rng.shuffle(batches)
    while len(batches) < steps:
        batches.append(batches[-1])
    return batches


def keep_making(recipe: Recipe, tokenizer: Path, first: int, queue: Any) -> None:
    """A process's work: puts one chunk of batches after the other, from that of step `first` on."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = os.getppid()
    maker = GroupMaker(tokenizer)
    chunk = first // recipe.chunk
    while os.getppid() == parent:
        easy = easy_share(chunk * recipe.chunk, recipe)
        queue.put(make_chunk(maker, recipe.seed, chunk, recipe.chunk, recipe.tokens, easy))
        chunk += 1
