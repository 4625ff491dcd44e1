"""One adapter, from its first weights to its last step.

PEFT puts the LoRA on the base's projections; the loop here optimises it, measures it and can stop
and go on at any step. It knows token ids, not texts, and nothing of runs or reports.
"""

import hashlib
import math
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import torch
from peft import LoraConfig, TaskType, get_peft_model, set_peft_model_state_dict
from peft.helpers import disable_input_dtype_casting
from safetensors.torch import load_file

from edgetune.machine.allocator import give_back_memory
from edgetune.machine.precision import Precision
from edgetune.settings import AdapterSettings, TrainSettings
from edgetune.train.activated import ActivatedPass
from edgetune.train.examples import AdapterData
from edgetune.train.interrupt import Interrupted
from edgetune.train.lower import LowerLayers
from edgetune.train.passes import DevMetrics, Forward, learn, loss_logits, measure
from edgetune.train.state import Progress, load_state, save_state
from edgetune_runtime.errors import InputError

_CURVE_POINTS = 200
"""The most points of a training curve."""


class Tail(Protocol):
    """A last part of the plan that is only known when it begins."""

    start: int
    """Its first step."""

    def plan(self, forward: Forward, device: torch.device) -> list[list[int]]:
        """The whole plan, given the model as trained so far; the same whenever it is asked for."""


class Watcher(Protocol):
    """Who hears how training goes."""

    def resumed(self, steps: int, tokens: int) -> None:
        """`steps` of the adapter, with so many tokens, were done in an earlier sitting."""

    def step(self, tokens: int, loss: float | None) -> None:
        """One more step was done; `loss` where the curve has a point."""


@dataclass(frozen=True)
class Job:
    """An adapter to be trained and all that decides how."""

    data: AdapterData
    adapter: AdapterSettings
    train: TrainSettings
    plan: list[list[int]]
    """Indices into `data.train` for each step."""
    invocation: tuple[int, ...] = ()
    """Ids from which on an activated LoRA acts; none for a plain one, which acts everywhere."""
    start_base_sha256: str | None = None
    """The base that its initial weights, in the run's `start/`, were trained on; None: random."""
    continued: bool = False
    """Whether it goes on from an earlier run's adapter, in fewer steps (`grow`)."""

    @property
    def tokens(self) -> int:
        """Tokens of the whole plan, without padding."""
        return sum(len(self.data.train[index].ids) for step in self.plan for index in step)


@dataclass(frozen=True)
class Trained:
    """What a finished adapter is known by."""

    progress: Progress
    kept_step: int
    """The step whose weights were kept."""
    dev: DevMetrics | None
    """Metrics of the kept weights; None without dev examples."""


@contextmanager
def adapted(model: Any, job: Job, base_name: str, start: Path | None = None) -> Iterator[Any]:
    """`model` with a LoRA on it as a PEFT model; the bare model again afterwards.

    Initial weights are those of the PEFT directory `start`; without it they depend on the seed and
    the adapter's name alone, not on what was trained before.
    """
    settings = job.adapter
    with torch.random.fork_rng(), warnings.catch_warnings():
        # PEFT asks transformers for something by its old name, each time.
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        torch.manual_seed(_seed(job))
        peft_model = get_peft_model(
            model,
            LoraConfig(
                task_type=TaskType.CAUSAL_LM,
                r=settings.rank,
                lora_alpha=settings.alpha,
                use_rslora=settings.rslora,
                lora_dropout=settings.dropout,
                target_modules=list(settings.targets),
                layers_to_transform=_upper_layers(model, settings.layers),
                bias="none",
            ),
        )
        described = peft_model.peft_config["default"]
        described.base_model_name_or_path = base_name
        # Of a set, whose order differs from process to process, PEFT writes a list.
        described.target_modules = list(settings.targets)
        if job.invocation:
            # Said once the layers are made, so that they stay plain ones: see `activated`.
            described.alora_invocation_tokens = list(job.invocation)
        if start is not None:
            set_peft_model_state_dict(peft_model, load_file(start / "adapter_model.safetensors"))
        try:
            with disable_input_dtype_casting(peft_model):
                yield peft_model
        finally:
            peft_model.unload()
            # PEFT leaves its configuration on the model and would warn of a second adapter.
            if hasattr(model, "peft_config"):
                del model.peft_config


def train_adapter(
    peft_model: Any,
    job: Job,
    precision: Precision,
    state: Path,
    *,
    state_every: float = 60.0,
    watcher: Watcher | None = None,
    tail: Tail | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Trained:
    """Train to the end of the plan, from `state` where that file exists.

    When `stop()` turns true, the state is written after the step and Interrupted is raised.
    `tail` plans the last steps anew, as many as there were. `state_every` is in seconds. Raises
    InputError where the loss is no longer a number.
    """
    model = peft_model.base_model.model
    device = next(model.parameters()).device
    lower = lower_layers(model, job, precision)
    forward = forward_pass(model, job, precision, lower)
    weights = {name: p for name, p in peft_model.named_parameters() if p.requires_grad}
    parameters = list(weights.values())
    optimizer = torch.optim.AdamW(parameters, weight_decay=job.train.weight_decay, fused=True)
    progress, best = Progress(job.data.sha256), dict[str, torch.Tensor]()
    if state.exists():
        progress, best = load_state(state, job.data.sha256, weights, optimizer)
        if watcher is not None:
            watcher.resumed(progress.step, progress.tokens)
    if lower is not None and progress.step < len(job.plan):
        _keep(lower, job, state, stop)
    plan, steps, seed = job.plan, len(job.plan), _seed(job)
    every = max(1, math.ceil(steps / _CURVE_POINTS))
    evaluate_at = _evaluation_steps(steps, job.train.evaluations) if job.data.dev else set()
    began, saved = time.monotonic() - progress.seconds, time.monotonic()
    pending = torch.tensor(progress.pending_loss, device=device)

    def save() -> None:
        progress.seconds = time.monotonic() - began
        progress.pending_loss = pending.item()
        save_state(state, progress, weights, optimizer, best)
        give_back_memory()

    while progress.step < steps:
        if tail is not None and progress.step >= tail.start:
            peft_model.eval()
            plan, tail = tail.plan(forward, device), None
        if job.adapter.dropout:
            torch.manual_seed(seed + progress.step)
        peft_model.train()
        examples = [job.data.train[index] for index in plan[progress.step]]
        rate = learning_rate(job.train, progress.step, steps)
        for group in optimizer.param_groups:
            group["lr"] = rate
        loss = learn(forward, examples, device)
        torch.nn.utils.clip_grad_norm_(parameters, job.train.gradient_clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

        progress.step += 1
        tokens = sum(len(example.ids) for example in examples)
        progress.tokens += tokens
        pending += loss
        shown = None
        if progress.step % every == 0 or progress.step == steps:
            last = progress.curve[-1][0] if progress.curve else 0
            shown = pending.item() / (progress.step - last)
            _refuse_nan(shown, job, progress.step)
            progress.curve.append((progress.step, shown, rate))
            pending.zero_()
        if progress.step in evaluate_at:
            peft_model.eval()
            metrics = measure(forward, job.data.dev, device)
            if job.train.keep == "best" and _is_better(metrics, progress):
                progress.best_step = progress.step
                best = {name: p.detach().clone() for name, p in weights.items()}
            progress.dev_curve.append((progress.step, metrics.as_json()))
        if watcher is not None:
            watcher.step(tokens, shown)
        if stop():
            save()
            raise Interrupted
        if time.monotonic() - saved >= state_every:
            save()
            saved = time.monotonic()
    save()
    if lower is not None:
        lower.forget()
    return _finish(peft_model, progress, weights, best)


def forward_pass(
    model: Any, job: Job, precision: Precision, lower: LowerLayers | None = None
) -> Forward:
    """How the job's adapter, which is on `model`, is trained and measured; `lower` are the
    `lower_layers` that keep what they have computed."""
    if job.invocation:
        return ActivatedPass(model, precision, (*job.data.train, *job.data.dev), job.invocation)
    below = lower or lower_layers(model, job, precision)
    return partial(loss_logits, model, precision=precision, below=below)


def lower_layers(model: Any, job: Job, precision: Precision) -> LowerLayers | None:
    """What is below the job's adapter; None where that is on all layers, or is an activated one,
    whose pass has its own way to spare the prompt's gradients."""
    layers = len(model.get_decoder().layers)
    count = layers - (job.adapter.layers or layers)
    return LowerLayers(model, count, precision) if count and not job.invocation else None


def _keep(lower: LowerLayers, job: Job, state: Path, stop: Callable[[], bool]) -> None:
    """Keep the lower layers' states where a step would compute some of them again."""
    drawn = [index for step in job.plan for index in step]
    wanted = sorted(set(drawn))
    if len(drawn) > len(wanted):
        examples = [*(job.data.train[index] for index in wanted), *job.data.dev]
        lower.keep(examples, state, stop)


def _upper_layers(model: Any, count: int | None) -> list[int] | None:
    """The numbers of the upper `count` layers, as PEFT takes them; None for all."""
    layers = range(len(model.get_decoder().layers))
    return None if count is None else list(layers[-count:])


def learning_rate(settings: TrainSettings, step: int, steps: int) -> float:
    """The learning rate of step `step` (from 0) of `steps`: linear warm-up, then the schedule."""
    warm = round(settings.warmup * steps)
    if step < warm:
        return settings.learning_rate * (step + 1) / warm
    share = (step - warm) / max(1, steps - warm)
    if settings.schedule == "cosine":
        return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * share))
    return settings.learning_rate * (1 - share if settings.schedule == "linear" else 1.0)


def _finish(
    peft_model: Any,
    progress: Progress,
    weights: dict[str, torch.nn.Parameter],
    best: dict[str, torch.Tensor],
) -> Trained:
    """Put the weights to be kept into the model, and say how they did."""
    peft_model.eval()
    kept = progress.best_step if progress.best_step is not None else progress.step
    if kept != progress.step:
        with torch.no_grad():
            for name, parameter in weights.items():
                parameter.copy_(best[name])
    measured = dict(progress.dev_curve).get(kept)
    dev = DevMetrics(**measured) if measured is not None else None  # type: ignore[arg-type]
    return Trained(progress, kept, dev)


def _is_better(metrics: DevMetrics, progress: Progress) -> bool:
    """More exact matches than the best before; as many and a lower loss."""
    if progress.best_step is None:
        return True
    best = dict(progress.dev_curve)[progress.best_step]
    return (metrics.exact_match, -metrics.loss) > (best["exact_match"], -best["loss"])


def _evaluation_steps(steps: int, count: int) -> set[int]:
    return {max(1, round(steps * (index + 1) / count)) for index in range(count)}


def _refuse_nan(loss: float, job: Job, step: int) -> None:
    if not math.isfinite(loss):
        raise InputError(
            f"{job.data.name}: the loss is {loss} at step {step}; lower 'train.learning_rate' "
            f"(now {job.train.learning_rate:g}) and train into another --output."
        )


def _seed(job: Job) -> int:
    """A seed for this adapter alone, whatever else is trained."""
    digest = hashlib.sha256(f"{job.train.seed}/{job.data.name}".encode()).digest()
    return int.from_bytes(digest[:6], "little")
