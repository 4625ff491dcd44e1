"""Two results of `edgetune eval` on the same examples, example by example: is one really better?

Examples that both have right, or both wrong, say nothing of a difference: the exact McNemar test
(McNemar 1947) asks whether the others could have fallen as they did by chance. This module knows
results as JSON, not how they came about.
"""

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, Field, ValidationError, model_validator

from edgetune.evaluate.intervals import difference_interval
from edgetune.evaluate.score import same_json
from edgetune_runtime.errors import InputError


class Answered(BaseModel):
    """One example: what was called for it, and the figures that it counts against."""

    wrong: list[str]
    selected: str | None
    called: dict[str, Any] | None
    probability: float | None


class Result(BaseModel):
    """What of a result of `edgetune eval --json` is compared; its other keys are not looked at."""

    n: int = Field(ge=1)
    arguments_n: int
    system: str
    engine: str
    stage: str
    examples_sha256: str
    selection_accuracy: float | None
    arguments_exact_match: float | None
    call_exact_match: float | None
    examples: list[Answered]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if len(self.examples) != self.n:
            raise ValueError(f"it has {len(self.examples)} examples where 'n' is {self.n}")
        return self

    @property
    def exact(self) -> list[bool]:
        """Whether each example's call is exact."""
        return ["call_exact_match" not in each.wrong for each in self.examples]


@dataclass(frozen=True)
class Difference:
    """One figure of two results."""

    first: float
    second: float
    low: float
    """Lower end of the 95 % interval of `second - first` (percentile bootstrap over examples)."""
    high: float
    first_alone_wrong: int
    """Examples that the first result alone has wrong."""
    second_alone_wrong: int
    p: float
    """Two-sided exact McNemar test: how likely counts so unequal are if neither is better."""


@dataclass(frozen=True)
class Comparison:
    """Two results over the same examples."""

    n: int
    same_calls: float | None
    """Share of the examples for which both called the same; None where no calls were made."""
    probability_difference: float | None
    """The largest difference between the two probabilities of a selection; None without one."""
    figures: dict[str, Difference]
    """By the figure's name, those that both results have."""

    def as_json(self) -> dict[str, Any]:
        """The fields as one JSON object."""
        return asdict(self)


def read_result(path: Path) -> Result:
    """What `edgetune eval --json` wrote. Raises InputError where `path` holds anything else."""
    try:
        return Result.model_validate_json(path.read_bytes())
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error}); give what `edgetune eval --json FILE` wrote."
        ) from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise InputError(
            f"{path}: is no result of this version's `edgetune eval --json` ({place}: "
            f"{first['msg']}); evaluate again."
        ) from error


def compare(first: Result, second: Result) -> Comparison:
    """Compare two results. Raises InputError where they are not of the same examples."""
    for key in ("examples_sha256", "stage"):
        one, other = getattr(first, key), getattr(second, key)
        if one != other:
            raise InputError(
                f"compare: '{key}' is {one} in one result and {other} in the other; evaluate "
                "both on the same records at the same stage."
            )
    figures = {
        name: _difference(first, second, name, size)
        for name, size in (
            ("selection_accuracy", first.n),
            ("arguments_exact_match", first.arguments_n),
            ("call_exact_match", first.n),
        )
        if None not in (getattr(first, name), getattr(second, name))
    }
    pairs = list(zip(first.examples, second.examples, strict=True))
    apart = [
        abs(one.probability - other.probability)
        for one, other in pairs
        if one.probability is not None and other.probability is not None
    ]
    same = None
    if "call_exact_match" in figures:
        same = sum(_same_call(one, other) for one, other in pairs) / first.n
    return Comparison(first.n, same, max(apart, default=None), figures)


def _difference(first: Result, second: Result, name: str, n: int) -> Difference:
    one, other = (
        {index for index, entry in enumerate(result.examples) if name in entry.wrong}
        for result in (first, second)
    )
    fell, rose = len(other - one), len(one - other)
    low, high = difference_interval(fell, rose, n)
    shown = getattr(first, name), getattr(second, name)
    return Difference(*shown, low, high, rose, fell, _p(fell, rose))


def _p(one: int, other: int) -> float:
    tail = sum(math.comb(one + other, k) for k in range(min(one, other) + 1))
    return min(1.0, 2 * tail / 2 ** (one + other))


def _same_call(one: Answered, other: Answered) -> bool:
    return one.selected == other.selected and same_json(one.called, other.called)
