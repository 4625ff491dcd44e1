"""How one request is to be answered: the options that travel with it through the loop.

What lives as long as the process (engine, assets, adapters in memory, the KV cache's snapshots) is
the `Agent`'s; what a caller may want otherwise at the next request stands here.
"""

from dataclasses import dataclass
from typing import Literal

from edgetune_runtime.errors import InputError

System = Literal["decoupled", "monolithic", "skill", "base"]
"""Which adapters serve: a selector and one per tool, one for whole calls, one for tools that nobody
trained, or none at all."""


@dataclass(frozen=True)
class Options:
    """Options of a request. Raises InputError for a value out of its range."""

    system: System = "decoupled"
    max_tokens: int = 256
    """The most tokens that the arguments of a call may take."""
    max_reply_tokens: int = 256
    """The most tokens that a reply in words may take."""
    temperature: float = 0.0
    """Samples arguments and words above 0; 0 takes the likeliest token. Selection never samples."""
    seed: int = 0
    """Of the sampling: the same request with the same seed gives the same tokens."""
    exact: bool = False
    """Evaluate every branching point of the names, so that all probabilities are known."""
    abstain_below: float = 0.0
    """A tool less probable than this is not called: the step is `respond` then."""

    def __post_init__(self) -> None:
        least_of = {"max_tokens": 1, "max_reply_tokens": 1, "temperature": 0, "seed": 0}
        for name, least in least_of.items():
            found = getattr(self, name)
            if not found >= least:
                raise InputError(f"{name}: found {found}, expected {least} or more.")
        if not 0 <= self.abstain_below <= 1:
            raise InputError(
                f"abstain_below: found {self.abstain_below}, expected a probability from 0 to 1."
            )


DEFAULTS = Options()
"""Greedy calls by the decoupled adapters, without a threshold."""
