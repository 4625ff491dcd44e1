"""Whether a probability means what it says: told against observed, and what a threshold buys.

Works on plain pairs (probability of the likeliest tool, whether it was the right one).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

BINS = 10
"""Bins of equal width."""

THRESHOLDS = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99)
"""Values of `--abstain-below` that the trade-off is shown for."""


@dataclass(frozen=True)
class Bin:
    """The examples whose probability lies in (`low`, `high`]."""

    low: float
    high: float
    n: int
    probability: float
    """The mean of what was told."""
    accuracy: float
    """The share of right ones."""


@dataclass(frozen=True)
class Coverage:
    """What is left, and how right it is, where the likeliest tool has at least `threshold`."""

    threshold: float
    answered: float
    """The share of all examples."""
    accuracy: float | None
    """Of those answered; None where there are none."""


@dataclass(frozen=True)
class Reliability:
    """How far the probabilities of the selection can be believed."""

    expected_calibration_error: float
    """The mean distance of accuracy and probability over the bins, by their number of examples
    (Naeini et al. 2015)."""
    bins: tuple[Bin, ...]
    """Those that hold examples."""
    coverage: tuple[Coverage, ...]
    """Accuracy against the share answered (El-Yaniv and Wiener 2010)."""

    def as_json(self) -> dict[str, Any]:
        """The fields as one JSON object."""
        return {
            "expected_calibration_error": self.expected_calibration_error,
            "bins": [asdict(each) for each in self.bins],
            "coverage": [asdict(each) for each in self.coverage],
        }


def reliability(pairs: Sequence[tuple[float, bool]]) -> Reliability:
    """Count `pairs` of a probability and whether what it was of was right; at least one."""
    told = np.array([probability for probability, _ in pairs])
    right = np.array([flag for _, flag in pairs], float)
    places = np.clip(np.ceil(told * BINS).astype(int) - 1, 0, BINS - 1)
    bins = []
    for place in np.unique(places):
        inside = places == place
        low, high = place / BINS, (place + 1) / BINS
        told_mean, right_mean = float(told[inside].mean()), float(right[inside].mean())
        bins.append(Bin(float(low), float(high), int(inside.sum()), told_mean, right_mean))
    error = sum(each.n * abs(each.accuracy - each.probability) for each in bins) / len(pairs)
    return Reliability(error, tuple(bins), tuple(_coverage(told, right, t) for t in THRESHOLDS))


def _coverage(told: np.ndarray, right: np.ndarray, threshold: float) -> Coverage:
    kept = right[told >= threshold]
    return Coverage(threshold, len(kept) / len(right), float(kept.mean()) if len(kept) else None)
