"""Whether a call's arguments come from somewhere: the request, or what tools answered.

A value that stands in neither was made up, by the model or by what it was taught with. Listed
values (`enum`, `const`, a default) and truth values are choices, not claims. Knows texts and
schemas, no policy.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from edgetune_runtime.calls import Tool
from edgetune_runtime.prompt import Result, Turn, User


def ungrounded(tool: Tool, arguments: Mapping[str, Any], turns: Sequence[Turn]) -> tuple[str, ...]:
    """The paths of the arguments that stand neither in a user's turn nor in a result."""
    said = [_plain(turn.text) for turn in turns if isinstance(turn, User | Result)]
    return tuple(
        path
        for path, value, schema in _leaves(arguments, tool.parameters, "")
        if not _listed(value, schema) and not _stands(value, said)
    )


def _leaves(value: Any, schema: Any, path: str) -> Iterator[tuple[str, Any, Mapping[str, Any]]]:
    schema = schema if isinstance(schema, Mapping) else {}
    if isinstance(value, Mapping):
        properties = schema.get("properties", {})
        for key, each in value.items():
            yield from _leaves(each, properties.get(key), f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _leaves(each, schema.get("items"), f"{path}[{index}]")
    else:
        yield path, value, schema


def _listed(value: Any, schema: Mapping[str, Any]) -> bool:
    if value is None or isinstance(value, bool) or value == "":
        return True
    choices = [*schema.get("enum", ()), schema.get("const"), schema.get("default")]
    return any(value == choice for choice in choices)


def _stands(value: Any, said: Iterable[str]) -> bool:
    text = _plain(value if isinstance(value, str) else json.dumps(value))
    forms = {text, text.removesuffix(".0")} if isinstance(value, float) else {text}
    return any(
        re.search(rf"(?<!\w){re.escape(form)}(?!\w)", each) for form in forms for each in said
    )


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
