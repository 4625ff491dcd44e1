"""Calls that were written as text, in the forms that models and data sets write them in.

A table of forms, each told by a mark. What looks like a call but cannot be read for sure is
refused: taken for plain words, it would teach a model not to call. Knows no tools and no schemas.
"""

import ast
import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from edgetune_runtime.calls import Call
from edgetune_runtime.errors import InputError

_NAMES = ("name", "function", "tool", "tool_name", "function_name", "api", "action")
_ARGUMENTS = ("arguments", "parameters", "args", "kwargs", "tool_input", "action_input", "input")
_LISTS = ("tool_calls", "function_calls", "calls")
_ENDS = re.compile(r"<\|(?:eom_id|eot_id|im_end|endoftext|end_of_text)\|>|</s>")
_REASONING = re.compile(r"<(think|scratch_pad)>.*?</\1>", re.DOTALL)
_GLAIVE_CALL = re.compile(
    r"\{\s*\"name\"\s*:\s*\"([^\"]+)\"\s*,\s*\"arguments\"\s*:\s*'(.*)'\s*\}", re.DOTALL
)
_FENCE = re.compile(r"```\w*\n(.*?)```", re.DOTALL)


@dataclass(frozen=True)
class Form:
    """One way to write calls as text."""

    mark: re.Pattern[str]
    """What a text of this form, and no other text, holds."""
    read: Callable[[str], Iterator[Call]]
    """The calls of such a text. Raises ValueError where they cannot be told for sure."""


def written_calls(text: str) -> tuple[str, list[Call]] | None:
    """The form of `FORMS` that calls are written in, and the calls; None for plain words.

    Raises InputError, without a place, where there are calls that cannot be read for sure.
    """
    text = _ENDS.sub("", _REASONING.sub("", text)).strip()
    for name, form in FORMS.items():
        if form.mark.search(text):
            try:
                calls = list(form.read(text))
                if not calls:
                    raise ValueError("no call is there")
            except (ValueError, SyntaxError, RecursionError, MemoryError) as error:
                raise InputError(
                    f"holds a call written as text ({name}: {_short(text)}) that cannot be read "
                    f"for sure ({error}); write it in 'tool_calls'."
                ) from error
            return name, calls
    return _bare(text)


def mentioned_tool(text: str, names: Collection[str]) -> str | None:
    """What in plain words looks like a call of one of `names`, such as `name(x=`, if anything."""
    keys = "|".join(_NAMES)
    for name in (re.escape(name) for name in names if name in text):
        as_called = rf"(?<![\w.]){name}\(\s*(?:\w+\s*[=:]|[\"'{{\[\d)])"
        as_value = rf"[\"'](?:{keys})[\"']\s*:\s*[\"']{name}[\"']"
        before_json = rf"\b{name}\b[^\w{{]{{0,20}}\{{"
        as_tag = rf"</?{name}\b|\A\W*{name}\W*\Z"
        as_action = rf"(?mi:^\W*(?:action|tool|function)(?: name)?\W*:\W*{name}\W*$)"
        if found := re.search(f"{as_called}|{as_value}|{before_json}|{as_tag}|{as_action}", text):
            return found[0].strip()
    return None


def _bare(text: str) -> tuple[str, list[Call]] | None:
    """Calls that are the whole text, or all of its one fence: JSON, or Python."""
    fenced = _FENCE.findall(text)
    whole = fenced[0].strip() if len(fenced) == 1 else text
    if whole.startswith(("{", "[")):
        for read in (json_calls, _sequence):
            with suppress(ValueError, SyntaxError, RecursionError, MemoryError):
                return "json", list(read(whole))
    if re.match(r"\[?\s*[A-Za-z_][\w.]*\(", whole) and whole.endswith((")", "]")):
        try:
            return "python", list(_python_calls(whole))
        except SyntaxError:
            return None
        except (ValueError, RecursionError, MemoryError) as error:
            raise InputError(
                f"holds what looks like a call written as text (python: {_short(whole)}) that "
                f"cannot be read for sure ({error}); write it in 'tool_calls'."
            ) from error
    return None


def json_calls(text: str) -> list[Call]:
    """The calls of a text that is nothing but calls as JSON. Raises ValueError where it is not."""
    calls = _json_calls(_literal(text.strip()))
    if not calls:
        raise ValueError("no object with a name and arguments")
    return calls


def _json_calls(value: Any) -> list[Call]:
    """One call, or a list of them; none where a part of it is something else."""
    if isinstance(value, Mapping):
        for key in _LISTS:
            if isinstance(value.get(key), list) and value[key]:
                return _json_calls(value[key])
        value = [value]
    if not isinstance(value, list):
        return []
    calls = [_json_call(each) for each in value]
    return [call for call in calls if call is not None] if None not in calls else []


def _json_call(value: Any) -> Call | None:
    if not isinstance(value, Mapping):
        return None
    for key in ("function", "function_call", "tool_call"):
        if isinstance(value.get(key), Mapping):
            return _json_call(value[key])
    names = [value[key] for key in _NAMES if isinstance(value.get(key), str)]
    given = [value[key] for key in _ARGUMENTS if key in value]
    if value.get("type") == "function":
        names = names[:1]
    if len(names) != 1 or len(given) != 1:
        return None
    arguments = given[0]
    if isinstance(arguments, str):
        arguments = _literal(arguments)
    return Call(names[0], arguments) if isinstance(arguments, Mapping) else None


def _literal(text: str) -> Any:
    """JSON, or the same as Python prints it. Raises ValueError or SyntaxError."""
    try:
        return json.loads(text)
    except ValueError as error:
        try:
            value = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            raise error from None
        json.dumps(value, allow_nan=False)  # a set or a tuple's key is no JSON
        return value


def _python_calls(text: str) -> Iterator[Call]:
    """`f(x=1)`, a list of such, or one after the other, whose values are literals."""
    nodes: list[ast.AST] = []
    for statement in ast.parse(text).body:
        value = statement.value if isinstance(statement, ast.Expr) else statement
        nodes += value.elts if isinstance(value, ast.List | ast.Tuple) else [value]
    for node in nodes:
        if not isinstance(node, ast.Call):
            raise ValueError("something else than calls is among them")
        if node.args or any(keyword.arg is None for keyword in node.keywords):
            raise ValueError("an argument without a name")
        values = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in node.keywords}
        yield Call(ast.unparse(node.func), json.loads(json.dumps(values, allow_nan=False)))


def _tagged(opening: str, closing: str) -> Callable[[str], Iterator[Call]]:
    """Calls as JSON, each (or a list of them) after a mark; the last mark may be left open."""

    def read(text: str) -> Iterator[Call]:
        for part in text.split(opening)[1:]:
            yield from json_calls(part.partition(closing)[0] if closing else part)

    return read


def _glaive(text: str) -> Iterator[Call]:
    """`<functioncall> {"name": "f", "arguments": '{"x": 1}'}`: JSON within single quotes."""
    for part in text.split("<functioncall>")[1:]:
        part = part.replace("</functioncall>", "").strip()
        quoted = _GLAIVE_CALL.fullmatch(part)
        if quoted is None:
            yield from json_calls(part)
        else:
            # An apostrophe may stand within, with Python's escape or without one.
            arguments = json.loads(quoted[2].replace("\\'", "'"))
            if not isinstance(arguments, dict):
                raise ValueError("its arguments are no object")
            yield Call(quoted[1], arguments)


def _llama(text: str) -> Iterator[Call]:
    """`<|python_tag|>{"name": "f", "parameters": {…}}`, more after a `;`, or `f.call(…)`."""
    for part in text.split("<|python_tag|>")[1:]:
        if re.match(r"\s*\[?\s*[A-Za-z_]", part):
            for call in _python_calls(part.strip()):
                yield Call(call.tool.removesuffix(".call"), call.arguments)
        else:
            yield from _sequence(part)


def _sequence(text: str) -> Iterator[Call]:
    """JSON values one after the other, with `;`, commas or blanks between."""
    decoder = json.JSONDecoder()
    while text := text.strip(" \t\r\n;,"):
        value, end = decoder.raw_decode(text)
        calls = _json_calls(value)
        if not calls:
            raise ValueError("no object with a name and arguments")
        yield from calls
        text = text[end:]


def _mistral(text: str) -> Iterator[Call]:
    """`[TOOL_CALLS][{…}]`, or `[TOOL_CALLS]f[ARGS]{…}` for each call."""
    for part in text.split("[TOOL_CALLS]")[1:]:
        named = re.fullmatch(
            r"\s*([\w./-]+)\s*(?:\[CALL_ID\][^\[]*)?(?:\[ARGS\])?\s*(\{.*\})\s*", part, re.DOTALL
        )
        if named is None:
            yield from _sequence(part)
        else:
            yield Call(named[1], json.loads(named[2]))


def _function_tag(text: str) -> Iterator[Call]:
    """`<function=f>{…}</function>`: a JSON object in a tag that names the tool."""
    for name, inner in re.findall(r"<function=([^>]+)>(.*?)(?:</function>|\Z)", text, re.DOTALL):
        arguments = json.loads(inner)
        if not isinstance(arguments, dict):
            raise ValueError("its arguments are no object")
        yield Call(name.strip("\"' "), arguments)


def _unreadable(why: str) -> Callable[[str], Iterator[Call]]:
    def read(_text: str) -> Iterator[Call]:
        raise ValueError(why)

    return read


_NOT_READ = _unreadable("this form is not read")

FORMS: Mapping[str, Form] = {
    "function tag": Form(re.compile(r"<function="), _function_tag),
    "hermes": Form(re.compile(r"</?tool_call\b"), _tagged("<tool_call>", "</tool_call>")),
    "glaive": Form(re.compile(r"<functioncall>"), _glaive),
    "llama": Form(re.compile(r"<\|python_tag\|>"), _llama),
    "mistral": Form(re.compile(r"\[TOOL_CALLS\]"), _mistral),
    "granite": Form(re.compile(r"<\|tool_call\|>"), _tagged("<|tool_call|>", "<|/tool_call|>")),
    "functools": Form(re.compile(r"\bfunctools\["), _tagged("functools", "")),
    "tool_calls": Form(re.compile(r"<tool_calls>"), _tagged("<tool_calls>", "</tool_calls>")),
    "function_call": Form(
        re.compile(r"<function_calls?>"), _tagged("<function_call>", "</function_call>")
    ),
    "kimi": Form(re.compile(r"<\|tool_call"), _NOT_READ),
    "deepseek": Form(re.compile(r"<｜tool▁call"), _NOT_READ),
    "anthropic": Form(re.compile(r"<invoke |<tool_use>"), _NOT_READ),
    "internlm": Form(re.compile(r"<\|action_start\|>"), _NOT_READ),
    "qwen": Form(re.compile(r"✿FUNCTION✿"), _NOT_READ),
    "harmony": Form(re.compile(r"<\|channel\|>|\bto=functions\."), _NOT_READ),
    "react": Form(re.compile(r"(?m)^Action:.*\n+Action Input:"), _NOT_READ),
}
"""Forms that a mark tells; what has none of them may still be JSON or Python as a whole."""


def _short(text: str) -> str:
    return f"{text!r:.60}"
