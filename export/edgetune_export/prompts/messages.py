"""Turns as the messages that chat templates take; the Hermes format where those know no tools.

This module knows shapes of messages, neither Jinja nor tokens.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from edgetune_export.prompts.jinja import Message
from edgetune_runtime.calls import RESPOND
from edgetune_runtime.prompt import Assistant, Called, Result, Turn, User

HERMES_SYSTEM = (
    "You may call one of these functions to help with the user's request.\n"
    "<tools>\n{tools}\n</tools>\n"
    "Answer with a JSON object between tool_call tags:\n"
    '<tool_call>\n{{"name": <function>, "arguments": <object>}}\n</tool_call>'
)
"""System message of the fallback; `{tools}` is one JSON object a line."""

UNDERSTOOD = "Understood."
"""What the assistant answers where the user's first turn lists the tools."""


def messages_of(turns: Sequence[Turn], *, words: bool = False) -> list[Message]:
    """A conversation as messages; `words` is `edgetune_runtime.prompt.render_prompt`'s."""
    return [_message(turn, words) for turn in turns]


def _message(turn: Turn, words: bool) -> Message:
    match turn:
        case User(text):
            return user_message(text)
        case Assistant(text) if words:
            return assistant_message(text)
        case Assistant():
            return call_message(RESPOND, {})
        case Called(tool, arguments):
            return call_message(tool, json.loads(arguments))
        case Result(text):
            return result_message(text)


def user_message(text: str) -> Message:
    """What the user says."""
    return {"role": "user", "content": text}


def assistant_message(text: str) -> Message:
    """What the assistant says."""
    return {"role": "assistant", "content": text}


def call_message(name: str, arguments: Mapping[str, Any]) -> Message:
    """A call of the assistant's."""
    function = {"name": name, "arguments": dict(arguments)}
    return {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"type": "function", "function": function}],
    }


def result_message(text: str) -> Message:
    """What a tool gave back."""
    return {"role": "tool", "content": text}


def as_hermes(
    messages: Sequence[Message],
    tools: Sequence[Mapping[str, Any]] | None,
    *,
    system: bool = True,
) -> list[Message]:
    """The same conversation in plain roles: tools, calls and results written out as text.

    Without a `system` role the user tells the tools in a turn of its own, which is answered, so
    that roles go on alternating and no later turn depends on it.
    """
    plain: list[Message] = []
    if tools:
        listed = "\n".join(json.dumps(tool, ensure_ascii=False) for tool in tools)
        told = HERMES_SYSTEM.format(tools=listed)
        if system:
            plain.append({"role": "system", "content": told})
        else:
            plain += [user_message(told), assistant_message(UNDERSTOOD)]
    for message in messages:
        if message.get("tool_calls"):
            call = json.dumps(message["tool_calls"][0]["function"], ensure_ascii=False)
            plain.append(assistant_message(f"<tool_call>\n{call}\n</tool_call>"))
        elif message["role"] == "tool":
            plain.append(user_message(f"<tool_response>\n{message['content']}\n</tool_response>"))
        else:
            plain.append(message)
    return plain
