"""Text of strangers, made plain: what a model or a tokenizer could take for more than words.

Servers describe their tools in texts that end up in prompts, and tools answer in such. A chat
template's marks in them would open turns of their own, and characters that nobody sees can say what
nobody reads. A mark is broken by a space behind its first character: still readable, no mark.
"""

import re
from collections.abc import Mapping
from typing import Any

MARK = re.compile(
    r"<\|[^<>|\s]{1,40}\|>"  # ChatML, Llama 3, Phi and others
    r"|<｜[^<>\s]{1,40}｜>"  # DeepSeek
    r"|</?(?:tools?|tool_(?:call|response)s?|function(?:call|=[^<>\s]{0,60})?|think|s|eos|bos"
    r"|(?:start|end)_of_turn|(?:start|end)_of_role|(?:start|end)_function_\w{1,20})>"
    r"|<<?/?SYS>>?|\[/?(?:INST|TOOL_CALLS|TOOL_RESULTS|AVAILABLE_TOOLS|SYSTEM_PROMPT)\]"
)
"""Marks of the usual chat templates, whichever base the text will meet."""

_UNSEEN = re.compile(
    "[\u0000-\u0008\u000b-\u001f\u007f-\u009f"  # control characters, but tab and new line
    "\u200b\u2060-\u2064\ufeff"  # no width at all
    "\u202a-\u202e\u2066-\u2069"  # text in another direction than it seems
    "\U000e0000-\U000e007f]"  # letters as tags
)
_WORDS = ("description", "title", "$comment")
"""Keywords of a JSON Schema that hold words for people."""
_DATA = ("enum", "const", "default", "examples")


def plain(text: str) -> str:
    """`text` without characters that nobody sees, its marks broken."""
    text = _UNSEEN.sub("", text)
    while MARK.search(text):
        text = MARK.sub(lambda found: broken(found[0]), text)
    return text


def broken(mark: str) -> str:
    """`mark` with a space behind its first character."""
    return f"{mark[0]} {mark[1:]}"


def plain_schema(schema: Any) -> Any:
    """A JSON Schema whose words are `plain`; names and values stay as they are."""
    if isinstance(schema, list):
        return [plain_schema(each) for each in schema]
    if not isinstance(schema, Mapping):
        return schema
    return {
        key: plain(value)
        if key in _WORDS and isinstance(value, str)
        else value
        if key in _DATA
        else plain_schema(value)
        for key, value in schema.items()
    }


def has_mark(value: Any) -> bool:
    """Whether a mark, or a character that nobody sees, stands anywhere in a JSON value."""
    if isinstance(value, str):
        return bool(MARK.search(value) or _UNSEEN.search(value))
    if isinstance(value, Mapping):
        return any(has_mark(each) for pair in value.items() for each in pair)
    return isinstance(value, list) and any(has_mark(each) for each in value)
