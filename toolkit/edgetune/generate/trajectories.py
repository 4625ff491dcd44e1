"""Records of several steps, made of single ones: two requests in one, two calls, two results.

Whatever writes single records (a built-in toolset's generator or `any_tools`) can be wrapped. The
results are plain on purpose: nothing here knows what a tool would really answer.
"""

import json
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

DONE = "That is done."
"""What the assistant says at the end; no adapter learns these words."""
_ANSWER = {"role": "assistant", "content": DONE}

_JOINS = {
    "train": (
        "{0}, then {1}",
        "{0} and then {1}",
        "{0}, and {1}",
        "{0}. Then {1}",
        "first {0}, then {1}",
        "{0}. After that, {1}",
        "{0}, and also {1}",
        "{1}, but before that {0}",
    ),
    "held out": (
        "{0}, and afterwards {1}",
        "two things: {0}, and {1}",
        "{0}; next, {1}",
        "{1}, but do this first: {0}",
    ),
}
"""How two requests become one: the call for `{0}` comes first."""


def join_records(
    records: Sequence[Mapping[str, Any]], count: int, split: str, seed: int
) -> list[dict[str, Any]]:
    """`records`, fewer by `count`: that many trajectories stand for twice as many single calls.

    A trajectory is a request for two things, the first call, its result, the second call, its
    result, and a plain answer (`respond`). A result is a bare "ok" or an echo of the arguments.
    Where `records` hold too few calls, there are fewer trajectories among as many records.
    """
    rng = Random(f"trajectories {split} {seed}")
    calls = [record for record in records if record["messages"][1].get("tool_calls")]
    rest = [record for record in records if not record["messages"][1].get("tool_calls")]
    rng.shuffle(calls)
    paired = calls[: 2 * min(count, len(calls) // 2)]
    pairs = zip(paired[0::2], paired[1::2], strict=True)
    joined = [_joined(first, second, split, rng) for first, second in pairs]
    single = [*calls[len(paired) :], *rest]
    made = [*joined, *map(dict, single[: len(records) - count - len(joined)])]
    rng.shuffle(made)
    return made


def finish_records(
    records: Sequence[Mapping[str, Any]], share: float, split: str, seed: int
) -> list[dict[str, Any]]:
    """`records`, of whose single calls about `share` go on: the call's result, and a plain answer.

    Without them a selector would learn that a result is always followed by another call.
    """
    rng = Random(f"finished {split} {seed}")
    return [
        {"messages": [*record["messages"], _result(record, rng), _ANSWER]}
        if len(record["messages"]) == 2
        and record["messages"][1].get("tool_calls")
        and rng.random() < share
        else dict(record)
        for record in records
    ]


def _joined(
    first: Mapping[str, Any], second: Mapping[str, Any], split: str, rng: Random
) -> dict[str, Any]:
    join = rng.choice(_JOINS["train" if split == "train" else "held out"])
    text = join.format(*(_inner(record, rng) for record in (first, second)))
    if rng.random() < 0.5 and not _begins_with_value(text, (first, second)):
        text = text[:1].upper() + text[1:]
    messages: list[dict[str, Any]] = [{"role": "user", "content": text}]
    for record in (first, second):
        messages += [record["messages"][1], _result(record, rng)]
    return {"messages": [*messages, _ANSWER]}


def _result(record: Mapping[str, Any], rng: Random) -> dict[str, Any]:
    """What the tool of a record's call answers."""
    echo = _call(record)["arguments"] if rng.random() < 0.5 else {}
    return {"role": "tool", "content": json.dumps({"status": "ok", **echo}, ensure_ascii=False)}


def _inner(record: Mapping[str, Any], rng: Random) -> str:
    """A request as a part of a sentence; its values stay letter for letter."""
    text: str = record["messages"][0]["content"]
    values = _values(record)
    if text[-1:] in (".", "!", "?") and not any(text.endswith(value) for value in values):
        text = text[:-1]
    if not _begins_with_value(text, (record,)) and text[:2] != "I " and rng.random() < 0.9:
        text = text[:1].lower() + text[1:]
    return text


def _begins_with_value(text: str, records: Sequence[Mapping[str, Any]]) -> bool:
    return any(text.startswith(value) for record in records for value in _values(record))


def _values(record: Mapping[str, Any]) -> list[str]:
    """The strings among the values of a record's call, also inside others."""
    found: list[str] = []
    left: list[Any] = [_call(record)["arguments"]]
    while left:
        value = left.pop()
        if isinstance(value, str) and value:
            found.append(value)
        elif isinstance(value, (dict, list)):
            left.extend(value.values() if isinstance(value, dict) else value)
    return found


def _call(record: Mapping[str, Any]) -> dict[str, Any]:
    function: dict[str, Any] = record["messages"][1]["tool_calls"][0]["function"]
    return function
