"""The workstation side of edgetune: tools, data, training, evaluation and the command line.

For programs: `edgetune.tool` marks a function as a tool, `edgetune.load` opens a bundle whose
`agent` runs it (`docs/agents.md`).
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgetune.agents.functions import tool
    from edgetune.agents.opened import load

__all__ = ["load", "tool"]


def __getattr__(name: str) -> Any:
    """The two names, imported when they are asked for: the package itself stays quick."""
    if name == "tool":
        from edgetune.agents.functions import tool

        return tool
    if name == "load":
        from edgetune.agents.opened import load

        return load
    raise AttributeError(f"module 'edgetune' has no attribute '{name}'")
