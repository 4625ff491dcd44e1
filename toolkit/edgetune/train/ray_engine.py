"""Adapters trained side by side on a Ray cluster, each by one worker.

The run's directory is all that the machines share: workers read the base there, keep their states
and write their adapters, the same files as one machine would. Ray begins a task whose worker died
again, which then goes on from its state. Knows nothing of records, tools and reports.
"""

import logging
import os
import platform
import signal
import socket
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import ray
import torch
from ray.exceptions import RayError, RayTaskError
from rich.progress import TimeRemainingColumn

from edgetune.machine.allocator import keep_freed_memory
from edgetune.train.interrupt import Interrupted, ctrl_c
from edgetune.train.task import Metrics, Task, base_model, train_task
from edgetune_export.progress import Bar, console
from edgetune_export.weights.base import Base
from edgetune_runtime.errors import EdgetuneError, InputError

RETRIES = 3
"""How often a task is begun again after its worker died."""

KNOCK = 10.0
"""Seconds in which a cluster has to answer."""

LOOK = 0.5
"""Seconds between two looks at whether to stop."""


def train_on_cluster(
    tasks: Sequence[Task], finished: int, stop: Callable[[], bool]
) -> Generator[tuple[Task, Metrics]]:
    """An `Engine`: on the cluster at `RAY_ADDRESS`, or on one that is started here for the while.

    Where an adapter fails, the others are trained to their end before its error is raised.
    """
    # Where Ray tells of a worker that died; standard output takes results.
    with redirect_stdout(console.file), _cluster():
        threads, gpus = _needs(tasks[0])
        work = ray.remote(train_remotely).options(
            num_cpus=threads, num_gpus=gpus, max_retries=RETRIES, scheduling_strategy="SPREAD"
        )
        refs: dict[str, Any] = {}
        # First those that others start from, then the longest: nothing long begins last.
        for task in sorted(tasks, key=lambda task: (not task.job.data.is_common, -task.job.tokens)):
            refs[task.name] = work.remote(task, refs.get(task.start or ""))
        yield from _gather({refs[task.name]: task for task in tasks}, finished, stop)


def train_remotely(task: Task, _start: Metrics | None) -> Metrics:
    """The work of one worker; Ray calls it when the task that it starts from is done."""
    try:
        found = Base(task.run / "base").weights_sha256
    except (EdgetuneError, OSError):
        found = None
    if found != task.weights_sha256:
        raise InputError(
            f"{task.run}: is not seen by node {platform.node()} of the cluster; choose an --output "
            "on a file system that all its nodes share."
        )
    keep_freed_memory()
    torch.set_num_threads(_threads(task))
    with ctrl_c() as pressed:  # by which Ray cancels a task
        return train_task(task, _kept_model(task.run, task.device, task.precision), pressed.is_set)


_kept_model = lru_cache(maxsize=1)(base_model)
"""The base of this worker, which trains one adapter after the other on it."""


def _gather(
    tasks: dict[ray.ObjectRef, Task], finished: int, stop: Callable[[], bool]
) -> Generator[tuple[Task, Metrics]]:
    """Each task with its metrics as they come in; in the end the first error that there was."""
    pending, cancelled = list(tasks), False
    failed: dict[str, Exception] = {}
    with Bar(TimeRemainingColumn()) as bar:
        shown = bar.add_task("Adapters", total=finished + len(tasks), completed=finished)
        while pending:
            ready, pending = ray.wait(pending, timeout=LOOK)
            if stop() and not cancelled:
                cancelled = True
                for ref in pending:
                    ray.cancel(ref)
            for ref in ready:
                task = tasks[ref]
                try:
                    metrics = ray.get(ref)
                except RayError as error:
                    if not cancelled:
                        failed[task.name] = _explained(task.name, error)
                        console.print(f"{task.name}: failed; the others go on", highlight=False)
                else:
                    yield task, metrics
                    bar.advance(shown)
    if cancelled:
        raise Interrupted
    for task in tasks.values():
        if task.name in failed:
            raise failed[task.name]


def _explained(name: str, error: RayError) -> Exception:
    """What the task raised itself, as it would here; for a worker that died, one sentence."""
    if isinstance(error, RayTaskError):
        return error.cause if isinstance(error.cause, EdgetuneError) else error
    return InputError(
        f"{name}: no worker finished it in {RETRIES + 1} tries ({_brief(error)}); look at memory "
        "and logs of the nodes and run the same command again, which goes on from what was saved."
    )


@contextmanager
def _cluster() -> Iterator[None]:
    """A connection to the cluster, unless this process has one."""
    if ray.is_initialized():
        yield
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent to anyone
    on_end = signal.getsignal(signal.SIGTERM)
    try:
        _knock(os.environ.get("RAY_ADDRESS", ""))
        ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError(
            f"'machine.engine: ray': no cluster answers ({_brief(error)}); start it, correct "
            "RAY_ADDRESS, or unset that to have one started here."
        ) from error
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, on_end)  # Ray ends the process at once
    try:
        yield
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Raise OSError where nothing listens at `HOST:PORT`, for which Ray would wait minutes."""
    parts = urlsplit(address if "://" in address else f"//{address}")
    if parts.hostname and parts.port:
        socket.create_connection((parts.hostname, parts.port), timeout=KNOCK).close()


def _needs(task: Task) -> tuple[int, int]:
    """CPUs and GPUs of each task. Raises InputError where no node has them: it would wait."""
    threads, gpus = _threads(task), int(task.device == "cuda")
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    cores = max(int(node.get("CPU", 0)) for node in nodes)
    if threads > cores:
        raise InputError(
            f"machine.threads {threads}: no node of the cluster has more than {cores} CPUs; ask "
            "for fewer."
        )
    if gpus and not any(node.get("GPU", 0) >= 1 for node in nodes):
        raise InputError(
            "'machine.device' finds a GPU here, but no node of the cluster offers one; set it to "
            "cpu, or start the nodes with theirs."
        )
    return threads, gpus


def _threads(task: Task) -> int:
    return task.config.machine.threads or 1


def _brief(error: Exception) -> str:
    """The first sentence of Ray's, or the error's name."""
    return (str(error) or type(error).__name__).strip().splitlines()[0].partition(". ")[0]
