"""An agent at work on file tasks: on a real server, in a workspace that is made anew for each."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgetune.agents.loop import Ended, Limits, Observed, Proposed, ToolAgent
from edgetune.agents.policy import Policy
from edgetune.agents.served import serve
from edgetune.agents.sources import Source
from edgetune.file_tasks.expert import CALL_SECONDS
from edgetune.file_tasks.mixed import MixedAgent, Stage
from edgetune.file_tasks.score import TaskScore, score
from edgetune.file_tasks.tasks import Task
from edgetune.file_tasks.workspace import lay_out, read_back
from edgetune_export.progress import track
from edgetune_runtime.bundle import Bundle
from edgetune_runtime.engine import Engine
from edgetune_runtime.errors import InputError
from edgetune_runtime.options import Options


@dataclass(frozen=True)
class Done:
    """A task, and what an agent made of it."""

    task: Task
    score: TaskScore
    calls: tuple[tuple[str, dict[str, Any], str], ...]
    """Each call with its arguments and how it went."""
    because: str
    """Why the agent stopped."""

    def as_json(self) -> dict[str, Any]:
        """What is to be seen of it."""
        return {
            "request": self.task.request,
            "kinds": list(self.task.kinds),
            "outputs": list(self.score.outputs),
            "spoilt": list(self.score.spoilt),
            "ended": self.because,
            "calls": [
                {"tool": tool, "arguments": arguments, "how": how}
                for tool, arguments, how in self.calls
            ],
            "expert": [
                {"tool": call.tool, "arguments": call.arguments} for call in self.task.calls
            ],
        }


def run_tasks(
    bundle: Bundle,
    engine: Engine,
    source: Source,
    root: Path,
    tasks: Sequence[Task],
    *,
    selector: Stage = "decoupled",
    writer: Stage = "decoupled",
    votes: int = 0,
    steps: int = 8,
) -> list[Done]:
    """Let `bundle` serve `tasks` on `source`, which serves the directory `root`.

    Every call runs without a yes. Raises InputError where the bundle was not trained for the
    server's tools, or has no such systems.
    """
    served = serve(bundle, [source])
    if served.untrained and len(served.untrained) == len(served.assets.toolsets):
        raise InputError(
            f"{bundle.path}: knows none of the tools of this server; train it on what `edgetune "
            "tasks make` writes."
        )
    mixed = MixedAgent(served.assets, engine, selector, writer, votes)
    limits = Limits(steps, call_seconds=CALL_SECONDS)
    agent = ToolAgent(mixed, served, policy=Policy(approve="never"), limits=limits)
    told = f"{selector} selects, {writer} writes arguments"
    return [_run(agent, mixed, task, root) for task in track(tasks, told, total=len(tasks))]


def _run(agent: ToolAgent, mixed: MixedAgent, task: Task, root: Path) -> Done:
    lay_out(task.workspace, root)
    mixed.begin(task)
    calls: list[tuple[str, dict[str, Any], str]] = []
    results, because = [], ""
    proposed: Proposed | None = None
    # The words that the base says in the end count for nothing here.
    for event in agent.answer(task.request, options=Options(max_reply_tokens=1)):
        match event:
            case Proposed():
                proposed = event
            case Observed(text, how):
                assert proposed is not None
                calls.append((proposed.step.tool, dict(proposed.step.arguments), how))
                if how == "ok":
                    results.append(text)
            case Ended(_, reason):
                because = reason
    return Done(task, score(task, results, read_back(root)), tuple(calls), because)


def summary(done: Sequence[Done]) -> dict[str, float]:
    """The figures of some tasks: the mean share of atomic outputs (`outputs`), the shares of tasks
    with all of them (`complete`) and with something spoilt, calls a task."""
    count = len(done)
    return {
        "tasks": count,
        "outputs": sum(each.score.share for each in done) / count,
        "complete": sum(each.score.share == 1 for each in done) / count,
        "spoilt": sum(bool(each.score.spoilt) for each in done) / count,
        "calls": sum(len(each.calls) for each in done) / count,
    }
