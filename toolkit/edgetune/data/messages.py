"""One message of a conversation, in any of the words that data sets have for roles and calls.

`{"role", "content"}` as OpenAI has it or `{"from", "value"}` as ShareGPT; calls in `tool_calls`, in
the legacy `function_call`, under a role of their own, or as text. What stands around the messages
is `readers`' to know; which tools there are is not known here.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from edgetune.data.lines import parse_json
from edgetune.data.written_calls import json_calls, written_calls
from edgetune_runtime.calls import Call
from edgetune_runtime.errors import InputError

Role = Literal["system", "user", "assistant", "tool"]

_ROLES: Mapping[str, Role] = {
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("user", "human"), "user"),
    **dict.fromkeys(("assistant", "gpt", "chatgpt", "bot", "model"), "assistant"),
    **dict.fromkeys(("function_call", "tool_call"), "assistant"),
    **dict.fromkeys(("tool", "function", "observation", "ipython"), "tool"),
    **dict.fromkeys(("tool_response", "function_response"), "tool"),
}
_CALLING = ("function_call", "tool_call")
"""Roles of an assistant that calls, and keys of a message that hold one call."""
_TEACHES = ("weight", "train", "loss")
"""Keys that say whether a turn is learnt from: OpenAI's, axolotl's, ms-swift's."""
_RESPONSE = re.compile(r"<tool_response>(.*?)</tool_response>", re.DOTALL)


@dataclass(frozen=True)
class Message:
    """A message, in one reading for all formats."""

    where: str
    """Its place in the record, for an error's sentence."""
    role: Role
    content: str | None
    """None where it calls and says nothing."""
    calls: tuple[tuple[str | None, Call], ...] = ()
    """Calls and their ids."""
    answers: str | None = None
    """Of a result: the id of its call."""
    learnt: bool = True
    """Whether a step is taught by it."""
    written: str | None = None
    """The form in which its calls were written as text."""
    source: Mapping[str, Any] = field(default_factory=dict)
    """The message in the conversational format; as it stood, where it came in that."""

    def with_calls(self, calls: tuple[tuple[str | None, Call], ...]) -> "Message":
        """The same message with other calls."""
        return replace(self, calls=calls, source=_as_source(self.source, calls))


def read_message(where: str, message: Any) -> Iterator[Message]:
    """One message, or several where it holds the results of several calls.

    Raises InputError, beginning with `where`, where it is malformed or its calls cannot be told.
    """
    if not isinstance(message, Mapping) or not isinstance(_key(message, "role", "from"), str):
        raise InputError(f"{where} is no object with a 'role'.")
    said = str(_key(message, "role", "from"))
    role = _ROLES.get(said.lower())
    if role is None:
        raise InputError(
            f"{where} has the role '{said}', expected user, assistant or tool, or system as the "
            "first."
        )
    learnt = _learnt(message, where)
    if role == "assistant":
        yield _assistant(where, message, learnt, calling=said.lower() in _CALLING)
        return
    if role == "system":
        content = _key(message, "content", "value")
        text = content if isinstance(content, str) else ""
        yield Message(where, role, text, learnt=learnt, source=_source(message, role, content))
        return
    content = _content(message, role, where)
    responses = _RESPONSE.findall(content)
    if responses and not _RESPONSE.sub("", content).strip():
        # Hermes puts results between marks, all those of a turn into one message.
        for response in responses:
            text = response.strip()
            source = {"role": "tool", "content": text}
            yield Message(where, "tool", text, learnt=learnt, source=source)
        return
    answers = message.get("tool_call_id")
    yield Message(
        where, role, content, answers=answers, learnt=learnt, source=_source(message, role, content)
    )


def _assistant(where: str, message: Mapping[str, Any], learnt: bool, *, calling: bool) -> Message:
    calls = _calls(message, where)
    content = _key(message, "content", "value")
    written = None
    if calling and not calls:
        calls, written = _told_to_call(content, where), None
    elif not calls:
        content = _content(message, "assistant", where)
        try:
            found = written_calls(content)
        except InputError as error:
            raise InputError(f"{where}.content {error}") from error
        if found is not None:
            written, calls = found[0], [(None, call) for call in found[1]]
    source = _source(message, "assistant", content)
    if calls and not _stands(message.get("tool_calls")):
        source = _as_source({**source, "content": None}, tuple(calls))
    text = content if isinstance(content, str) and not written and not calling else None
    return Message(where, "assistant", text, tuple(calls), None, learnt, written, source)


def _told_to_call(content: Any, where: str) -> list[tuple[str | None, Call]]:
    """The calls of a turn whose role says that it calls."""
    text = content if isinstance(content, str) else json.dumps(content)
    try:
        found = written_calls(text)
        calls = json_calls(text) if found is None else found[1]
    except (InputError, ValueError, RecursionError) as error:
        raise InputError(
            f"{where} is {content!r:.60}, expected a call such as "
            f'{{"name": ..., "arguments": {{...}}}} ({error}).'
        ) from error
    return [(None, call) for call in calls]


def _calls(message: Mapping[str, Any], where: str) -> list[tuple[str | None, Call]]:
    entries = message.get("tool_calls")
    if isinstance(entries, str):
        entries = parse_json(entries, f"{where}: the text of 'tool_calls'")
    if entries is not None and not isinstance(entries, list):
        raise InputError(f"{where}.tool_calls is not a list.")
    calls = [
        _call(each, f"{where}.tool_calls[{index}]") for index, each in enumerate(entries or ())
    ]
    for key in _CALLING:
        if message.get(key):
            if calls:
                raise InputError(f"{where} has 'tool_calls' and '{key}'; remove one.")
            calls = [_call(message[key], f"{where}.{key}")]
    return calls


def _call(entry: Any, where: str) -> tuple[str | None, Call]:
    if isinstance(entry, str):
        entry = parse_json(entry, f"{where}: the text of the call")
    function = entry.get("function", entry) if isinstance(entry, Mapping) else None
    if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
        raise InputError(f"{where} has no function with a 'name'.")
    if "arguments" not in function:
        raise InputError(f"{where} has no 'arguments', expected an object or its JSON text.")
    arguments = function["arguments"]
    if arguments is None or arguments == "":
        arguments = {}  # what OpenAI, and an export that fills up with null, have for none
    if isinstance(arguments, str):
        arguments = parse_json(arguments, f"{where}: the text of 'arguments'")
    if not isinstance(arguments, dict):
        raise InputError(f"{where}: 'arguments' is not an object.")
    return entry.get("id"), Call(function["name"], arguments)


def _stands(entries: Any) -> bool:
    """Whether calls stand as the conversational format has them, with arguments that are there."""
    functions = [
        each.get("function", each) if isinstance(each, Mapping) else {}
        for each in (entries if isinstance(entries, list) else ())
    ]
    return bool(functions) and all(each.get("arguments") not in (None, "") for each in functions)


def _content(message: Mapping[str, Any], role: Role, where: str) -> str:
    content = _key(message, "content", "value")
    if isinstance(content, list) and all(
        isinstance(part, Mapping) and isinstance(part.get("text"), str) for part in content
    ):
        content = "".join(part["text"] for part in content)
    if role == "tool" and not isinstance(content, str):
        return json.dumps(content, ensure_ascii=False)
    if not isinstance(content, str) or (role == "user" and not content.strip()):
        raise InputError(f"{where}.content is {content!r:.60}, expected a text.")
    return content


def _learnt(message: Mapping[str, Any], where: str) -> bool:
    for key in _TEACHES:
        weight = message.get(key)
        if weight is not None and weight not in (0, 1):
            raise InputError(
                f"{where}.{key} is {weight!r:.60}, expected 1 (taught) or 0 (not taught)."
            )
        if weight == 0 and weight is not None:
            return False
    return True


def _key(message: Mapping[str, Any], *keys: str) -> Any:
    return next((message[key] for key in keys if message.get(key) is not None), None)


def _source(message: Mapping[str, Any], role: Role, content: Any) -> Mapping[str, Any]:
    """`message` in the conversational format; the same object where it is in that."""
    known = ("system", "developer", "user", "assistant", "tool")
    if message.get("role") in known and "from" not in message and "value" not in message:
        return message
    rest = {k: v for k, v in message.items() if k not in ("role", "from", "value", "content")}
    return {"role": role, "content": content, **rest}


def _as_source(
    message: Mapping[str, Any], calls: tuple[tuple[str | None, Call], ...]
) -> Mapping[str, Any]:
    rest = {k: v for k, v in message.items() if k not in (*_CALLING, "tool_calls")}
    entries = []
    for call_id, call in calls:
        function = {"name": call.tool, "arguments": dict(call.arguments)}
        known = {} if call_id is None else {"id": call_id}
        entries.append({**known, "type": "function", "function": function})
    return {**rest, "tool_calls": entries}
