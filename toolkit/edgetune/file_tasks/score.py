"""The score of a task: which of its atomic outputs a trajectory showed, checked by program."""

from collections.abc import Sequence
from dataclasses import dataclass

from edgetune.file_tasks.parts import Gone, Holds, Shown
from edgetune.file_tasks.tasks import Task
from edgetune.file_tasks.workspace import State


@dataclass(frozen=True)
class TaskScore:
    """How a task was done."""

    outputs: tuple[bool, ...]
    """Of each atomic output, whether it is there."""
    spoilt: tuple[str, ...]
    """Paths that nobody asked to change and that are not as they were."""

    @property
    def share(self) -> float:
        """Of the outputs, those that are there."""
        return sum(self.outputs) / len(self.outputs)


def score(task: Task, results: Sequence[str], after: State) -> TaskScore:
    """The score of a trajectory: its calls that were done gave `results`, and left `after`."""
    found = []
    named = set()
    for output in task.outputs:
        match output:
            case Shown(parts):
                found.append(any(all(part in result for part in parts) for result in results))
            case Holds(path, text):
                named.add(path)
                found.append(path in after and after[path] == text)
            case Gone(path):
                named.add(path)
                found.append(path not in after)
    expected = task.expected
    spoilt = sorted(
        path
        for path in (expected.keys() | after.keys()) - named
        if (path in expected, expected.get(path)) != (path in after, after.get(path))
    )
    return TaskScore(tuple(found), tuple(spoilt))
