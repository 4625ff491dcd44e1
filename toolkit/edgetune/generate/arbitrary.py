"""Arguments of any JSON Schema, by a random walk through the automaton of their texts.

For schemas of which nothing more is known than what they allow: patterns, unions, free objects.
"""

import json
from functools import lru_cache
from random import Random
from typing import Any

import numpy as np

from edgetune_export.grammar.arguments import arguments_language
from edgetune_export.grammar.tables import Table
from edgetune_runtime.calls import Tool
from edgetune_runtime.errors import InputError

LONG_ENOUGH = 24
"""Bytes after which a walk takes the shortest way to an end."""
_TYPED = [byte for byte in range(0x20, 0x7F) if byte != ord("\\")]
"""Bytes of what people type; others, such as parts of rare letters, where nothing else goes on."""
_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")


def arbitrary_arguments(tool: Tool, rng: Random) -> dict[str, Any]:
    """Arguments that satisfy the tool's schema.

    Raises GrammarError where it has no grammar, InputError where nothing satisfies it.
    """
    table, left = _automaton(tool.name, json.dumps(tool.parameters))
    if table.start == 0:
        raise InputError(f"{tool.name}: no value satisfies its schema; correct the schema.")
    state, text = table.start, bytearray()
    while not table.final[state]:
        after = table.transitions[state]
        typed = {int(number) for number in after[_TYPED] if number}
        states = typed or {int(number) for number in after if number}
        if len(text) > LONG_ENOUGH:
            nearest = min(left[number] for number in states)
            states = {number for number in states if left[number] == nearest}
        # Each next state alike, however many bytes lead there; letters rather than escapes.
        state = rng.choice(sorted(states))
        ways = np.flatnonzero(after == state).tolist()
        text.append(rng.choice([way for way in ways if way in _PLAIN] or ways))
    arguments: dict[str, Any] = json.loads(text)
    return arguments


@lru_cache(maxsize=256)
def _automaton(name: str, parameters: str) -> tuple[Table, list[int]]:
    """The automaton of a tool's arguments, and how many bytes each state is from an end."""
    table = arguments_language(Tool(name, parameters=json.loads(parameters)))
    left = np.where(table.final, 0, np.iinfo(np.int32).max // 2)
    while True:
        closer = np.minimum(
            left, 1 + np.where(table.transitions, left[table.transitions], 1 << 29).min(1)
        )
        if (closer == left).all():
            return table, left.tolist()
        left = closer
