"""Two results of `edgetune eval` on the same examples, example by example: is one really better?

Examples that both have right, or both wrong, say nothing of a difference: the exact McNemar test
(McNemar 1947) asks whether the others could have fallen as they did by chance. This module knows
results as JSON, not how they came about.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgetune_runtime.errors import InputError

RESAMPLES = 10_000
"""Bootstrap samples of an interval."""

_KEYS = {"n", "system", "engine", "toolset", "stage", "wrong", "examples_sha256"}


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
    figures: dict[str, Difference]
    """By the figure's name, those that both results have."""

    def as_json(self) -> dict[str, Any]:
        """The fields as one JSON object."""
        return asdict(self)


def read_result(path: Path) -> dict[str, Any]:
    """What `edgetune eval --json` wrote. Raises InputError where `path` holds anything else."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path}: cannot be read ({error}); give what `edgetune eval --json FILE` wrote."
        ) from error
    missing = sorted(_KEYS - found.keys()) if isinstance(found, dict) else sorted(_KEYS)
    if missing:
        raise InputError(
            f"{path}: is no result of this version's `edgetune eval --json` (it has no "
            f"{', '.join(missing)}); evaluate again."
        )
    return dict(found)


def compare(first: Mapping[str, Any], second: Mapping[str, Any]) -> Comparison:
    """Compare two results. Raises InputError where they are not of the same examples."""
    for key in ("examples_sha256", "stage"):
        if first[key] != second[key]:
            raise InputError(
                f"--compare: '{key}' is {first[key]} in one result and {second[key]} in the other; "
                "evaluate both on the same records at the same stage."
            )
    wrong = [{entry["index"]: entry for entry in result["wrong"]} for result in (first, second)]
    figures = {}
    for name, size in (
        ("selection_accuracy", "n"),
        ("arguments_exact_match", "arguments_n"),
        ("call_exact_match", "n"),
    ):
        if first[name] is not None and second[name] is not None:
            one, other = (
                {index for index, entry in entries.items() if name in entry["figures"]}
                for entries in wrong
            )
            figures[name] = _difference(first, second, name, first[size], one, other)
    same = None
    if "call_exact_match" in figures:
        same = _same_share(first["n"], *map(_calls, wrong))
    return Comparison(first["n"], same, figures)


def _difference(
    first: Mapping[str, Any],
    second: Mapping[str, Any],
    name: str,
    n: int,
    one: set[int],
    other: set[int],
) -> Difference:
    fell, rose = len(other - one), len(one - other)
    shares = [fell / n, rose / n, 1 - (fell + rose) / n]
    drawn = np.random.default_rng(0).multinomial(n, shares, RESAMPLES)
    low, high = np.quantile((drawn[:, 1] - drawn[:, 0]) / n, [0.025, 0.975])
    return Difference(
        first[name], second[name], float(low), float(high), rose, fell, _p(fell, rose)
    )


def _p(one: int, other: int) -> float:
    tail = sum(math.comb(one + other, k) for k in range(min(one, other) + 1))
    return min(1.0, 2 * tail / 2 ** (one + other))


def _calls(wrong: Mapping[int, Mapping[str, Any]]) -> dict[int, str]:
    """What was called, where it is not the right call."""
    return {
        index: json.dumps([entry["selected"], entry["called"]], sort_keys=True)
        for index, entry in wrong.items()
        if "call_exact_match" in entry["figures"]
    }


def _same_share(n: int, one: Mapping[int, str], other: Mapping[int, str]) -> float:
    differ = sum(one.get(index) != other.get(index) for index in {*one, *other})
    return 1 - differ / n
