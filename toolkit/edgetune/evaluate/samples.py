"""The calls that a report shows in full: a few that are right, and a few that are not."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from edgetune.evaluate.evaluate import EvalResult, request_text
from edgetune.evaluate.score import Outcome, argument_errors

RIGHT = 6
WRONG = 8
"""How many calls of each kind are shown at the most."""


def right_calls(result: EvalResult, calls: Sequence[Mapping[str, Any]] = ()) -> str:
    """Markup with `calls` in full, or with right ones of `result` where there are none."""
    cards = [
        _right_card(
            call["request"], _call(call["tool"], call["arguments"]), call.get("probability")
        )
        for call in calls
    ] or [
        _right_card(
            request_text(result.examples[index].turns),
            _call(result.outcomes[index].expected.tool, result.outcomes[index].expected.arguments),
        )
        for index in _one_per_tool(result, right=True)[:RIGHT]
    ]
    return _section("Calls in full", cards)


def wrong_calls(result: EvalResult) -> str:
    """Markup with calls of `result` that are not exact, and what is wrong marked."""
    cards = [
        _wrong_card(request_text(result.examples[index].turns), result.outcomes[index])
        for index in _one_per_tool(result, right=False)[:WRONG]
    ]
    return _section("Calls that went wrong", cards)


def _section(heading: str, cards: Sequence[str]) -> str:
    if not cards:
        return ""
    return f'<section><h2>{heading}</h2><div class="calls">{"".join(cards)}</div></section>'


def _one_per_tool(result: EvalResult, *, right: bool) -> list[int]:
    """The examples whose call is right (or is not), so that the first ones differ in tool."""
    seen: Counter[str] = Counter()
    turn = {}
    for index, outcome in enumerate(result.outcomes):
        if outcome.call_right is right:
            turn[index] = seen[outcome.expected.tool]
            seen[outcome.expected.tool] += 1
    return sorted(turn, key=lambda index: (turn[index], index))


def _right_card(request: str, call: str, probability: float | None = None) -> str:
    sure = "" if probability is None else f" <small>{probability:.3f}</small>"
    return f'<div class="call"><q>{escape(request)}</q><code>{call}</code>{sure}</div>'


def _wrong_card(request: str, outcome: Outcome) -> str:
    expected = _call(outcome.expected.tool, outcome.expected.arguments)
    return (
        f'<div class="call missed"><q>{escape(request)}</q><dl>'
        f"<dt>expected</dt><dd><code>{expected}</code></dd>"
        f"<dt>called</dt><dd><code>{_call_marked(outcome)}</code></dd></dl></div>"
    )


def _call(tool: str, arguments: Mapping[str, Any]) -> str:
    return escape(f"{tool} {json.dumps(dict(arguments), ensure_ascii=False)}")


def _call_marked(outcome: Outcome) -> str:
    """The call that was made, with what is wrong with it marked."""
    called = outcome.called or {}
    tool = escape(str(outcome.selected))
    if not outcome.selection_right:
        arguments = escape(json.dumps(dict(called), ensure_ascii=False))
        return f"<mark>{tool}</mark> {arguments}"
    errors = argument_errors(outcome.expected.arguments, called)
    shown = [_marked(_pair(key, value), key in errors) for key, value in called.items()] + [
        _marked(f"no {json.dumps(key, ensure_ascii=False)}", True)
        for key, kind in errors.items()
        if kind == "missing"
    ]
    return f"{tool} {{{', '.join(shown)}}}"


def _pair(key: str, value: Any) -> str:
    return json.dumps({key: value}, ensure_ascii=False)[1:-1]


def _marked(text: str, wrong: bool) -> str:
    return f"<mark>{escape(text)}</mark>" if wrong else escape(text)
