"""Adapters trained one after the other in this process, on one base in memory."""

from collections.abc import Callable, Generator, Sequence

from edgetune.train.display import Display
from edgetune.train.interrupt import Interrupted
from edgetune.train.task import Metrics, Task, base_model, train_task


def train_here(
    tasks: Sequence[Task], finished: int, stop: Callable[[], bool]
) -> Generator[tuple[Task, Metrics]]:
    """An `Engine`."""
    model = base_model(tasks[0].run, tasks[0].device, tasks[0].precision)
    with Display(sum(task.job.tokens for task in tasks)) as display:
        for index, task in enumerate(tasks, finished + 1):
            if stop():
                raise Interrupted
            display.begin(task.name, len(task.job.plan), index, finished + len(tasks))
            yield task, train_task(task, model, stop, display)
