"""What was found of a bundle: check by check for programs, a line a rung for people.

A rung is one kind of check, of the whole bundle or of each adapter in turn. Which there are, and
how they are made, is `ladder`'s and `engine`'s; how they look on a screen is the command line's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Check:
    """One thing that holds or not."""

    rung: str
    adapter: str | None
    """The adapter (or `base`) that it is about; None: the whole bundle."""
    ok: bool
    detail: str
    strain: float = 0.0
    """How near it came to failing, where that is measured: the largest tells most of a rung."""

    @property
    def name(self) -> str:
        """The rung, and the adapter's name behind it."""
        return self.rung if self.adapter is None else f"{self.rung}: {self.adapter}"


@dataclass(frozen=True)
class Rung:
    """All checks of one kind, one or more."""

    name: str
    checks: Sequence[Check]

    @property
    def failed(self) -> list[Check]:
        """Those that do not hold."""
        return [check for check in self.checks if not check.ok]

    @property
    def detail(self) -> str:
        """What all of them say, or else the one that tells most."""
        worst = max(self.checks, key=lambda check: check.strain)
        if all(check.detail == worst.detail for check in self.checks):
            return worst.detail
        kind = "at worst" if worst.strain else "for example"
        return f"{kind}, {worst.adapter}: {worst.detail}"


@dataclass(frozen=True)
class Verification:
    """Every check that was made, in order."""

    checks: Sequence[Check]

    @property
    def ok(self) -> bool:
        """All of them hold."""
        return not self.failed

    @property
    def failed(self) -> list[Check]:
        """Those that do not hold."""
        return [check for check in self.checks if not check.ok]

    @property
    def rungs(self) -> list[Rung]:
        """The checks by kind, in the order in which the kinds were come to."""
        by_name: dict[str, list[Check]] = {}
        for check in self.checks:
            by_name.setdefault(check.rung, []).append(check)
        return [Rung(name, checks) for name, checks in by_name.items()]

    def as_json(self) -> dict[str, Any]:
        """`{"ok": bool, "checks": [{"name", "ok", "detail"}]}`."""
        listed = [{"name": c.name, "ok": c.ok, "detail": c.detail} for c in self.checks]
        return {"ok": self.ok, "checks": listed}
