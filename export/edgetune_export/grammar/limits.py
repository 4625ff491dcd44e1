"""How far an automaton counts: what it holds counters to so that it stays small.

Counters within counters multiply. A schema whose automaton would be too large is compiled again
with smaller limits, the nested ones first; all values stay valid, some valid ones are left out.
This module knows numbers alone.
"""

from dataclasses import dataclass

ROOM = 6000
"""States that an automaton of arguments may have before its limits are made smaller."""
ROOM_AT_LAST = 12_000
"""States that it may have under the smallest limits: long lists of constants, not counters."""
WORK = 400
"""Steps that may be taken for each state that there is room for: bounds a try to a second or two.
"""


@dataclass(frozen=True)
class Limits:
    """What larger `maxLength`, `maxItems`, counters of patterns and `maxProperties` are held to."""

    string: int
    """Characters of a string outside of arrays."""
    nested: int
    """Characters of a string within an array or among additional properties."""
    items: int
    within: int = 3
    """How often a `$ref` may stand inside itself."""


LIMITS = (
    Limits(512, 512, 32),
    Limits(512, 280, 16),
    Limits(512, 128, 8),
    Limits(280, 128, 4),
    Limits(128, 64, 4, within=2),
    Limits(64, 32, 3, within=2),
    Limits(32, 16, 2, within=1),
    Limits(16, 8, 1, within=1),
)
"""From the largest to the smallest."""
