"""Which calls may run, which need a yes first, and which never run.

A policy is fixed before the first step: nothing that a model or a tool says changes it. What a
source says of its tools is a hint, which counts only where the policy lets it.
"""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from edgetune_runtime.errors import InputError

Approve = Literal["never", "writes", "all"]
"""What needs a yes: nothing; whatever is not known to change nothing; everything."""
Rule = Literal["allow", "ask", "deny"]


class Policy(BaseModel):
    """`approve`, and what differs from it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    approve: Approve = "writes"
    trust_hints: bool = True
    """Whether `writes` believes a server's hint that a tool changes nothing."""
    ungrounded: Literal["allow", "ask"] = "allow"
    """Whether a call needs a yes where one of its arguments stands neither in the request nor in
    a result."""
    tools: dict[str, Rule] = {}
    """By `toolset/tool`, `tool`, `toolset/*` or `*`, the first of these that is there: what holds
    whatever else this policy says."""

    def decide(self, toolset: str, tool: str, *, read_only: bool, grounded: bool) -> Rule:
        """What is to be done with a call of `tool`, a public name."""
        for key in (f"{toolset}/{tool}", tool, f"{toolset}/*", "*"):
            if key in self.tools:
                return self.tools[key]
        if self.approve == "all" or (self.ungrounded == "ask" and not grounded):
            return "ask"
        harmless = read_only and self.trust_hints
        return "allow" if self.approve == "never" or harmless else "ask"


def read_policy(path: Path) -> Policy:
    """The policy of a YAML file. Raises InputError naming the key that is not as it must be."""
    import yaml

    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give a policy.") from error
    except (ValueError, yaml.YAMLError) as error:
        said = " ".join(str(error).split())
        raise InputError(f"{path}: is no YAML ({said:.200}); correct it.") from error
    try:
        return Policy.model_validate(value or {})
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "the file"
        raise InputError(
            f"{path}: {key}: found {first['input']!r:.60}, {first['msg'].lower()}; correct it."
        ) from error


def policy_of(given: Policy | Path | str | None, approve: Approve | None) -> Policy:
    """The policy that was given, itself or as its file, with `approve` in the place of its own."""
    policy = given if isinstance(given, Policy) else read_policy(Path(given)) if given else Policy()
    return policy if approve is None else policy.model_copy(update={"approve": approve})
