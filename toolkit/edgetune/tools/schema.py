"""What a tool's JSON Schema allows, asked of the `jsonschema` library.

Stricter than the library in three points, because the grammar that decodes arguments is: an
unknown key is refused unless the schema allows it in so many words, `1.0` is no integer, and
`format` counts. Older drafts are read as the newest, multiples are taken in decimals. Remote
references are never fetched. Knows nothing of files or records.
"""

import re
from collections.abc import Iterator, Mapping, Set
from fractions import Fraction
from functools import lru_cache
from math import isfinite
from typing import Any

import jsonschema
from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import SchemaError, ValidationError
from jsonschema.validators import extend
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from edgetune_export.grammar.arguments import arguments_language
from edgetune_export.grammar.drafts import modern
from edgetune_export.grammar.formats import FORMATS
from edgetune_export.grammar.order import arguments_json
from edgetune_export.grammar.tables import Table
from edgetune_runtime.calls import Tool

_NESTED_MAPS = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
_NESTED_ONE = ("items", "additionalProperties", "contains", "propertyNames", "additionalItems")
_COMBINED = ("allOf", "anyOf", "oneOf")
_SAYS_WHAT_ELSE = ("additionalProperties", "unevaluatedProperties")


_FORMATS = FormatChecker(formats=())
for _name, _pattern in FORMATS.items():
    _FORMATS.checks(_name)(
        lambda value, pattern=_pattern: not isinstance(value, str) or bool(re.match(pattern, value))
    )


def _is_integer(_checker: Any, value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _multiple_of(
    _validator: Any, step: float, instance: object, _schema: object
) -> Iterator[ValidationError]:
    is_number = isinstance(instance, int | float) and not isinstance(instance, bool)
    if is_number and not isfinite(instance):  # type: ignore[arg-type]
        yield ValidationError(f"{instance!r} is not a number that JSON knows")
        return
    # The numbers as they are written: 0.07 is seven hundredths.
    if is_number and Fraction(repr(instance)) % Fraction(repr(step)):
        yield ValidationError(f"{instance!r} is not a multiple of {step!r}")


_Strict = extend(
    Draft202012Validator,
    {"multipleOf": _multiple_of},
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine("integer", _is_integer),
)


def schema_problem(tool: Tool) -> str | None:
    """Why the tool's schema cannot be used, as one sentence; None where it can."""
    schema = modern(tool.parameters)
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        place = _place(error, "the schema")
        return f"{place} is no valid JSON Schema ({_short(error.message)}); correct it."
    missing = [key for key in schema.get("required", []) if key not in tool.properties]
    combined = any(key in schema for key in (*_COMBINED, "$ref", "patternProperties"))
    if missing and not combined and not schema.get("additionalProperties"):
        return f"'{missing[0]}' is required but is not among its properties; add or remove it."
    resolver = Registry().resolver_with_root(DRAFT202012.create_resource(schema))
    for named in _references(schema):
        reference: str | None = named
        if not named.startswith("#"):
            return f"the reference '{reference}' leaves the schema; put what it names in '$defs'."
        followed: list[str] = []
        while reference is not None:
            if reference in followed:
                return f"the reference '{reference}' leads back to itself; correct it."
            followed.append(reference)
            try:
                target = resolver.lookup(reference).contents
            except Exception as error:  # noqa: BLE001 - the library raises unrelated types
                why = _short(str(error))
                return f"the reference '{reference}' leads nowhere ({why}); correct it."
            reference = target.get("$ref") if isinstance(target, Mapping) else None
    return None


def arguments_problem(tool: Tool, arguments: object) -> str | None:
    """Why `arguments` are no call of `tool`, as one sentence; None where they are one."""
    if not isinstance(arguments, Mapping):
        return f"the arguments of {tool.public_name} are {_short(arguments)}, expected an object."
    errors = sorted(_validator(_Key(tool)).iter_errors(arguments), key=_path)
    if errors:
        return f"in the call of {tool.public_name}, {_sentence(errors[0])}"
    text = arguments_json(tool, arguments)
    if not _language(_Key(tool)).accepts(text.encode()):
        return (
            f"in the call of {tool.public_name}, the arguments {_short(text)} satisfy the schema, "
            "but no grammar writes them (see docs/bundle.md: formats, exponents, control "
            "characters); write them another way."
        )
    return None


def takes_null(tool: Tool, schema: Any) -> bool:
    """Whether `schema`, a part of the tool's, allows null."""
    return _validator(_Key(tool)).evolve(schema=schema).is_valid(None)


def strict_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """`schema` with every object closed that doesn't say what else it may hold."""
    top = modern(schema) | {"type": "object"}
    if "properties" not in top and not any(key in top for key in (*_COMBINED, "$ref")):
        top["properties"] = {}
    return _closed(top, set(_extended(top)), part_of_object=False)


class _Key:
    """A tool by identity: its schema is a dict, which has no hash."""

    def __init__(self, tool: Tool) -> None:
        self.tool = tool

    def __hash__(self) -> int:
        return hash(self.tool.name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self.tool == other.tool


@lru_cache(maxsize=1024)
def _language(key: _Key) -> Table:
    return arguments_language(key.tool)


@lru_cache(maxsize=1024)
def _validator(key: _Key) -> jsonschema.protocols.Validator:
    schema = strict_schema(key.tool.parameters)
    return _Strict(schema, format_checker=_FORMATS, registry=Registry())


def _closed(schema: Any, extended: Set[str], *, part_of_object: bool) -> Any:
    """`part_of_object`: an outer schema adds keys to the same object and closes it itself, as it
    does to the objects that `extended` refers to."""
    if not isinstance(schema, Mapping):
        return schema
    closed = dict(schema)
    combines = any(key in schema for key in (*_COMBINED, "$ref", "if", "dependentSchemas"))
    for key in _NESTED_MAPS:
        if isinstance(schema.get(key), Mapping):
            inner = part_of_object if key == "dependentSchemas" else False
            closed[key] = {
                name: _closed(
                    value, extended, part_of_object=inner or f"#/{key}/{name}" in extended
                )
                for name, value in schema[key].items()
            }
    for key in _NESTED_ONE:
        if key in schema:
            closed[key] = _closed(schema[key], extended, part_of_object=False)
    if isinstance(schema.get("prefixItems"), list):
        closed["prefixItems"] = [
            _closed(item, extended, part_of_object=False) for item in schema["prefixItems"]
        ]
    for key in _COMBINED:
        if isinstance(schema.get(key), list):
            inner = part_of_object or _is_whole(schema)
            closed[key] = [
                _closed(branch, extended, part_of_object=inner) for branch in schema[key]
            ]
    says = any(key in schema for key in _SAYS_WHAT_ELSE)
    if _is_whole(schema) and not part_of_object and not says:
        closed["unevaluatedProperties" if combines else "additionalProperties"] = False
    return closed


def _is_whole(schema: Mapping[str, Any]) -> bool:
    """Whether `schema` lists the keys of an object, or puts them together."""
    return any(key in schema for key in ("properties", "patternProperties", "allOf"))


def _extended(schema: Any) -> Iterator[str]:
    """References to objects to which another schema adds keys."""
    for whole in filter(_is_whole, _mappings(schema)):
        combined = [part for key in _COMBINED for part in whole.get(key, ())]
        for part in (whole, *combined):
            if isinstance(part, Mapping) and isinstance(part.get("$ref"), str):
                yield part["$ref"]


def _references(schema: Any) -> Iterator[str]:
    for part in _mappings(schema):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]


def _mappings(schema: Any) -> Iterator[Mapping[str, Any]]:
    """`schema` and all that stands in it, as far as it is mappings."""
    if isinstance(schema, Mapping):
        yield schema
        schema = list(schema.values())
    if isinstance(schema, list):
        for value in schema:
            yield from _mappings(value)


def _sentence(error: ValidationError) -> str:
    instance: Any = error.instance
    wanted: Any = error.validator_value
    schema: Any = error.schema
    if error.validator == "required":
        missing = next(key for key in wanted if key not in instance)
        return f"'{_inner(error, missing)}' is missing, the schema requires it."
    if error.validator == "unevaluatedProperties":
        # What combined schemas know of is the library's to say: it names the others alone.
        unknown = [key for key in instance if repr(key) in error.message]
        if unknown:
            return f"'{_inner(error, unknown[0])}' is no parameter; remove it."
    if error.validator == "additionalProperties":
        known = schema.get("properties", {})
        unknown = [key for key in instance if key not in known]
        if wanted is False and unknown:
            expected = ", ".join(known) or "none"
            return f"'{_inner(error, unknown[0])}' is no parameter, expected: {expected}."
    if error.validator == "type":
        wanted = wanted if isinstance(wanted, str) else " or ".join(wanted)
        return f"{_place(error)} is {_short(instance)}, expected the type {wanted}."
    if error.validator == "enum":
        allowed = ", ".join(repr(value) for value in wanted)
        return f"{_place(error)} is {_short(instance)}, expected one of {allowed}."
    return f"{_place(error)} breaks the schema: {_short(error.message)}."


def _path(error: SchemaError | ValidationError) -> list[str]:
    return [str(part) for part in error.absolute_path]


def _inner(error: ValidationError, key: str) -> str:
    return ".".join((*_path(error), key))


def _place(error: SchemaError | ValidationError, whole: str = "the arguments object") -> str:
    path = ".".join(_path(error))
    return f"'{path}'" if path else whole


def _short(value: object) -> str:
    text = value if isinstance(value, str) and " " in value else repr(value)
    return text if len(text) <= 120 else text[:117] + "..."
