"""One call, from what a model wants to what came of it: checked, allowed or not, executed.

Every call goes through here, whoever wants it: an agent's, or that of a teacher whose trajectories
are collected.
"""

from collections.abc import Callable, Mapping
from typing import Any

from edgetune.agents.policy import Policy
from edgetune.agents.sources import Outcome, Source
from edgetune.tools.schema import arguments_problem


def carry_out(
    source: Source,
    toolset: str,
    tool: str,
    arguments: Mapping[str, Any],
    *,
    policy: Policy,
    grounded: bool,
    allow: Callable[[], bool],
    seconds: float,
) -> Outcome:
    """What comes of calling `tool`, a public name, of `source`, which serves `toolset`.

    `allow` is asked where the policy wants a yes. Raises SourceGone where there is nobody to call
    any more.
    """
    if tool not in source.toolset:
        return Outcome(f"Error: there is no tool {tool} any more.", "invalid")
    problem = arguments_problem(source.toolset[tool], arguments)
    if problem:
        return Outcome(f"Error: {problem}", "invalid")
    read_only = source.read_only(tool)
    rule = policy.decide(toolset, tool, read_only=read_only, grounded=grounded)
    if rule == "deny":
        return Outcome("Refused: the policy forbids this tool.", "refused")
    if rule == "ask" and not allow():
        return Outcome("Refused: this call needs a yes, and got none.", "refused")
    try:
        return source.call(tool, arguments, seconds)
    except TimeoutError:
        return Outcome(f"Error: no answer within {seconds:g} seconds.", "timeout")
