"""Evaluate on the Berkeley Function-Calling Leaderboard's files: tools that nobody trained.

A case brings its own tools; the base, with its tool skill or without, sees them in full and calls
one of them, or `respond`. Their types are mapped to JSON Schema. What is right, `bfcl_rules` say.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgetune.data.lines import numbered_lines
from edgetune.evaluate.bfcl_rules import Allowed, call_problem
from edgetune.evaluate.intervals import share_interval
from edgetune.evaluate.open_tools import OpenTools
from edgetune_export.progress import track
from edgetune_runtime.agent import Agent
from edgetune_runtime.calls import RESPOND, Tool, Toolset
from edgetune_runtime.errors import EdgetuneError, InputError
from edgetune_runtime.options import Options
from edgetune_runtime.prompt import User

_TYPES = {"dict": "object", "float": "number", "tuple": "array"}
_NO_SCHEMA = ("optional",)
"""Keys of the leaderboard's that JSON Schema does not have."""


@dataclass(frozen=True)
class Case:
    """One question with its tools."""

    id: str
    question: str
    functions: Mapping[str, Mapping[str, Any]]
    """By name, as they stand in the file."""
    answer: Mapping[str, Mapping[str, Allowed]] | None
    """None where no tool fits: then `respond` is right."""

    @property
    def toolset(self) -> Toolset:
        """The tools, with JSON Schemas."""
        tools = tuple(
            Tool(name, each.get("description", ""), json_schema(each["parameters"]))
            for name, each in self.functions.items()
        )
        return Toolset(self.id, "", tools)


def read_cases(path: Path) -> list[Case]:
    """The cases of a file of the leaderboard's.

    Their answers are in the file of the same name in `possible_answer` beside it; a file of
    irrelevant tools has none. Raises InputError for a line that is no such case, or whose answer is
    not one call.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file; give a file of the leaderboard's.")
    beside = path.parent / "possible_answer" / path.name
    source = beside if beside.is_file() else None
    if source is None and "irrelevance" not in path.name:
        raise InputError(
            f"{path}: its answers were expected in {beside}; put them there (only the "
            "leaderboard's files of irrelevant tools, by that name, have none)."
        )
    known = _answers(source) if source else {}
    cases = []
    for number, entry in enumerate(_objects(path), 1):
        try:
            question = next(m["content"] for m in entry["question"][0] if m["role"] == "user")
            question.encode()
            functions = {each["name"]: each for each in entry["function"]}
            answer = None if source is None else known[entry["id"]]
            case = Case(entry["id"], question, functions, answer)
            if not case.toolset.tools:
                raise ValueError("it has no tools")
        except (LookupError, TypeError, AttributeError, StopIteration, ValueError) as error:
            raise InputError(
                f"{path}:{number}: is no case of the leaderboard's single-turn categories "
                f"({type(error).__name__}: {error}); give one, and the answers that belong to it."
            ) from error
        cases.append(case)
    if not cases:
        raise InputError(f"{path}: holds no cases; give a file of the leaderboard's.")
    return cases


def _answers(path: Path) -> dict[str, Mapping[str, Mapping[str, Allowed]]]:
    """The one call that is right, by the case's id."""
    answers: dict[str, Mapping[str, Mapping[str, Allowed]]] = {}
    for number, entry in enumerate(_objects(path), 1):
        try:
            (answer,) = entry["ground_truth"]
            ((_, allowed),) = answer.items()
            if not all(isinstance(values, list) for values in allowed.values()):
                raise TypeError("a parameter's allowed values are no list")
            answers[entry["id"]] = answer
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(
                f"{path}:{number}: 'ground_truth' was expected to hold one call; give one of the "
                "leaderboard's categories in which one call answers a question (simple, multiple)."
            ) from error
    return answers


def json_schema(described: Any) -> Any:
    """The leaderboard's description of parameters as JSON Schema."""
    if isinstance(described, list):
        return [json_schema(entry) for entry in described]
    if not isinstance(described, Mapping):
        return described
    schema = {
        key: {name: json_schema(each) for name, each in value.items()}
        if key == "properties"
        else json_schema(value)
        for key, value in described.items()
        if key not in _NO_SCHEMA
    }
    kind = schema.get("type")
    if kind == "any":
        del schema["type"]
    elif isinstance(kind, str):
        schema["type"] = _TYPES.get(kind, kind)
    return schema


def evaluate_bfcl(
    agent: Agent, tools: OpenTools, cases: Sequence[Case], options: Options
) -> dict[str, Any]:
    """Let `agent`, which `tools` belongs to, answer every case over its own tools; the figures as a
    JSON object. `options.system` is `base` or `skill`."""
    results = [
        _answer(agent, tools, case, options)
        for case in track(cases, f"evaluating {options.system} on {agent.engine.name}")
    ]
    wrong = [
        {"id": case.id, "question": case.question, "called": called, "problem": problem}
        for case, (called, problem) in zip(cases, results, strict=True)
        if problem
    ]
    selected = [
        called is not None
        and called["tool"] == (next(iter(case.answer)) if case.answer else RESPOND)
        for case, (called, _) in zip(cases, results, strict=True)
    ]
    figures = {
        "selection_accuracy": sum(selected) / len(cases),
        "bfcl_score": 1 - len(wrong) / len(cases),
    }
    return {
        "n": len(cases),
        **figures,
        "intervals": {
            name: list(share_interval(share, len(cases))) for name, share in figures.items()
        },
        "abstain_below": options.abstain_below,
        "engine": agent.engine.name,
        "system": options.system,
        "wrong": wrong,
    }


def _answer(
    agent: Agent, tools: OpenTools, case: Case, options: Options
) -> tuple[dict[str, Any] | None, str | None]:
    """What was called, and why it is not right."""
    try:
        step = agent.step([User(case.question)], tools.serve(case.toolset), options)
    except EdgetuneError as error:
        return None, str(error)
    tool = step.tool
    called = {"tool": tool, "arguments": dict(step.arguments)}
    if case.answer is None:
        return called, None if tool == RESPOND else f"called {tool}, though no tool fits"
    (expected,) = case.answer
    if expected not in case.functions:
        return called, f"the answer '{expected}' is none of the case's tools"
    call = (tool, called["arguments"])
    return called, call_problem(case.functions[expected], case.answer, call)


def _objects(path: Path) -> Iterator[dict[str, Any]]:
    for number, text in numbered_lines(path):
        try:
            yield dict(json.loads(text))
        except (TypeError, ValueError, RecursionError) as error:
            raise InputError(f"{path}:{number}: is no JSON object ({error}).") from error
