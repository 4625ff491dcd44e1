"""Made-up tasks on a workspace: a request, the calls of an expert, and what they must bring about.

A task has one to three parts. Test tasks have other phrases, other words and deeper folders than
those to train on. Knows no server.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from random import Random

from edgetune.file_tasks.parts import PARTS, Gone, Ground, Holds, Output, Shown
from edgetune.file_tasks.workspace import Workspace, make_workspace
from edgetune_runtime.calls import Call

PHRASES: Mapping[str, Mapping[str, list[str]]] = json.loads(
    resources.files("edgetune.file_tasks").joinpath("phrases.json").read_text(encoding="utf-8")
)
COUNTS = {"train": (55, 45), "test": (45, 40, 15)}
"""Weights of one part, two, three, by split."""


@dataclass(frozen=True)
class Task:
    """A request in a workspace, and how it is served."""

    workspace: Workspace
    request: str
    kinds: tuple[str, ...]
    """Of its parts, as in phrases.json."""
    calls: tuple[Call, ...]
    """The expert's."""
    outputs: tuple[Output, ...]

    @property
    def expected(self) -> dict[str, str | None]:
        """What lies in the workspace afterwards, as `read_back` finds it."""
        state = self.workspace.state
        for output in self.outputs:
            match output:
                case Holds(path, text):
                    state[path] = text
                case Gone(path):
                    del state[path]
                case Shown():
                    pass
        return state


def make_task(index: int, seed: int, split: str, root: Path) -> Task:
    """Task `index` of those of `seed`, for a workspace that will lie in `root`; `split` is train or
    test."""
    rng = Random(f"file task {split} {seed} {index}")
    workspace = make_workspace(rng, split)
    ground = Ground(rng, split, workspace, root, rng.sample(workspace.tops, len(workspace.tops)))
    weights = COUNTS[split]
    count = rng.choices(range(1, len(weights) + 1), weights)[0]
    makers = rng.sample(list(PARTS), count)
    parts = [PARTS[kind](ground) for kind in makers]
    asked = [
        rng.choice(PHRASES[kind][split]).format(**part.slots)
        for kind, part in zip(makers, parts, strict=True)
    ]
    request = asked[0]
    for each in asked[1:]:
        request = rng.choice(PHRASES["joins"][split]).format(request, each)
    if rng.random() < 0.5 and not any(request.startswith(top) for top in workspace.tops):
        request = request[:1].upper() + request[1:]
    return Task(
        workspace,
        request,
        tuple(makers),
        tuple(call for part in parts for call in part.calls),
        tuple(output for part in parts for output in part.outputs),
    )
