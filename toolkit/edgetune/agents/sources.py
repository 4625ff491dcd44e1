"""Where tools live and run: what an agent knows of an MCP server, or of some Python functions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from edgetune_runtime.calls import Toolset

How = Literal["ok", "error", "timeout", "refused", "invalid"]
"""How a call went: done; done and an error; no answer in time; not allowed; not even a call."""


@dataclass(frozen=True)
class Outcome:
    """What came of a call, in words for the model."""

    text: str
    how: How = "ok"


class SourceGone(Exception):
    """A source can be called no more; one sentence."""


class Source(Protocol):
    """Tools of one kind, and the way to call them."""

    @property
    def toolset(self) -> Toolset:
        """What it offers now."""

    @property
    def secrets(self) -> Mapping[str, str]:
        """By name, what must stand in no log."""

    @property
    def every_tool(self) -> bool:
        """Whether tools that nobody trained are to be served, too, where others of it were."""

    def read_only(self, tool: str) -> bool:
        """Whether it says that a tool changes nothing. A hint, not proof."""

    def call(self, tool: str, arguments: Mapping[str, Any], seconds: float) -> Outcome:
        """Call a tool by its public name.

        Raises TimeoutError after `seconds` without an answer, SourceGone where there is nobody to
        call any more; whatever a tool itself raises is an Outcome that is an error.
        """
