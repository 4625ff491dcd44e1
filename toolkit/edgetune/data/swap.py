"""More records from few: the same request with other values, taken from other records.

Where an argument is a span of the request, the span can be any value that the parameter has
elsewhere: "weather in Oslo" and "weather in Lima" teach the same. It knows records alone, not how
they are rendered or trained on.
"""

import random
from collections.abc import Sequence

from edgetune.data.records import Example
from edgetune_runtime.calls import RESPOND, Call, Toolset
from edgetune_runtime.prompt import User

SHARE = 0.7
"""How often a value that can be swapped is."""

Pools = dict[tuple[str, str], list[str]]
"""Tool and parameter to the different values that the parameter has."""


def swapped_examples(
    toolset: Toolset, examples: Sequence[Example], copies: int, seed: int
) -> list[Example]:
    """Up to `copies` variants of each example, with spans replaced in its last user turn.

    A value is swapped where it is a string without an enum that stands exactly once in the turn,
    apart from the other values. An example without such a value gets no variant.
    """
    pools = _pools(toolset, examples)
    chance = random.Random(seed)
    made = []
    for example in examples:
        spans = _spans(example, pools)
        for _ in range(copies if spans else 0):
            variant = _variant(example, spans, pools, chance)
            if variant != example:
                made.append(variant)
    return made


def _pools(toolset: Toolset, examples: Sequence[Example]) -> Pools:
    found: dict[tuple[str, str], dict[str, None]] = {}
    for example in examples:
        tool = example.call.tool
        properties = {} if tool == RESPOND else toolset[tool].properties
        for key, value in example.call.arguments.items():
            if isinstance(value, str) and value and "enum" not in properties.get(key, {}):
                found.setdefault((tool, key), {})[value] = None
    return {place: list(values) for place, values in found.items() if len(values) > 1}


def _spans(example: Example, pools: Pools) -> dict[str, tuple[int, int]]:
    """Where in the last user turn each value stands that can be swapped."""
    turn = example.turns[-1] if example.turns else None
    if not isinstance(turn, User):
        return {}
    places = {
        key: [(at, at + len(str(value))) for at in _occurrences(turn.text, str(value))]
        for key, value in example.call.arguments.items()
    }
    spans = {}
    for key, own in places.items():
        others = [span for other in places if other != key for span in places[other]]
        if (example.call.tool, key) in pools and len(own) == 1 and _apart(own[0], others):
            spans[key] = own[0]
    return spans


def _occurrences(text: str, value: str) -> list[int]:
    return [at for at in range(len(text)) if value and text.startswith(value, at)]


def _apart(span: tuple[int, int], others: Sequence[tuple[int, int]]) -> bool:
    return not any(span[0] < end and start < span[1] for start, end in others)


def _variant(
    example: Example, spans: dict[str, tuple[int, int]], pools: Pools, chance: random.Random
) -> Example:
    *earlier, turn = example.turns
    assert isinstance(turn, User)
    text, arguments = turn.text, dict(example.call.arguments)
    # From the end of the text, so that earlier spans stay where they are.
    for key, (start, end) in sorted(spans.items(), key=lambda item: -item[1][0]):
        if chance.random() < SHARE:
            arguments[key] = chance.choice(pools[example.call.tool, key])
            text = text[:start] + arguments[key] + text[end:]
    return Example((*earlier, User(text)), Call(example.call.tool, arguments))
