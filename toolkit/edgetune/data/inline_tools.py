"""The tools that a record brings along: in a key of its own, or in its system message.

Gives them as a list for `tools.reader`, which knows what a tool is. Whether two records agree is
`find_tools`' to say.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from edgetune.data.readers import READERS

_KEYS = ("tools", "functions")
_TOOLS = re.compile(r"<tools>(.*?)</tools>", re.DOTALL)
_GLAIVE = "with access to the following functions"


def inline_tools(record: Mapping[str, Any], format: str) -> list[Any]:
    """The tools of a record of `format`, in the OpenAI function format where they were flat.

    Empty where it has none, or none that can be read.
    """
    listed = next((record[key] for key in _KEYS if record.get(key)), None)
    if listed is None:
        listed = list(_from_system(record))
    elif isinstance(listed, str):
        listed = list(_values(listed))
    elif not isinstance(listed, list):
        listed = [listed]
    return [_wrapped(tool) for tool in READERS[format].tools(listed)]


def name_of(tool: Any) -> str | None:
    """The name of a tool, with or without the function wrapper."""
    function = tool.get("function", tool) if isinstance(tool, Mapping) else None
    name = function.get("name") if isinstance(function, Mapping) else None
    return name if isinstance(name, str) else None


def _wrapped(tool: Any) -> Any:
    """A flat function as OpenAI's format has it; whatever else it is stays as it is."""
    flat = isinstance(tool, Mapping) and "function" not in tool and "name" in tool
    if not flat or not {"input_schema", "inputSchema"}.isdisjoint(tool):
        return tool
    return {"type": "function", "function": {k: v for k, v in tool.items() if k != "type"}}


def _from_system(record: Mapping[str, Any]) -> Iterator[Any]:
    """Hermes' `<tools>` in the system message, and Glaive's objects after its sentence."""
    messages = record.get("messages") or record.get("conversations") or record.get("prompt")
    first = messages[0] if isinstance(messages, list) and messages else None
    said = [record.get("system")]
    if isinstance(first, Mapping):
        said += [first.get("content"), first.get("value")]
    for text in said:
        if not isinstance(text, str):
            continue
        for listed in _TOOLS.findall(text):
            yield from _values(listed)
        if _GLAIVE in text:
            yield from _values(text[text.find("{") :] if "{" in text else "")


def _values(text: str) -> Iterator[Any]:
    """JSON values one after the other; what is none ends them."""
    decoder = json.JSONDecoder()
    while text := text.strip(" \t\r\n,-"):
        try:
            value, end = decoder.raw_decode(text)
        except (ValueError, RecursionError):
            return
        yield from value if isinstance(value, list) else [value]
        text = text[end:]
