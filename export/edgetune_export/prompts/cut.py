"""Cutting a template's strings into pieces, by conversations whose texts are sentinels.

What stands around the sentinels is kept as `Pieces`; whole conversations are then rendered both
ways and compared. This module knows a function that renders, neither Jinja nor tokens.
"""

import json
from collections.abc import Callable

from edgetune_export.prompts.messages import (
    assistant_message,
    call_message,
    messages_of,
    result_message,
    user_message,
)
from edgetune_runtime.calls import RESPOND_TOOL, Tool
from edgetune_runtime.prompt import (
    Assistant,
    Called,
    Pieces,
    Result,
    Turn,
    User,
    render_prompt,
)

ASK, _SAY, _GOT, NAME = "Sentinelask", "Sentinelsay", "Sentinelgot", "sentinel_name"
_ARGUMENTS = {"sentinel_key": "sentinel value"}
_SAMPLE_TOOL = Tool(
    NAME,
    "Sentinel description.",
    {"type": "object", "properties": {"text": {"type": "string", "description": "a text"}}},
)

Rendered = Callable[..., str]
"""`rendered(*messages, tools=None, generate=False)`, which raises Uncuttable."""


class Uncuttable(Exception):
    """The template does not have the shape that `Pieces` can hold; says what differs."""


def cut(rendered: Rendered, *, lenient: bool = False) -> Pieces:
    """The strings around the sentinels of rendered conversations; whole ones then render alike.

    A `lenient` cut is for templates that take less: only conversations whose roles alternate are
    compared, and the generation prompt may open what no earlier turn has (`<think>`). Raises
    Uncuttable, saying what differs.
    """
    try:
        pieces = _cut(rendered)
        _check_conversations(rendered, pieces, lenient)
    except Uncuttable:
        if not lenient:
            raise
        pieces = _cut(rendered, anew=True)
        _check_conversations(rendered, pieces, lenient)
    return pieces


def _cut(rendered: Rendered, *, anew: bool = False) -> Pieces:
    """With `anew`, an earlier call does not begin with the generation prompt, but as words do."""
    ask, say, call = user_message(ASK), assistant_message(_SAY), call_message(NAME, _ARGUMENTS)
    asked = _after(rendered(ask), ASK)
    generation = stripped(_after(rendered(ask, generate=True), ASK), before=asked)
    said = _after(rendered(ask, say), _SAY)
    again = _after(rendered(ask, say, user_message("Second" + ASK)), ASK)
    words, again = _halves(again, _SAY)
    words = stripped(words, before=asked)
    user_open = stripped(again.split("Second" + ASK)[0], before=said)

    answered = _after(rendered(ask, call, result_message(_GOT)), ASK)
    if anew:
        told = stripped(answered, before=asked + words)
    else:
        told = stripped(_after(rendered(ask, call), ASK), before=asked + generation)
    call_open, rest = _halves(told, NAME)
    middle, rest = _halves(rest, json.dumps(_ARGUMENTS))
    call_close = _halves(rest, said)[0] if anew else stripped(rest, after=said)

    earlier, rest = _halves(answered, call_open + NAME + middle)
    earlier = stripped(earlier, before=asked)
    _, rest = _halves(rest, call_close + said)
    result_open, result_close = _halves(rest, _GOT)
    return Pieces(
        user=(user_open, asked),
        assistant=(generation, said),
        result=(result_open, result_close),
        call_open=call_open,
        call_middle=middle,
        call_close=call_close,
        earlier=None if earlier == generation else earlier,
        words=None if words == earlier else words,
    )


def _after(text: str, mark: str) -> str:
    return _halves(text, mark)[1]


def _halves(text: str, mark: str) -> tuple[str, str]:
    before, found, after = text.partition(mark) if mark else ("", "", text)
    if not found:
        raise Uncuttable(f"{mark!r} does not stand in {text[-200:]!r}")
    return before, after


def stripped(text: str, *, before: str = "", after: str = "") -> str:
    """`text` without its head `before` and its tail `after`, which must be there."""
    if not (text.startswith(before) and text.endswith(after)):
        raise Uncuttable(f"{text[-200:]!r} does not stand between {before!r} and {after!r}")
    return text[len(before) : len(text) - len(after)]


def _check_conversations(rendered: Rendered, pieces: Pieces, lenient: bool) -> None:
    """Raise Uncuttable unless pieces and template agree on whole conversations."""
    arguments = {"text": 'a "quoted" ü\nline', "list": [1, 2.5, True, None], "object": {"a": []}}
    call = Called(NAME, json.dumps(arguments, ensure_ascii=False))
    first, second = User('Say "hello" <b>, ü 東京\nthen stop.'), User("And {now}?")
    between = [Assistant("Done.")] if lenient else []
    conversations: list[list[Turn]] = [
        [first],
        [first, call, Result('{"ok": true, "text": "ü"}')],
        [first, call, Result("done"), *between, second],
        [first, call, Result("one"), call, Result("two"), *between, second],
    ]
    tools = [_SAMPLE_TOOL.as_openai(), RESPOND_TOOL.as_openai()]  # the second has no parameters
    prefix = rendered(user_message(ASK), tools=tools).split(ASK)[0]
    prefix = stripped(prefix, after=pieces.user[0])
    if NAME not in prefix:
        raise Uncuttable("the template does not show the tools before the first turn")
    for turns in conversations:
        wanted = rendered(*messages_of(turns), tools=tools, generate=True)
        if render_prompt(pieces, prefix, turns) != wanted:
            raise Uncuttable(f"a conversation of {len(turns)} turns renders otherwise")
    spoken: list[Turn] = [first, Assistant("Words, “said”."), second]
    wanted = rendered(*messages_of(spoken, words=True), tools=tools, generate=True)
    if render_prompt(pieces, prefix, spoken, words=True) != wanted:
        raise Uncuttable("a conversation in words renders otherwise")
