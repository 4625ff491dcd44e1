"""Pretrains `nano` from scratch on invented tools and requests: the loop.

Warm-up, constant rate, linear decay; the last part of the steps sees int4 weights. Resumes from the
checkpoint in its output folder. It knows nothing of adapters or bundles.
"""

import json
import multiprocessing as mp
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer

from edgetune.nano import batches as bt
from edgetune.nano.checkpoint import Progress, restore, save, write_snapshot
from edgetune.nano.model import build_model, make_optimizers
from edgetune.nano.objective import Objective, held_out_batches
from edgetune.nano.pretraining_curves import plot_curves
from edgetune.nano.recipe import Recipe, rate_factor, read_recipe
from edgetune.nano.straight_through import quantized
from edgetune.nano.tokenizer import make_tokenizer, spaced_pairs

NOTE_EVERY = 10
"""Steps between two lines of metrics."""


def pretrain(config: Path, output: Path, stop_at: int | None = None) -> Path:
    """Trains as `config` says, resuming where `output` has a checkpoint.

    Args:
        config: a recipe, such as configs/nano/pretrain.yaml.
        output: a folder for checkpoint.pt, metrics.jsonl, curves.png and hf/ (the model).
        stop_at: stop after this step, saved, as if interrupted there.

    Returns:
        The Hugging Face directory of the latest weights.
    """
    recipe = read_recipe(config)
    output.mkdir(parents=True, exist_ok=True)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    tokenizer_dir = output / "tokenizer"
    tokenizer_file = tokenizer_dir / "tokenizer.json"
    if not tokenizer_file.exists():
        make_tokenizer(tokenizer_dir, recipe.seed, recipe.tokenizer_records)
    tokenizer = AutoTokenizer.from_pretrained(str(tokenizer_dir))
    model = build_model(recipe, spaced_pairs(tokenizer.backend_tokenizer)).to(device)
    optimizers = make_optimizers(model, recipe)
    progress = restore(output, model, optimizers)
    objective = Objective(model, recipe, device)
    held_out = held_out_batches(recipe, tokenizer_file)
    last = min(recipe.steps, stop_at or recipe.steps)
    saved_at = time.monotonic()

    with (
        _interruptible() as interrupted,
        _metrics(output / "metrics.jsonl") as note,
        _batches(recipe, tokenizer_file, progress.step) as batches,
    ):
        parameters = sum(p.numel() for p in model.parameters())
        note({"step": progress.step, "start": asdict(recipe), "parameters": parameters})
        window = _Window(progress)
        while progress.step < last and not interrupted:
            began = time.monotonic()
            batch = next(batches)
            window.waited += time.monotonic() - began
            factor = rate_factor(progress.step, recipe)
            int4 = progress.step >= recipe.steps * (1 - recipe.int4)
            window.losses.append(_step(objective, optimizers, recipe, batch, factor, int4))
            progress.step += 1
            progress.tokens += int((batch.branches < 255).sum())
            progress.seconds += time.monotonic() - began
            if progress.step % NOTE_EVERY == 0:
                note({**window.summary(progress), "rate": round(factor, 4), "int4": int4})
                window = _Window(progress)
            if progress.step % recipe.evaluate_every == 0 or progress.step == recipe.steps:
                with quantized(model, int4):
                    note({"step": progress.step, **objective.accuracy(held_out)})
                window = _Window(progress)
            if time.monotonic() - saved_at > recipe.save_minutes * 60:
                save(output, model, optimizers, progress)
                saved_at = time.monotonic()
    save(output, model, optimizers, progress)
    plot_curves(output)
    return write_snapshot(output, model, tokenizer)


def _step(
    objective: Objective,
    optimizers: list[torch.optim.Optimizer],
    recipe: Recipe,
    batch: bt.Batch,
    factor: float,
    int4: bool,
) -> float:
    """One step at `factor` times the recipe's rates; its loss."""
    for optimizer, rate in zip(optimizers, (recipe.muon_rate, recipe.adam_rate), strict=True):
        for group in optimizer.param_groups:
            group["lr"] = rate * factor
    with quantized(objective.model, int4):
        loss = objective.loss(batch)
        loss.backward()
    torch.nn.utils.clip_grad_norm_(objective.model.parameters(), 1.0)
    for optimizer in optimizers:
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return loss.item()


class _Window:
    """What happened since the last line of metrics."""

    def __init__(self, progress: Progress) -> None:
        self.began, self.tokens = time.monotonic(), progress.tokens
        self.losses: list[float] = []
        self.waited = 0.0

    def summary(self, progress: Progress) -> dict[str, Any]:
        """Mean loss, tokens a second and seconds spent waiting for data."""
        seconds = time.monotonic() - self.began
        return {
            "step": progress.step,
            "loss": round(sum(self.losses) / len(self.losses), 4),
            "tokens": progress.tokens,
            "tokens_per_s": round((progress.tokens - self.tokens) / seconds),
            "waited_s": round(self.waited, 2),
            "seconds": round(progress.seconds),
        }


@contextmanager
def _interruptible() -> Iterator[list[int]]:
    """A list that is empty until the process is asked to stop; handlers are put back afterwards."""
    asked: list[int] = []
    names = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(name, lambda number, _: asked.append(number)) for name in names]
    try:
        yield asked
    finally:
        for name, handler in zip(names, before, strict=True):
            signal.signal(name, handler)


@contextmanager
def _metrics(path: Path) -> Iterator[Any]:
    """A function that appends a row to `path` and prints it."""
    with path.open("a", encoding="utf-8") as file:

        def note(row: dict[str, Any]) -> None:
            file.write(json.dumps(row) + "\n")
            file.flush()
            print(row, flush=True)

        yield note


@contextmanager
def _batches(recipe: Recipe, tokenizer: Path, first: int) -> Iterator[Iterator[bt.Batch]]:
    """The batches of step `first` and of all that follow, made by a process of its own."""
    context = mp.get_context("spawn")
    queue = context.Queue(maxsize=2)
    worker = context.Process(
        target=bt.keep_making, daemon=True, args=(recipe, tokenizer, first, queue)
    )
    worker.start()

    def unpack() -> Iterator[bt.Batch]:
        skipped = first % recipe.chunk
        while True:
            yield from queue.get()[skipped:]
            skipped = 0

    try:
        yield unpack()
    finally:
        worker.terminate()
        worker.join()
