"""A whole training run: its adapters trained by an engine, everything written to one folder.

    run.json  metrics.json  curves.png  report.html  tools.json  base/  data/
    adapters/<name>/   PEFT directories
    start/             weights that adapters start from, where these are an earlier run's
    state/             what an interrupted run resumes from

The same command on the same folder goes on where it stopped. How an adapter is trained is
`task`'s, in which order and where the engine's; what a run starts from is `prepare`'s.
"""

import os
import shutil
import threading
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import torch

from edgetune.config import TrainConfig
from edgetune.machine.allocator import keep_freed_memory
from edgetune.machine.device import best_device
from edgetune.machine.precision import best_precision
from edgetune.machine.speed import training_seconds
from edgetune.settings import MachineSettings
from edgetune.train.adapter import Job
from edgetune.train.compiled import pays
from edgetune.train.curves import draw_curves
from edgetune.train.done import add_adapter, entry_of, finished, read_metrics
from edgetune.train.examples import AdapterData, adapters_data
from edgetune.train.grow import grow
from edgetune.train.hard import HardTail
from edgetune.train.interrupt import Interrupted, ctrl_c
from edgetune.train.jobs import plan_jobs
from edgetune.train.local_engine import train_here
from edgetune.train.masked_names import mask_names
from edgetune.train.prepare import Prepared, prepare
from edgetune.train.report import report_html
from edgetune.train.router import router_data
from edgetune.train.summary import RunSummary
from edgetune.train.taken_skill import take_skill
from edgetune.train.task import Engine, Metrics, Task
from edgetune.train.temperature import calibrate
from edgetune_export.progress import clock_text, console
from edgetune_export.prompts.invocation import invocation_tokens
from edgetune_export.prompts.prefixes import router_prompts, toolset_prompts
from edgetune_export.run_record import read_run_record, write_run_record
from edgetune_export.weights.base import Base
from edgetune_runtime.engines import check_threads
from edgetune_runtime.files import write_bytes, write_json
from edgetune_runtime.manifest import SKILL


class TrainingStopped(SystemExit):
    """Ctrl-C was pressed; the run can be resumed. Ends the process with 130 unless caught."""

    def __init__(self) -> None:
        super().__init__(130)


def train(config: TrainConfig, output: Path, grown_from: Path | None = None) -> RunSummary:
    """Train every adapter of a recipe into the run directory `output`, or go on with it.

    Adapters of the finished run `grown_from` that would be trained on the same examples are copied
    instead (`grow`). Raises InputError for a recipe, data, base or earlier run that cannot be used,
    or an `output` that is another's; TrainingStopped after Ctrl-C, with a state that resumes.
    """
    with ctrl_c() as pressed:
        try:
            return _train(config, output, grown_from, pressed)
        except Interrupted:
            command = f"edgetune train {config.source or 'CONFIG'} --output {output}"
            if grown_from is not None:
                command += f" --from {grown_from}"
            console.print(f"Stopped; to resume: [bold]{command}[/]", soft_wrap=True)
            raise TrainingStopped from None


def _train(
    config: TrainConfig, output: Path, grown_from: Path | None, pressed: threading.Event
) -> RunSummary:
    engine = _engine(config.machine)
    keep_freed_memory()
    device = best_device(config.machine.device)
    precision = best_precision(config.machine.precision, device)
    prepared = prepare(config, output, grown_from)
    jobs = _jobs(config, prepared)
    if prepared.earlier is not None:
        jobs = grow(jobs, prepared.earlier, config, output)
    compiling = pays(config.machine.compile, prepared.base, jobs)
    tasks = [
        Task(
            job,
            _hard_tail(job, prepared, config),
            output.absolute(),
            prepared.base.name,
            prepared.base.weights_sha256,
            config,
            str(device),
            precision,
            compiling,
        )
        for job in jobs
    ]
    done = finished(output, jobs)
    names = [job.data.name for job in jobs] + [SKILL] * (prepared.skill is not None)
    waiting = [task for task in tasks if task.name not in done]
    if waiting:
        console.print(_outlook(waiting, prepared.base), highlight=False, soft_wrap=True)
        with closing(engine(waiting, len(done), pressed.is_set)) as trained:
            for task, metrics in trained:
                done[task.name] = metrics
                add_adapter(output, entry_of(task.job), metrics, names)
                line = f"{len(done)}/{len(tasks)} {_line(task.name, metrics)}"
                console.print(line, highlight=False)
    if prepared.skill is not None and SKILL not in done:
        done[SKILL] = take_skill(prepared.skill, output, prepared.base, names)
    summary = RunSummary(
        output,
        prepared.base.name,
        prepared.base.weights_sha256,
        str(device),
        precision,
        {name: done[name] for name in names},
        read_run_record(output).grown_from,
    )
    if waiting or (output / "state").exists() or not (output / "report.html").exists():
        _complete(summary, config)
    dev = {each.toolset.name: each.dev for each in prepared.toolsets}
    calibrate(output, dev, pressed.is_set)
    return summary


def _engine(machine: MachineSettings) -> Engine:
    """What trains the adapters. Raises InputError for more threads than there are cores."""
    engine: Engine = train_here
    if machine.engine == "ray":
        from edgetune.train import ray_engine  # its package is an extra

        engine = ray_engine.train_on_cluster
    else:
        check_threads(machine.threads, "machine.threads")
    if machine.threads is not None and machine.threads <= (os.cpu_count() or 1):
        torch.set_num_threads(machine.threads)  # a cluster's nodes may have more
    return engine


def _jobs(config: TrainConfig, prepared: Prepared) -> list[Job]:
    longest = min(config.max_length, prepared.base.shape.context_length)
    data = _data(config, prepared, longest)
    for adapter in data:
        if adapter.dropped and adapter.train:
            console.print(
                f"{adapter.name}: left out {adapter.dropped} examples of more than {longest} tokens"
            )
    starts = {name: start.base.weights_sha256 for name, start in prepared.starts.items()}
    return plan_jobs(config, data, longest, _invocation(config, prepared), starts)


def _invocation(config: TrainConfig, prepared: Prepared) -> tuple[int, ...]:
    """Where adapters begin to act, if they are activated ones."""
    if config.adapter.kind == "lora":
        return ()
    return invocation_tokens(prepared.base.template, config.adapter.invocation)


def _data(config: TrainConfig, prepared: Prepared, longest: int) -> list[AdapterData]:
    """Every toolset's adapters, then the router; examples have at most `longest` tokens."""
    template, shown = prepared.base.template, config.prompt.tools
    shared = config.adapter.kind == "alora"
    data: list[AdapterData] = []
    for records in prepared.toolsets:
        toolset = records.toolset
        taught = [*records.train, *records.swapped, *records.negatives]
        data += adapters_data(
            template,
            toolset_prompts(template, toolset, shown, shared=shared),
            *(toolset, taught, records.dev),
            masked=mask_names(
                *(template, toolset, shown, taught),
                records.data.mask_names,
                config.train.seed,
                shared=shared,
            ),
            common=config.arguments.common_epochs > 0,
            monolithic=config.monolithic.enabled,
            max_length=longest,
        )
        trained = {adapter.tool for adapter in data if adapter.toolset == toolset.name}
        for tool in toolset.tools:
            if tool.has_parameters and tool.name not in trained:
                console.print(f"{tool.name}: no record calls it, so it gets no arguments adapter")
    if config.routed:
        prompts = router_prompts(template, [each.toolset for each in prepared.toolsets], shown)
        train = [(each.toolset, [*each.train, *each.swapped]) for each in prepared.toolsets]
        dev = [(each.toolset, each.dev) for each in prepared.toolsets]
        data.append(router_data(template, prompts, train, dev, max_length=longest))
    return data


def _outlook(tasks: Sequence[Task], base: Base) -> str:
    """What is going to be trained, and on a CPU about how long that takes."""
    first, tokens = tasks[0], sum(task.job.tokens for task in tasks)
    told = f"{len(tasks)} adapters, {tokens:,} tokens, on {first.device} in {first.precision}"
    if first.device != "cpu" or first.config.machine.engine != "local":
        return told
    sizes = [(slot.in_features, slot.out_features) for slot in base.slots()]
    work = sum(task.job.tokens * _work(task.job, base) for task in tasks)
    seconds = training_seconds(round(work), sizes, first.precision, compiled=first.compiling)
    told += f": about {clock_text(seconds)}"
    if first.precision == "float32" and first.config.machine.precision == "auto":
        told += " (several times as long as on a processor that multiplies bfloat16 fast, with AMX)"
    return told


def _work(job: Job, base: Base) -> float:
    """Share of a token's matrix products: below the adapter's layers there are those forward."""
    layers = base.shape.layers
    return (1 + (job.adapter.layers or layers) / layers) / 2


def _hard_tail(job: Job, prepared: Prepared, config: TrainConfig) -> HardTail | None:
    settings = config.selector.hard_negatives
    if settings is None or job.data.role != "selector" or job.continued:
        return None
    path = prepared.directory.absolute() / "data" / f"{job.data.name}.hard_negatives.json"
    return HardTail(settings, job, path)


def _line(name: str, metrics: Metrics) -> str:
    dev = metrics["dev"]
    return (
        f"{name}: {metrics['steps']} steps in {metrics['seconds']:.0f} s "
        f"({metrics['tokens_per_s']:.0f} tokens/s), loss {metrics['train_loss']:.4f}"
        + (f", dev {dev['loss']:.4f}, exact {dev['exact_match']:.3f}" if dev else "")
    )


def _complete(summary: RunSummary, config: TrainConfig) -> None:
    """Draw, report, and say in `run.json` that nothing is missing."""
    output = summary.output
    curves = draw_curves(summary.adapters)
    write_bytes(output / "curves.png", curves)
    write_bytes(output / "report.html", report_html(summary, config, curves).encode())
    about = {key: value for key, value in summary.as_json().items() if key != "adapters"}
    write_json(output / "metrics.json", about | {"adapters": read_metrics(output)})
    record = read_run_record(output)
    write_run_record(output, record.model_copy(update={"complete": True}))
    shutil.rmtree(output / "state", ignore_errors=True)
    for half_written in (output / "adapters").glob(".*"):  # by a process that was killed
        shutil.rmtree(half_written, ignore_errors=True)
