"""When a call counts as right on the Berkeley Function-Calling Leaderboard (its AST matching).

For each parameter an answer lists the values that are allowed; an empty string among them says
that the parameter may be left out. Strings are compared without case, spaces and some punctuation.
After the leaderboard's public rules for Python (github.com/ShishirPatil/gorilla, `ast_checker` of
berkeley-function-call-leaderboard); what it calls a variable is a value of the type of the allowed
ones where that is not the declared type.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

Allowed = Sequence[Any]
"""The values that a parameter may have; "" means that it may be left out."""

_TYPES: Mapping[str, type] = {
    "string": str,
    "integer": int,
    "float": float,
    "boolean": bool,
    "array": list,
    "tuple": list,
    "dict": dict,
    "any": str,
}
_IGNORED = re.compile(r"[ ,./\-_*^]")


def call_problem(
    function: Mapping[str, Any], answer: Mapping[str, Mapping[str, Allowed]], call: Any
) -> str | None:
    """Why `call` `(name, arguments)` is not right, in a few words; None where it is.

    `function` is the leaderboard's description of the right function, `answer` what is allowed.
    """
    name, arguments = call
    ((expected, allowed),) = answer.items()
    if name != expected:
        return f"called {name}, expected {expected}"
    properties = function["parameters"]["properties"]
    for key in function["parameters"].get("required", ()):
        if key not in arguments:
            return f"{key}: required, but left out"
    for key, value in arguments.items():
        if key not in properties or key not in allowed:
            return f"{key}: not expected"
        problem = _value_problem(value, properties[key], allowed[key])
        if problem:
            return f"{key}: {problem}"
    for key, values in allowed.items():
        if key not in arguments and "" not in values:
            return f"{key}: left out, but one of {list(values)} was expected"
    return None


def _value_problem(value: Any, schema: Mapping[str, Any], allowed: Allowed) -> str | None:
    wanted = _TYPES[schema["type"]]
    inner = _TYPES[schema["items"]["type"]] if wanted is list and "items" in schema else None
    if wanted is float and type(value) is int:
        value = float(value)
    if not _has_type(value, wanted, inner, allowed):
        return f"{value!r} is no {schema['type']}"
    if wanted is list and value == [] and "" in allowed:
        return None  # as there: an empty list is as good as none
    is_variable = _type_of(allowed) not in (None, wanted)
    if is_variable:
        right = value in allowed
    elif wanted is dict:
        right = any(_same_object(value, each) for each in allowed if each != "")
    elif wanted is list and inner is dict:
        right = any(_same_objects(value, each) for each in allowed if each != "")
    elif wanted in (str, list):
        right = normal(value) in [normal(each) for each in allowed]
    else:
        right = value in allowed
    return None if right else f"{value!r} is none of {list(allowed)}"


def _has_type(value: Any, wanted: type, inner: type | None, allowed: Allowed) -> bool:
    kind = type(value)
    if kind is wanted:
        # As there: where a list may be left out, the types of its entries are not looked at.
        if inner is None or not all(isinstance(each, list) for each in allowed):
            return True
        return any(all(_has_type(entry, inner, None, each) for entry in value) for each in allowed)
    return kind is _type_of(allowed)


def _type_of(allowed: Allowed) -> type | None:
    return next((type(each) for each in allowed if each != ""), None)


def _same_object(value: Mapping[str, Any], allowed: Mapping[str, Allowed]) -> bool:
    """Each of whose keys has a list of allowed values in turn."""
    return all(
        key in allowed and _normal_text(entry) in [_normal_text(each) for each in allowed[key]]
        for key, entry in value.items()
    ) and all(key in value or "" in values for key, values in allowed.items())


def _same_objects(value: Sequence[Any], allowed: Sequence[Any]) -> bool:
    return len(value) == len(allowed) and all(
        isinstance(entry, Mapping) and _same_object(entry, each)
        for entry, each in zip(value, allowed, strict=True)
    )


def normal(value: Any) -> Any:
    """A string, or the strings of a list, as the leaderboard compares them."""
    if isinstance(value, list):
        return [_normal_text(entry) for entry in value]
    return _normal_text(value)


def _normal_text(value: Any) -> Any:
    if isinstance(value, str):
        return _IGNORED.sub("", value).lower().replace("'", '"')
    return value
