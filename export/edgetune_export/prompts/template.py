"""Cut the strings of a prompt out of a base model's own chat template.

The template is run over conversations whose texts are sentinels, and what stands around the
sentinels is kept as `Pieces`; whole conversations are then rendered both ways and compared. From
here on nobody runs Jinja again. A base whose template knows no tools (or cannot be cut) gets the
Hermes format inside its own turns, or inside ChatML where it has no template at all. This module
knows nothing of training or bundles.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from edgetune_runtime.calls import Call, Tool
from edgetune_runtime.errors import InputError
from edgetune_runtime.files import sha256_bytes
from edgetune_runtime.prompt import (
    Called,
    Pieces,
    Result,
    Turn,
    User,
    call_opening,
    render_call,
    render_prompt,
)

CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
"""Plain turns for a base that has no chat template."""

HERMES_SYSTEM = (
    "You may call one of these functions to help with the user's request.\n"
    "<tools>\n{tools}\n</tools>\n"
    "Answer with a JSON object between tool_call tags:\n"
    '<tool_call>\n{{"name": <function>, "arguments": <object>}}\n</tool_call>'
)
"""System message of the fallback; `{tools}` is one JSON object a line."""

TEMPLATE_OPTIONS = {
    "enable_thinking": False,
    "tools_in_user_message": False,
    "date_string": "1 January 2025",
}
"""What known templates may be told: no reasoning, tools in the system message, and a fixed date,
since a prompt that was trained must not change from day to day."""

Message = dict[str, Any]


class Uncuttable(Exception):
    """The template does not have the shape that `Pieces` can hold; says what differs."""


def cut_pieces(tokenizer: Any) -> Pieces:
    """The pieces of `tokenizer`'s chat template (a Hugging Face tokenizer).

    Raises InputError where not even the fallback can be cut, or where a call does not begin at a
    token boundary.
    """
    pieces = _cut(tokenizer, native=is_native(tokenizer))
    _check_boundary(tokenizer, pieces)
    return pieces


def template_sha256(tokenizer: Any) -> str:
    """Hash of the text of the template that prompts are rendered with."""
    own = tokenizer.chat_template or CHATML
    source = own if is_native(tokenizer) else own + HERMES_SYSTEM
    return sha256_bytes(source.encode())


def rendered_by_template(
    tokenizer: Any, tools: Sequence[Mapping[str, Any]] | None, turns: Sequence[Turn]
) -> str:
    """What the base's own template makes of a conversation, with the generation prompt.

    The oracle for `render_prompt`; `tools` are in the OpenAI format.
    """
    return render(tokenizer, is_native(tokenizer), _messages(turns), tools, generate=True)


# --- rendering -----------------------------------------------------------------------------------


def render(
    tokenizer: Any,
    native: bool,
    messages: Sequence[Message],
    tools: Sequence[Mapping[str, Any]] | None = None,
    generate: bool = False,
) -> str:
    """What the template makes of `messages`; with the Hermes format inside where not `native`."""
    if not native:
        messages, tools = _as_hermes(messages, tools), None
    return tokenizer.apply_chat_template(
        list(messages),
        tools=list(tools) if tools else None,
        chat_template=tokenizer.chat_template or CHATML,
        tokenize=False,
        add_generation_prompt=generate,
        **TEMPLATE_OPTIONS,
    )


def _as_hermes(
    messages: Sequence[Message], tools: Sequence[Mapping[str, Any]] | None
) -> list[Message]:
    """The same conversation in plain roles: tools, calls and results written out as text."""
    plain: list[Message] = []
    if tools:
        listed = "\n".join(json.dumps(tool, ensure_ascii=False) for tool in tools)
        plain.append({"role": "system", "content": HERMES_SYSTEM.format(tools=listed)})
    for message in messages:
        if message.get("tool_calls"):
            function = message["tool_calls"][0]["function"]
            call = json.dumps(function, ensure_ascii=False)
            content = f"<tool_call>\n{call}\n</tool_call>"
            plain.append({"role": "assistant", "content": content})
        elif message["role"] == "tool":
            content = f"<tool_response>\n{message['content']}\n</tool_response>"
            plain.append({"role": "user", "content": content})
        else:
            plain.append(message)
    return plain


def user_message(text: str) -> Message:
    """A turn of the user, as templates take it."""
    return {"role": "user", "content": text}


def _said(text: str) -> Message:
    return {"role": "assistant", "content": text}


def _called(name: str, arguments: Mapping[str, Any]) -> Message:
    function = {"name": name, "arguments": dict(arguments)}
    return {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"type": "function", "function": function}],
    }


def _result(text: str) -> Message:
    return {"role": "tool", "content": text}


def _messages(turns: Sequence[Turn]) -> list[Message]:
    messages: list[Message] = []
    for turn in turns:
        match turn:
            case User(text):
                messages.append(user_message(text))
            case Called(tool, call):
                messages.append(_called(tool.name, call.arguments))
            case Result(text):
                messages.append(_result(text))
    return messages


# --- cutting -------------------------------------------------------------------------------------

ASK, _SAY, _GOT, _NAME = "Sentinelask", "Sentinelsay", "Sentinelgot", "sentinel_name"
_ARGUMENTS = {"sentinel_key": "sentinel value"}
_SAMPLE_TOOL = Tool(
    _NAME,
    "Sentinel description.",
    {"type": "object", "properties": {"text": {"type": "string", "description": "a text"}}},
)


def is_native(tokenizer: Any) -> bool:
    """True where the base's template itself shows tools and calls in a shape that can be cut."""
    if not tokenizer.chat_template:
        return False
    try:
        _cut(tokenizer, native=True)
    except Uncuttable:
        return False
    return True


def _cut(tokenizer: Any, native: bool) -> Pieces:
    """Pieces from renderings of sentinels, checked against whole conversations."""
    from jinja2.exceptions import TemplateError

    def rendered(*messages: Message, generate: bool = False) -> str:
        try:
            return render(tokenizer, native, messages, generate=generate)
        except (TemplateError, TypeError) as error:
            raise Uncuttable(f"the template refuses a conversation ({error})") from error

    try:
        pieces = _cut_from(rendered)
        _check_conversations(tokenizer, native, pieces)
    except Uncuttable as reason:
        if native:
            raise
        raise InputError(
            f"{tokenizer.name_or_path}: the chat template cannot be used: {reason}; give the "
            "tokenizer a template with plain user and assistant turns."
        ) from reason
    return pieces


def _cut_from(rendered: Any) -> Pieces:
    asked = _after(rendered(user_message(ASK)), ASK)
    generation = stripped(_after(rendered(user_message(ASK), generate=True), ASK), before=asked)
    said = _after(rendered(user_message(ASK), _said(_SAY)), _SAY)
    again = _after(rendered(user_message(ASK), _said(_SAY), user_message("Second" + ASK)), _SAY)
    user_open = stripped(again.split("Second" + ASK)[0], before=said)

    last = stripped(
        _after(rendered(user_message(ASK), _called(_NAME, _ARGUMENTS)), ASK),
        before=asked + generation,
    )
    call_open, rest = _halves(last, _NAME)
    middle, rest = _halves(rest, json.dumps(_ARGUMENTS))
    call_close = stripped(rest, after=said)

    answered = _after(rendered(user_message(ASK), _called(_NAME, _ARGUMENTS), _result(_GOT)), ASK)
    earlier, rest = _halves(answered, call_open + _NAME + middle)
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
    )


def _after(text: str, mark: str) -> str:
    return _halves(text, mark)[1]


def _halves(text: str, mark: str) -> tuple[str, str]:
    before, found, after = text.partition(mark)
    if not found:
        raise Uncuttable(f"{mark!r} does not stand in {text[-200:]!r}")
    return before, after


def stripped(text: str, *, before: str = "", after: str = "") -> str:
    """`text` without its head `before` and its tail `after`, which must be there."""
    if not (text.startswith(before) and text.endswith(after)):
        raise Uncuttable(f"{text[-200:]!r} does not stand between {before!r} and {after!r}")
    return text[len(before) : len(text) - len(after)]


# --- checks --------------------------------------------------------------------------------------


def _check_conversations(tokenizer: Any, native: bool, pieces: Pieces) -> None:
    """Raise Uncuttable unless pieces and template agree on whole conversations."""
    arguments = {"text": 'a "quoted" ü\nline', "list": [1, 2.5, True, None], "object": {"a": []}}
    call = Called(_SAMPLE_TOOL, Call(_NAME, arguments))
    first, second = User('Say "hello" <b>, ü 東京\nthen stop.'), User("And {now}?")
    conversations: list[list[Turn]] = [
        [first],
        [first, call, Result('{"ok": true, "text": "ü"}')],
        [first, call, Result("done"), second],
        [first, call, Result("one"), call, Result("two"), second],
    ]
    tools = [_SAMPLE_TOOL.as_openai()]
    prefix = render(tokenizer, native, [user_message(ASK)], tools).split(ASK)[0]
    prefix = stripped(prefix, after=pieces.user[0])
    if _NAME not in prefix:
        raise Uncuttable("the template does not show the tools before the first turn")
    for turns in conversations:
        wanted = render(tokenizer, native, _messages(turns), tools, generate=True)
        if render_prompt(pieces, prefix, turns) != wanted:
            raise Uncuttable(f"a conversation of {len(turns)} turns renders otherwise")


def _check_boundary(tokenizer: Any, pieces: Pieces) -> None:
    """Raise InputError unless a call's tokens are the same alone and after its prompt."""
    prompt = render_prompt(pieces, "", [User("Hello there.")])
    call = render_call(pieces, _SAMPLE_TOOL, Call(_NAME, {"text": "hello"}))
    if token_ids(tokenizer, prompt) + token_ids(tokenizer, call) != token_ids(
        tokenizer, prompt + call
    ):
        raise InputError(
            f"{tokenizer.name_or_path}: the tokenizer joins the end of the prompt "
            f"({prompt[-20:]!r}) with the opening of a call ({call_opening(pieces, '')[:20]!r}); "
            "use a chat template whose call begins with a token of its own."
        )


def token_ids(tokenizer: Any, text: str) -> list[int]:
    """The ids of `text`, without any that the tokenizer would add."""
    return tokenizer.encode(text, add_special_tokens=False)
