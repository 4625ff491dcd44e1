"""What made-up tools are about: actions, and objects with the actions and concepts that suit them.

The lists stand in domains.json. They know words: not how a tool or a request is put together.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources


@dataclass(frozen=True)
class Action:
    """Something done: how tools are named and described for it, and how requests open."""

    key: str
    names: Sequence[str]
    verbs: Sequence[str]
    openings: Sequence[str]
    """"{o}" stands for the object."""


@dataclass(frozen=True)
class Domain:
    """Objects of one kind; among the concepts, "enum" and "bool" draw from their own lists."""

    objects: Sequence[str]
    actions: Sequence[str]
    concepts: Sequence[str]


_RAW = json.loads(
    resources.files("edgetune.invent").joinpath("domains.json").read_text(encoding="utf-8")
)
ACTIONS: dict[str, Action] = {row["key"]: Action(**row) for row in _RAW["actions"]}
DOMAINS = [Domain(**row) for row in _RAW["domains"]]
