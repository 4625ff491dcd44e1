"""One adapter of a run, trained on the run's base and written to its directory there.

The same whichever engine has it done: in this process or on another machine, which sees nothing but
the task and the run's directory. What is known of the whole run is `run`'s.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from edgetune.config import TrainConfig
from edgetune.machine.precision import Precision, keep_in
from edgetune.train.adapter import Job, Watcher, adapted, forward_pass, train_adapter
from edgetune.train.batches import collate
from edgetune.train.compiled import compile_layers
from edgetune.train.hard import HardTail
from edgetune.train.passes import is_compiled
from edgetune.train.report import model_card
from edgetune.train.start import STARTS
from edgetune.train.summary import adapter_metrics
from edgetune_export.progress import console
from edgetune_export.weights.base import Base
from edgetune_runtime.errors import InputError
from edgetune_runtime.files import replaced_directory

Metrics: TypeAlias = dict[str, Any]
"""An adapter's entry in `metrics.json`."""


@dataclass(frozen=True)
class Task:
    """An adapter to be trained, and the run that it belongs to."""

    job: Job
    tail: HardTail | None
    run: Path
    """The run's directory, absolute: it holds base, states and adapters."""
    base_name: str
    weights_sha256: str
    """Of the base."""
    config: TrainConfig
    device: str
    precision: Precision
    compiling: bool
    """Whether the base's layers are compiled first."""

    @property
    def name(self) -> str:
        """The adapter's."""
        return self.job.data.name

    @property
    def start(self) -> str | None:
        """The adapter that this one starts from, which has to be trained before."""
        data = self.job.data
        if self.config.arguments.common_epochs and data.role == "arguments" and data.tool:
            return f"{data.toolset}.arguments"
        return None


Engine: TypeAlias = Callable[
    [Sequence[Task], int, Callable[[], bool]], Generator[tuple[Task, Metrics]]
]
"""Trains tasks (one at the least) and yields each when its adapter is written.

Its arguments are the tasks, how many adapters the run has already, and what says to stop: then
states are written and Interrupted is raised.
"""


def base_model(run: Path, device: str, precision: Precision) -> Any:
    """The model of the base of the run at `run`, on which all its adapters are trained."""
    model = Base(run / "base").model().to(device)
    keep_in(model, precision)
    return model


def train_task(
    task: Task, model: Any, stop: Callable[[], bool], watcher: Watcher | None = None
) -> Metrics:
    """Train the adapter, from its saved state where there is one, and write its directory.

    Raises Interrupted after `stop` said so, with a state that resumes.
    """
    job, config, adapters = task.job, task.config, task.run / "adapters"
    start = adapters / task.start if task.start else None
    if job.start_base_sha256 is not None:
        start = task.run / STARTS / task.name
    with adapted(model, job, task.base_name, start) as peft_model:
        if task.compiling and not is_compiled(model):
            console.print("Compiling the base's layers, which takes a minute or two")
            batch = collate([job.data.train[index] for index in job.plan[0]])
            forward = forward_pass(model, job, task.precision)
            try:
                compile_layers(model, forward, batch.to(model.device))
            except InputError as error:
                if config.machine.compile:
                    raise
                console.print(f"Going on as it is: {error}", soft_wrap=True, highlight=False)
        trained = train_adapter(
            peft_model,
            job,
            task.precision,
            task.run / "state" / f"{task.name}.safetensors",
            state_every=config.machine.state_every,
            watcher=watcher,
            tail=task.tail,
            stop=stop,
        )
        metrics = adapter_metrics(job, trained)
        with replaced_directory(adapters / task.name) as fresh:
            peft_model.save_pretrained(fresh, save_embedding_layers=False)
            card = model_card(task.name, metrics, task.base_name, config)
            (fresh / "README.md").write_text(card, encoding="utf-8")
    return metrics
