"""Cut the strings of a prompt out of a base model's own chat template.

The template is run over conversations whose texts are sentinels, and what stands around the
sentinels is kept as `Pieces`; whole conversations are then rendered both ways and compared. From
here on nobody runs Jinja again. A base whose template knows no tools (or cannot be cut) gets the
Hermes format inside its own turns, or inside ChatML where it has no template at all. This module
knows nothing of training or bundles.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from edgetune_runtime.calls import RESPOND_TOOL, Call, Tool, Toolset
from edgetune_runtime.errors import InputError
from edgetune_runtime.files import sha256_bytes
from edgetune_runtime.prompt import (
    Called,
    Pieces,
    Result,
    RouterPrompts,
    ToolsetPrompts,
    ToolsShown,
    Turn,
    User,
    call_opening,
    render_call,
    render_prompt,
)
from edgetune_runtime.routing import as_tools

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


class _Uncuttable(Exception):
    """The template does not have the shape that `Pieces` can hold; says what differs."""


def cut_pieces(tokenizer: Any) -> Pieces:
    """The pieces of `tokenizer`'s chat template (a Hugging Face tokenizer).

    Raises InputError where not even the fallback can be cut, or where a call does not begin at a
    token boundary.
    """
    pieces = _cut(tokenizer, native=_is_native(tokenizer))
    _check_boundary(tokenizer, pieces)
    return pieces


def toolset_prompts(
    tokenizer: Any, toolset: Toolset, tools_shown: ToolsShown = "full", *, shared: bool = False
) -> ToolsetPrompts:
    """The static prefixes of a toolset: for the base, the selector and each arguments adapter.

    Lists hold the toolset's tools and `respond`; an arguments adapter sees its own tool alone, or
    what the selector sees where the prompt is `shared`. The base always sees the tools in full.
    Raises InputError as `cut_pieces` does.
    """
    prefix = _prefixes(tokenizer)
    every = (*toolset.tools, RESPOND_TOOL)
    selector = prefix(every, tools_shown)
    return ToolsetPrompts(
        tools_shown=tools_shown,
        shared=shared,
        base=prefix(every, "full"),
        selector=selector,
        arguments={
            tool.name: selector if shared else prefix([tool], tools_shown) for tool in toolset.tools
        },
    )


def router_prompts(
    tokenizer: Any, toolsets: Iterable[Toolset], tools_shown: ToolsShown = "full"
) -> RouterPrompts:
    """The static prefixes that list toolsets: for the base and for the router adapter.

    The base always sees their descriptions. Raises InputError as `cut_pieces` does.
    """
    prefix = _prefixes(tokenizer)
    tools = as_tools(toolsets)
    return RouterPrompts(base=prefix(tools, "full"), adapter=prefix(tools, tools_shown))


def _prefixes(tokenizer: Any) -> Callable[[Sequence[Tool], ToolsShown], str]:
    """Makes checked static prefixes of tools and how much of them is shown."""
    native = _is_native(tokenizer)
    pieces = cut_pieces(tokenizer)

    def prefix(tools: Sequence[Tool], shown: ToolsShown) -> str:
        text = _prefix(tokenizer, native, pieces, [show_tool(tool, shown) for tool in tools], shown)
        _check_prefix(tokenizer, pieces, text)
        return text

    return prefix


def show_tool(tool: Tool, shown: ToolsShown) -> dict[str, Any]:
    """A tool in the OpenAI format with as much of it as `shown` says."""
    if shown == "names":
        return {"type": "function", "function": {"name": tool.name}}
    full = tool.as_openai()
    if shown == "compact" and "parameters" in full["function"]:
        full["function"]["parameters"] = _without_descriptions(tool.parameters)
    return full


def template_sha256(tokenizer: Any) -> str:
    """Hash of the text of the template that prompts are rendered with."""
    own = tokenizer.chat_template or CHATML
    source = own if _is_native(tokenizer) else own + HERMES_SYSTEM
    return sha256_bytes(source.encode())


def rendered_by_template(
    tokenizer: Any, tools: Sequence[Mapping[str, Any]] | None, turns: Sequence[Turn]
) -> str:
    """What the base's own template makes of a conversation, with the generation prompt.

    The oracle for `render_prompt`; `tools` are in the OpenAI format.
    """
    return _render(tokenizer, _is_native(tokenizer), _messages(turns), tools, generate=True)


def _without_descriptions(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The schema without the description of any parameter; names of parameters stay."""

    def strip(schema: Any) -> Any:
        if isinstance(schema, list):
            return [strip(item) for item in schema]
        if not isinstance(schema, Mapping):
            return schema
        kept: dict[str, Any] = {}
        for key, value in schema.items():
            if key in ("properties", "$defs", "definitions") and isinstance(value, Mapping):
                kept[key] = {name: strip(child) for name, child in value.items()}
            elif key in ("enum", "const", "default", "required"):
                kept[key] = value
            elif key != "description":
                kept[key] = strip(value)
        return kept

    return strip(parameters)


# --- rendering -----------------------------------------------------------------------------------


def _render(
    tokenizer: Any,
    native: bool,
    messages: Sequence[Message],
    tools: Sequence[Mapping[str, Any]] | None = None,
    generate: bool = False,
) -> str:
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


def _user(text: str) -> Message:
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
                messages.append(_user(text))
            case Called(tool, call):
                messages.append(_called(tool.name, call.arguments))
            case Result(text):
                messages.append(_result(text))
    return messages


# --- cutting -------------------------------------------------------------------------------------

_ASK, _SAY, _GOT, _NAME = "Sentinelask", "Sentinelsay", "Sentinelgot", "sentinel_name"
_ARGUMENTS = {"sentinel_key": "sentinel value"}
_SAMPLE_TOOL = Tool(
    _NAME,
    "Sentinel description.",
    {"type": "object", "properties": {"text": {"type": "string", "description": "a text"}}},
)


def _is_native(tokenizer: Any) -> bool:
    """True where the base's template itself shows tools and calls in a shape that can be cut."""
    if not tokenizer.chat_template:
        return False
    try:
        _cut(tokenizer, native=True)
    except _Uncuttable:
        return False
    return True


def _cut(tokenizer: Any, native: bool) -> Pieces:
    """Pieces from renderings of sentinels, checked against whole conversations."""
    from jinja2.exceptions import TemplateError

    def rendered(*messages: Message, generate: bool = False) -> str:
        try:
            return _render(tokenizer, native, messages, generate=generate)
        except (TemplateError, TypeError) as error:
            raise _Uncuttable(f"the template refuses a conversation ({error})") from error

    try:
        pieces = _cut_from(rendered)
        _check_conversations(tokenizer, native, pieces)
    except _Uncuttable as reason:
        if native:
            raise
        raise InputError(
            f"{tokenizer.name_or_path}: the chat template cannot be used: {reason}; give the "
            "tokenizer a template with plain user and assistant turns."
        ) from reason
    return pieces


def _cut_from(rendered: Any) -> Pieces:
    asked = _after(rendered(_user(_ASK)), _ASK)
    generation = _stripped(_after(rendered(_user(_ASK), generate=True), _ASK), before=asked)
    said = _after(rendered(_user(_ASK), _said(_SAY)), _SAY)
    again = _after(rendered(_user(_ASK), _said(_SAY), _user("Second" + _ASK)), _SAY)
    user_open = _stripped(again.split("Second" + _ASK)[0], before=said)

    last = _stripped(
        _after(rendered(_user(_ASK), _called(_NAME, _ARGUMENTS)), _ASK), before=asked + generation
    )
    call_open, rest = _halves(last, _NAME)
    middle, rest = _halves(rest, json.dumps(_ARGUMENTS))
    call_close = _stripped(rest, after=said)

    answered = _after(rendered(_user(_ASK), _called(_NAME, _ARGUMENTS), _result(_GOT)), _ASK)
    earlier, rest = _halves(answered, call_open + _NAME + middle)
    earlier = _stripped(earlier, before=asked)
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


def _prefix(
    tokenizer: Any,
    native: bool,
    pieces: Pieces,
    tools: Sequence[Mapping[str, Any]],
    shown: ToolsShown,
) -> str:
    """What stands before the first user turn."""
    text = _render(tokenizer, native, [_user(_ASK)], None if shown == "none" else tools)
    try:
        return _stripped(text.split(_ASK)[0], after=pieces.user[0])
    except _Uncuttable as reason:
        raise InputError(
            f"{tokenizer.name_or_path}: the chat template puts the tools inside the user's turn "
            f"({reason}); use a template that puts them in the system message."
        ) from reason


def _after(text: str, mark: str) -> str:
    return _halves(text, mark)[1]


def _halves(text: str, mark: str) -> tuple[str, str]:
    before, found, after = text.partition(mark)
    if not found:
        raise _Uncuttable(f"{mark!r} does not stand in {text[-200:]!r}")
    return before, after


def _stripped(text: str, *, before: str = "", after: str = "") -> str:
    """`text` without its head `before` and its tail `after`, which must be there."""
    if not (text.startswith(before) and text.endswith(after)):
        raise _Uncuttable(f"{text[-200:]!r} does not stand between {before!r} and {after!r}")
    return text[len(before) : len(text) - len(after)]


# --- checks --------------------------------------------------------------------------------------


def _check_conversations(tokenizer: Any, native: bool, pieces: Pieces) -> None:
    """Raise _Uncuttable unless pieces and template agree on whole conversations."""
    arguments = {"text": 'a "quoted" ü\nline', "list": [1, 2.5, True, None], "object": {"a": []}}
    call = Called(_SAMPLE_TOOL, Call(_NAME, arguments))
    first, second = User('Say "hello" <b>, ü 東京\nthen stop.'), User("And {now}?")
    conversations: list[list[Turn]] = [
        [first],
        [first, call, Result('{"ok": true, "text": "ü"}')],
        [first, call, Result("done"), second],
        [first, call, Result("one"), call, Result("two"), second],
    ]
    tools = [show_tool(_SAMPLE_TOOL, "full")]
    prefix = _render(tokenizer, native, [_user(_ASK)], tools).split(_ASK)[0]
    prefix = _stripped(prefix, after=pieces.user[0])
    if _NAME not in prefix:
        raise _Uncuttable("the template does not show the tools before the first turn")
    for turns in conversations:
        wanted = _render(tokenizer, native, _messages(turns), tools, generate=True)
        if render_prompt(pieces, prefix, turns) != wanted:
            raise _Uncuttable(f"a conversation of {len(turns)} turns renders otherwise")


def _check_boundary(tokenizer: Any, pieces: Pieces) -> None:
    """Raise InputError unless a call's tokens are the same alone and after its prompt."""
    prompt = render_prompt(pieces, "", [User("Hello there.")])
    call = render_call(pieces, _SAMPLE_TOOL, Call(_NAME, {"text": "hello"}))
    if _ids(tokenizer, prompt) + _ids(tokenizer, call) != _ids(tokenizer, prompt + call):
        raise InputError(
            f"{tokenizer.name_or_path}: the tokenizer joins the end of the prompt "
            f"({prompt[-20:]!r}) with the opening of a call ({call_opening(pieces, '')[:20]!r}); "
            "use a chat template whose call begins with a token of its own."
        )


def _check_prefix(tokenizer: Any, pieces: Pieces, prefix: str) -> None:
    """Raise InputError unless the static prefix can be tokenized, and prefilled, by itself."""
    turn = render_prompt(pieces, "", [User("Hello there.")])
    if _ids(tokenizer, prefix) + _ids(tokenizer, turn) != _ids(tokenizer, prefix + turn):
        raise InputError(
            f"{tokenizer.name_or_path}: the tokenizer joins the system message with the user's "
            "turn; use a chat template whose turns begin with a special token."
        )


def _ids(tokenizer: Any, text: str) -> list[int]:
    return tokenizer.encode(text, add_special_tokens=False)
