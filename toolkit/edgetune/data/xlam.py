"""xLAM's tools, whose parameters are a map of names to Python types, as JSON Schemas.

    {"name": "f", "parameters": {"city": {"type": "str, optional", "default": "Oslo"}}}

What has a schema already stays as it is. Records are not known here.
"""

import re
from collections.abc import Mapping
from typing import Any

_TYPES = {
    **dict.fromkeys(("str", "string"), "string"),
    **dict.fromkeys(("int", "integer"), "integer"),
    **dict.fromkeys(("float", "number"), "number"),
    **dict.fromkeys(("bool", "boolean"), "boolean"),
    **dict.fromkeys(("list", "array", "set", "tuple"), "array"),
    **dict.fromkeys(("dict", "object"), "object"),
}


def xlam_tools(tools: Any) -> Any:
    """A list of tools with each parameter map made a JSON Schema."""
    return [_tool(tool) for tool in tools] if isinstance(tools, list) else tools


def _tool(tool: Any) -> Any:
    parameters = tool.get("parameters") if isinstance(tool, Mapping) else None
    if not isinstance(parameters, Mapping) or not all(
        isinstance(each, Mapping) and (not each or "type" in each) for each in parameters.values()
    ):
        return tool
    required = [
        name
        for name, each in parameters.items()
        if "default" not in each and "optional" not in str(each.get("type", "")).lower()
    ]
    properties = {name: _schema(each) for name, each in parameters.items()}
    schema = {"type": "object", "properties": properties, "required": required}
    return {**tool, "parameters": schema}


def _schema(parameter: Mapping[str, Any]) -> dict[str, Any]:
    typed = _typed(str(parameter.get("type", "")))
    about = {"description": parameter["description"]} if parameter.get("description") else {}
    enum = {"enum": parameter["enum"]} if isinstance(parameter.get("enum"), list) else {}
    return {**typed, **about, **enum}


def _typed(name: str) -> dict[str, Any]:
    """`List[int]` as a schema; any value where the type is not known."""
    name = re.sub(r",?\s*optional$", "", name.strip(), flags=re.IGNORECASE)
    if optional := re.fullmatch(r"Optional\[(.*)\]", name):
        name = optional[1]
    outer, _, inner = name.partition("[")
    found = _TYPES.get(outer.strip().lower())
    if found is None:
        return {}
    items = _typed(inner.removesuffix("]")) if found == "array" and "," not in inner else {}
    more = {"additionalProperties": True} if found == "object" else {}
    return {"type": found, **({"items": items} if items else {}), **more}
