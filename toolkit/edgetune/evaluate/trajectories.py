"""Whole trajectories: records of several steps, all of which have to be right.

Counts what `evaluate` found step by step, each step with the true turns before it. Knows no files.
"""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from edgetune.evaluate.score import Outcome


def trajectories_json(lengths: Sequence[int], outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """`trajectory_exact_match` and how many records it is taken over; nothing to say is `{}`.

    `lengths` says how many of the consecutive `outcomes` each record gave. Only records of more
    than one step count; nothing is said without one, or where no whole calls were measured.
    """
    ends = list(accumulate(lengths))
    several = [
        [outcome.call_right for outcome in outcomes[end - length : end]]
        for end, length in zip(ends, lengths, strict=True)
        if length > 1
    ]
    if not several or any(right is None for steps in several for right in steps):
        return {}
    exact = sum(all(steps) for steps in several)
    return {"trajectory_exact_match": exact / len(several), "trajectories_n": len(several)}
