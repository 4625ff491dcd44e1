"""Makes a tool skill: one LoRA, trained on lessons, written as a training run of its own.

    SKILL/run.json  base/  tools.json  adapters/skill/   (and state/, while it is made)

The run's tools are the built-in ones, so that it can be tried, evaluated and exported as it is. The
same command goes on where it was stopped.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from edgetune.bases.fetch import open_name
from edgetune.machine.allocator import keep_freed_memory
from edgetune.machine.device import best_device
from edgetune.machine.precision import best_precision, keep_in
from edgetune.settings import AdapterSettings, TrainSettings
from edgetune.skill.lessons import Lesson, lessons
from edgetune.tools.reader import builtin_tools
from edgetune.train.adapter import Job, adapted, train_adapter
from edgetune.train.display import Display
from edgetune.train.done import entry_of
from edgetune.train.examples import AdapterData, Tokens, encoder, kept, tokenize
from edgetune.train.interrupt import ctrl_c
from edgetune.train.start import Start, check_base
from edgetune.train.summary import adapter_metrics
from edgetune.train.taken_skill import skill_start
from edgetune_export.progress import track
from edgetune_export.prompts.prefixes import toolset_prompts
from edgetune_export.prompts.template import Template
from edgetune_export.run import WEIGHTS
from edgetune_export.run_record import RUN, BaseRecord, RunRecord, read_run_record, write_run_record
from edgetune_export.weights.base import Base, load_base, open_source
from edgetune_runtime.calls import Tool
from edgetune_runtime.errors import InputError
from edgetune_runtime.files import (
    replaced_directory,
    require_own_directory,
    sha256_bytes,
    sha256_file,
    write_json,
)
from edgetune_runtime.manifest import SKILL
from edgetune_runtime.toolsets import dump_toolsets

SHAPE = AdapterSettings(rank=16, alpha=16)
LEARNING_RATE = 1e-3
DEV_LESSONS = 6
LONGEST = 2048
"""Tokens of an example; a lesson with a longer list of tools is left out."""


@dataclass(frozen=True)
class Made:
    """A finished skill."""

    output: Path
    metrics: dict[str, Any]
    """`adapter_metrics`."""


def make_skill(
    source: str,
    output: Path,
    count: int,
    seed: int,
    tools: Sequence[Tool] = (),
    earlier: Path | None = None,
) -> Made:
    """Train the skill of a base on `count` lessons of `seed`, over made-up tools and `tools`.

    `source` is what a recipe's `base.model` may be; `earlier` is a skill of the same checkpoint to
    go on from. Raises InputError where one is not that, or `output` is something else; Interrupted
    after Ctrl-C, with a state that resumes.
    """
    asked = {"base": source, "lessons": count, "seed": seed, "tools": _identity(tools)}
    start = begun = None
    if earlier is not None:
        start = skill_start(earlier, "--from")
        begun = start.directory
        asked["from"] = sha256_file(start.directory / WEIGHTS)
    base = _begin(source, output, asked, start)
    job = _job(base, count, seed, tools)
    if start is not None:
        began = start.base.weights_sha256
        job = replace(job, start_base_sha256=None if began == base.weights_sha256 else began)
    keep_freed_memory()
    device = best_device("auto")
    precision = best_precision("auto", device)
    model = base.model().to(device)
    keep_in(model, precision)
    with ctrl_c() as pressed, Display(job.tokens) as display:
        display.begin(SKILL, len(job.plan), 1, 1)
        with adapted(model, job, base.name, begun) as peft_model:
            trained = train_adapter(
                *(peft_model, job, precision, output / "state" / f"{SKILL}.safetensors"),
                watcher=display,
                stop=pressed.is_set,
            )
            directory = output / "adapters" / SKILL
            with replaced_directory(directory) as fresh:
                peft_model.save_pretrained(fresh, save_embedding_layers=False)
                _halve(fresh / WEIGHTS)
    metrics = adapter_metrics(job, trained)
    write_json(output / "metrics.json", {"adapters": {SKILL: metrics}})
    record = read_run_record(output)
    done = record.model_copy(update={"adapters": (entry_of(job),), "complete": True})
    write_run_record(output, done)
    return Made(output, metrics)


def _identity(tools: Sequence[Tool]) -> str:
    """What tells these tools from others."""
    listed = json.dumps([tool.as_openai() for tool in tools], sort_keys=True)
    return f"{len(tools)}, {sha256_bytes(listed.encode())[:12]}"


def _begin(source: str, output: Path, asked: dict[str, Any], start: Start | None) -> Base:
    """The base of the run, whose directory has all but the adapter then, or was there already."""
    if (output / RUN).is_file():
        if read_run_record(output).config != {SKILL: asked}:
            raise InputError(
                f"{output}: is another run; give an empty directory, or the same base, --lessons, "
                "--seed, --tools and --from to go on with it."
            )
        return load_base(output / "base")
    if not (output / "base" / "base.json").is_file():  # as a command leaves it that was stopped
        require_own_directory(output, (RUN,), "tool skill")
    opened = open_source(*open_name(source, None))
    if start is not None:
        check_base(start, opened, source, "--from")
    base = load_base(opened, output / "base", name=source)
    about = BaseRecord(
        name=base.name,
        revision=base.revision,
        weights_sha256=base.weights_sha256,
        checkpoint_sha256=base.checkpoint_sha256,
    )
    write_json(output / "tools.json", dump_toolsets([builtin_tools("phone_actions")]))
    record = RunRecord(
        edgetune=version("edgetune"), config={SKILL: asked}, base=about, adapters=(), complete=False
    )
    write_run_record(output, record)
    return base


def _job(base: Base, count: int, seed: int, tools: Sequence[Tool]) -> Job:
    """A step is a lesson, whose list of tools is read once for all its requests."""
    longest = min(LONGEST, base.shape.context_length)
    plan: list[list[int]] = []
    train: list[Tokens] = []
    taught = track(lessons(count, seed, tools), "Writing lessons", total=count)
    for lesson in taught:
        tokens = _tokens(base.template, lesson)
        if max(len(each.ids) for each in tokens) <= longest:
            plan.append([*range(len(train), len(train) + len(tokens))])
            train += tokens
    if not train:
        raise InputError(
            f"{base.directory}: every lesson is longer than the {longest} tokens of its context; "
            "take a base that reads more."
        )
    dev = [
        each
        for lesson in lessons(DEV_LESSONS, seed, tools, split="dev")
        for each in _tokens(base.template, lesson)
    ]
    data: AdapterData = kept(SKILL, SKILL, None, None, train, dev, longest)
    train_settings = TrainSettings(learning_rate=LEARNING_RATE, evaluations=1, seed=seed)
    return Job(data, SHAPE, train_settings, plan)


def _tokens(template: Template, lesson: Lesson) -> list[Tokens]:
    prefix = toolset_prompts(template, lesson.toolset).base
    encode = encoder(template.tokenizer)
    return tokenize(encode, template.pieces, prefix, lesson.toolset, lesson.examples, "monolithic")


def _halve(path: Path) -> None:
    """Keep the weights in float16, of half the size: as bundles do."""
    save_file({name: each.to(torch.float16) for name, each in load_file(path).items()}, path)
