"""Nulls that stand for an absent argument, as exports have them that fill up every row's keys.

A null that the schema allows is a value and stays.
"""

from collections.abc import Mapping
from typing import Any

from edgetune.tools.schema import arguments_problem, takes_null
from edgetune_export.grammar.order import schema_of_item, schema_of_key
from edgetune_runtime.calls import Tool


def without_absent(tool: Tool, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """`arguments` without the nulls that the tool's schema does not allow, also within values.

    Where a required one is among them, the call is not valid afterwards either.
    """
    if not _holds_null(arguments) or arguments_problem(tool, arguments) is None:
        return arguments
    return _without(tool, tool.parameters, arguments)


def _without(tool: Tool, schema: Any, value: Any) -> Any:
    root = tool.parameters
    if isinstance(value, Mapping):
        inner = {key: schema_of_key(schema, value, key, root) for key in value}
        return {
            key: _without(tool, inner[key], each)
            for key, each in value.items()
            if each is not None or takes_null(tool, inner[key])
        }
    if isinstance(value, list):
        return [
            _without(tool, schema_of_item(schema, value, index, root), each)
            for index, each in enumerate(value)
        ]
    return value


def _holds_null(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(_holds_null(each) for each in value.values())
    if isinstance(value, list):
        return any(_holds_null(each) for each in value)
    return value is None
