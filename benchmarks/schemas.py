"""How many schemas of a folder have a grammar, how long the slowest takes, and who disagrees.

    python benchmarks/schemas.py JSON-Schema-Test-Suite/tests/draft2020-12 --json schemas.json

Reads any JSON files below the folder: lists of `{"schema": …, "tests": [{"data": …, "valid": …}]}`
as JSON-Schema-Test-Suite has them, one such object, lists of tools, or a bare schema. Each value is
judged by the grammar, and values made from the grammar by jsonschema and, where it reads the
schema, by llguidance. The grammar may refuse what is valid (docs/bundle.md lists where); an invalid
value that it accepts is a mistake: exit code 1.
"""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

import llguidance
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend
from referencing import Registry

from edgetune.generate.arbitrary import arbitrary_arguments
from edgetune_export.grammar.arguments import arguments_language, arguments_limits
from edgetune_export.grammar.drafts import modern
from edgetune_export.grammar.limits import LIMITS
from edgetune_export.grammar.order import arguments_json
from edgetune_runtime.calls import Tool
from edgetune_runtime.errors import EdgetuneError

SAMPLES = 10
"""Values made from each grammar."""
KEY = "value"
"""The one parameter whose schema is asked for."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", type=Path, help="where all that was found is written")
    given = parser.parse_args()
    found = measured(given.folder)
    for line, value in found["counts"].items():
        print(f"{line:<42} {value}")
    for mistake in found["mistakes"]:
        print(f"! {mistake}")
    if given.json:
        given.json.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n")
    return 1 if found["mistakes"] else 0


def measured(folder: Path) -> dict[str, Any]:
    """`counts`, `mistakes`, and why the others have no grammar, `refused`."""
    counts = Counter[str]()
    mistakes: list[str] = []
    refused: dict[str, str] = {}
    slowest, slowest_name = 0.0, ""
    for name, schema, tests in schemas(folder):
        counts["schemas"] += 1
        tool = Tool("t", parameters=_wrapped(schema))
        started = time.perf_counter()
        try:
            table = arguments_language(tool)
        except EdgetuneError as error:
            refused[name] = str(error)
            continue
        finally:
            took = time.perf_counter() - started
            if took > slowest:
                slowest, slowest_name = took, name
        counts["with a grammar"] += 1
        counts["held to smaller counts"] += arguments_limits(tool) is not LIMITS[0]
        for data, valid in tests:
            text = arguments_json(tool, {KEY: data})
            accepted = table.accepts(text.encode())
            counts["values accepted" if accepted else "values refused"] += 1
            counts["valid values refused"] += valid and not accepted
            if accepted and not valid:
                mistakes.append(f"{name}: {text} is invalid and accepted")
        if table.start:
            mistakes += _judged(name, tool, counts)
    share = round(100 * counts["with a grammar"] / max(1, counts["schemas"]), 1)
    result = {
        **counts,
        "percent with a grammar": share,
        "slowest, seconds": round(slowest, 2),
        "slowest": slowest_name,
    }
    return {"counts": result, "mistakes": mistakes, "refused": refused}


def schemas(folder: Path) -> Iterator[tuple[str, Any, list[tuple[Any, bool]]]]:
    """Each schema below `folder`: its name, itself, and values with whether they are valid."""
    for path in sorted(folder.rglob("*.json")):
        content = json.loads(path.read_text())
        for number, each in enumerate(content if isinstance(content, list) else [content]):
            name = f"{path.relative_to(folder)}[{number}]"
            if not isinstance(each, dict):
                continue
            each = each.get("function", each)
            schema = each.get("parameters", each.get("inputSchema", each.get("schema")))
            if schema is None:
                schema = each if each.keys() & {"type", "properties", "anyOf", "allOf"} else None
            if schema is not None:
                tests = each.get("tests", []) if "schema" in each else []
                yield name, schema, [(test["data"], test["valid"]) for test in tests]


def _judged(name: str, tool: Tool, counts: Counter[str]) -> list[str]:
    """Mistakes among values made from the grammar."""
    mistakes = []
    check = _Exact(modern(tool.parameters), registry=Registry())
    matcher = _matcher(tool)
    counts["schemas that llguidance reads"] += matcher is not None
    rng = Random(0)
    for _ in range(SAMPLES):
        made = arbitrary_arguments(tool, rng)
        text = arguments_json(tool, made)
        counts["values made"] += 1
        try:
            if not check.is_valid(made):
                mistakes.append(f"{name}: {text} is invalid for jsonschema and was made")
        except Exception as error:  # noqa: BLE001 - whatever the library fails with
            counts[f"jsonschema fails ({type(error).__name__})"] += 1
        if matcher is not None:
            matcher.reset()
            tokens = _BYTES.tokenize_str(text)
            counts["values that llguidance refuses"] += not (
                matcher.consume_tokens(tokens) and matcher.is_accepting()
            )
    return mistakes


def _multiple_of(_validator: Any, step: float, value: Any, _schema: Any) -> Iterator[Exception]:
    """In decimals, as the numbers are written."""
    if isinstance(value, int | float) and Fraction(repr(value)) % Fraction(repr(step)):
        yield ValidationError(f"{value!r} is not a multiple of {step!r}")


_Exact = extend(Draft202012Validator, {"multipleOf": _multiple_of})
_BYTES = llguidance.LLTokenizer("byte")


def _matcher(tool: Tool) -> llguidance.LLMatcher | None:
    options = {"item_separator": ", ", "key_separator": ": ", "whitespace_flexible": False}
    grammar = llguidance.LLMatcher.grammar_from_json_schema(
        {**tool.parameters, "additionalProperties": False}, defaults=options
    )
    matcher = llguidance.LLMatcher(_BYTES, grammar, log_level=0)
    return None if matcher.is_error() else matcher


def _wrapped(schema: Any) -> dict[str, Any]:
    """The parameters of a tool whose one parameter has `schema`; its references follow it."""
    value = _moved(schema)
    return {"type": "object", "properties": {KEY: value}, "required": [KEY]}


def _moved(part: Any) -> Any:
    if isinstance(part, list):
        return [_moved(each) for each in part]
    if not isinstance(part, dict):
        return part
    moved = {key: _moved(each) for key, each in part.items()}
    reference = part.get("$ref")
    if isinstance(reference, str) and reference[:1] == "#" and reference[1:2] in ("", "/"):
        moved["$ref"] = f"#/properties/{KEY}{reference[1:]}"
    return moved


if __name__ == "__main__":
    sys.exit(main())
