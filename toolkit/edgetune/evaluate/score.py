"""Scores from pairs of an expected call and what a system gave for it.

Pure counting: nothing here knows models, engines, prompts or files. The names of the figures are
those of design section 9. A figure that was not measured (a stage that was not run) is None.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from jsonschema.protocols import Validator
from jsonschema.validators import validator_for

from edgetune.evaluate.intervals import share_interval
from edgetune_runtime.calls import RESPOND, Call, Tool, Toolset

ErrorKind = Literal["missing", "extra", "wrong_value", "wrong_type", "truncated"]
ERROR_KINDS: tuple[ErrorKind, ...] = (
    "missing",
    "extra",
    "wrong_value",
    "wrong_type",
    "truncated",
)


@dataclass(frozen=True)
class Outcome:
    """What one example asked for and what came back; None for what was not run."""

    expected: Call
    selected: str | None = None
    """The tool that the selector chose."""
    given: Mapping[str, Any] | None = None
    """Arguments generated for the expected tool, whatever was selected; None for `respond`."""
    called: Mapping[str, Any] | None = None
    """Arguments generated for the selected tool: the call that would be executed."""
    probability: float | None = None
    """Of the likeliest tool: the selected one, or the one that was abstained from."""
    abstained_from: str | None = None
    """The likeliest tool, where it was too unlikely to be called and `respond` was selected."""
    truncated: bool = False
    """The token budget cut `given` short."""

    @property
    def selection_right(self) -> bool | None:
        """Whether the expected tool was selected."""
        return None if self.selected is None else self.selected == self.expected.tool

    @property
    def arguments_right(self) -> bool | None:
        """Whether the arguments are exact, given the right tool."""
        return None if self.given is None else same_json(self.given, self.expected.arguments)

    @property
    def call_right(self) -> bool | None:
        """Whether tool and arguments are exact, end to end."""
        if self.called is None:
            return None
        return bool(self.selection_right) and same_json(self.called, self.expected.arguments)

    @property
    def argument_errors(self) -> dict[str, ErrorKind]:
        """What is wrong with each argument, given the right tool; `truncated` in a call cut short,
        of which nobody knows what it would have become."""
        if self.given is None:
            return {}
        errors = argument_errors(self.expected.arguments, self.given)
        return dict.fromkeys(errors, "truncated") if self.truncated else errors

    @property
    def wrong(self) -> tuple[str, ...]:
        """The figures to which this example counts as wrong."""
        flags = {
            "selection_accuracy": self.selection_right,
            "arguments_exact_match": self.arguments_right,
            "call_exact_match": self.call_right,
        }
        return tuple(name for name, right in flags.items() if right is False)


@dataclass(frozen=True)
class ToolScore:
    """One row of the per-tool table, over the examples that expect this tool."""

    n: int
    selection_accuracy: float | None
    arguments_exact_match: float | None
    call_exact_match: float | None
    confused_with: str | None
    """The wrong tool that was selected most often instead."""
    confused: int
    """How often that one was."""
    argument_errors: dict[str, int]
    """Single arguments that are wrong, by kind, with the right tool given."""


@dataclass(frozen=True)
class Score:
    """All figures over one set of examples."""

    n: int
    selection_accuracy: float | None
    arguments_exact_match: float | None
    """Over the examples that expect a call (not `respond`), each with the right tool given."""
    call_exact_match: float | None
    schema_valid: float | None
    """The share of generated argument objects that satisfy their tool's JSON Schema."""
    per_tool: dict[str, ToolScore]
    """In the order of the toolset, `respond` last; only tools that some example expects. Empty,
    as `confusion` is, where every example has tools of its own."""
    confusion: dict[str, dict[str, int]]
    """Expected tool to selected tool to count."""
    argument_errors: dict[str, int]
    """Single arguments that are wrong, by kind, with the right tool given."""
    arguments_n: int
    """How many examples `arguments_exact_match` is taken over."""
    intervals: dict[str, tuple[float, float]]
    """The 95 % interval of each of the three figures that was measured."""

    def as_json(self) -> dict[str, Any]:
        """The fields as one JSON object."""
        ends = {name: list(pair) for name, pair in self.intervals.items()}
        return asdict(self) | {"intervals": ends}


def score(toolset: Toolset, outcomes: Sequence[Outcome]) -> Score:
    """Count `outcomes` of examples over `toolset` into a Score."""
    confusion: dict[str, Counter[str]] = {}
    for outcome in outcomes:
        if outcome.selected is not None:
            confusion.setdefault(outcome.expected.tool, Counter())[outcome.selected] += 1
    return replace(
        score_open([toolset] * len(outcomes), outcomes),
        per_tool=_per_tool(toolset, outcomes, confusion),
        confusion={
            name: dict(confusion[name].most_common()) for name in toolset.names if name in confusion
        },
    )


def score_open(toolsets: Sequence[Toolset], outcomes: Sequence[Outcome]) -> Score:
    """Count `outcomes` into a Score, each of an example over its own one of `toolsets`.

    Nothing is told tool by tool: tools of one name may be different ones.
    """
    selection = _share(outcome.selection_right for outcome in outcomes)
    arguments = _share(outcome.arguments_right for outcome in outcomes)
    call = _share(outcome.call_right for outcome in outcomes)
    n, arguments_n = len(outcomes), sum(outcome.given is not None for outcome in outcomes)
    headline = {
        "selection_accuracy": (selection, n),
        "arguments_exact_match": (arguments, arguments_n),
        "call_exact_match": (call, n),
    }
    return Score(
        n=n,
        selection_accuracy=selection,
        arguments_exact_match=arguments,
        call_exact_match=call,
        schema_valid=_share(_validity(toolsets, outcomes)),
        per_tool={},
        confusion={},
        argument_errors=_argument_errors(outcomes),
        arguments_n=arguments_n,
        intervals={
            name: share_interval(share, of)
            for name, (share, of) in headline.items()
            if share is not None
        },
    )


def same_json(left: Any, right: Any) -> bool:
    """Equality of JSON values: keys in any order, `1` equals `1.0`, `true` never equals `1`."""
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(same_json(left[key], right[key]) for key in left)
    if isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
        return len(left) == len(right) and all(map(same_json, left, right))
    return json_type(left) == json_type(right) and bool(left == right)


def json_type(value: Any) -> str:
    """The name of a value's type in JSON; integers and floats are both `number`."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, str):
        return "string"
    return "object" if isinstance(value, Mapping) else "array"


def argument_errors(
    expected: Mapping[str, Any], predicted: Mapping[str, Any]
) -> dict[str, ErrorKind]:
    """What is wrong with each single argument, by its name; empty where all are exact."""
    errors: dict[str, ErrorKind] = {}
    for key, value in expected.items():
        if key not in predicted:
            errors[key] = "missing"
        elif not same_json(value, predicted[key]):
            same_type = json_type(value) == json_type(predicted[key])
            errors[key] = "wrong_value" if same_type else "wrong_type"
    return errors | {key: "extra" for key in predicted if key not in expected}


def _share(flags: Iterable[bool | None]) -> float | None:
    measured = [flag for flag in flags if flag is not None]
    return sum(measured) / len(measured) if measured else None


def _argument_errors(outcomes: Iterable[Outcome]) -> dict[str, int]:
    errors = Counter(kind for outcome in outcomes for kind in outcome.argument_errors.values())
    return {kind: errors[kind] for kind in ERROR_KINDS}


def _validity(toolsets: Sequence[Toolset], outcomes: Sequence[Outcome]) -> Iterable[bool]:
    """Whether each generated object is valid; one that served both stages counts once."""
    for toolset, outcome in zip(toolsets, outcomes, strict=True):
        if outcome.given is not None:
            yield _is_valid(toolset[outcome.expected.tool], outcome.given)
        reused = outcome.selection_right and outcome.given is not None
        if outcome.called is not None and outcome.selected != RESPOND and not reused:
            yield _is_valid(toolset[str(outcome.selected)], outcome.called)


def _is_valid(tool: Tool, arguments: Mapping[str, Any]) -> bool:
    schema = dict(tool.parameters) or {"type": "object", "maxProperties": 0}
    validator: Validator = validator_for(schema)(schema)
    return validator.is_valid(arguments)


def _per_tool(
    toolset: Toolset, outcomes: Sequence[Outcome], confusion: Mapping[str, Counter[str]]
) -> dict[str, ToolScore]:
    rows = {}
    for name in toolset.names:
        own = [outcome for outcome in outcomes if outcome.expected.tool == name]
        if not own:
            continue
        wrong = Counter(confusion.get(name, {}))
        del wrong[name]
        confused_with, confused = next(iter(wrong.most_common(1)), (None, 0))
        rows[name] = ToolScore(
            n=len(own),
            selection_accuracy=_share(outcome.selection_right for outcome in own),
            arguments_exact_match=_share(outcome.arguments_right for outcome in own),
            call_exact_match=_share(outcome.call_right for outcome in own),
            confused_with=confused_with,
            confused=confused,
            argument_errors=_argument_errors(own),
        )
    return rows
