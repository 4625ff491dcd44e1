"""Pretrains `nano` from scratch on invented tools and requests: the loop.

Warm-up, constant rate, linear decay; the last part of the steps sees int4 weights. Resumes from the
checkpoint in its output folder. It knows nothing of adapters or bundles.
"""

import multiprocessing as mp
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import torch
from transformers import AutoTokenizer

from edgetune.machine.allocator import keep_freed_memory
from edgetune.nano import batches as bt
from edgetune.nano.checkpoint import restore, save, write_snapshot
from edgetune.nano.model import build_model, make_optimizers
from edgetune.nano.objective import Objective, held_out_batches
from edgetune.nano.pretraining_curves import plot_curves
from edgetune.nano.pretraining_log import Log
from edgetune.nano.recipe import Recipe, rate_factor, read_recipe
from edgetune.nano.straight_through import quantized
from edgetune.nano.tokenizer import make_tokenizer, spaced_pairs
from edgetune_export.progress import console
from edgetune_runtime.engines import check_threads
from edgetune_runtime.errors import InputError
from edgetune_runtime.files import require_own_directory


def pretrain(config: Path, output: Path) -> Path:
    """Trains as `config` says, resuming where `output` has a checkpoint.

    Args:
        config: a recipe, such as configs/nano/pretrain.yaml.
        output: a folder for checkpoint.pt, metrics.jsonl, curves.png and hf/ (the model).

    Returns:
        The Hugging Face directory of the latest weights.

    Raises InputError for a recipe that is not right, and an `output` that holds something else.
    """
    recipe = read_recipe(config)
    check_threads(recipe.threads, f"{config}: threads")
    require_own_directory(output, ("tokenizer/tokenizer.json",), "pretraining")
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{output}: cannot be made a folder ({error.strerror}); choose another --output."
        ) from error
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    keep_freed_memory()
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    tokenizer_dir = output / "tokenizer"
    tokenizer_file = tokenizer_dir / "tokenizer.json"
    if not tokenizer_file.exists():
        make_tokenizer(tokenizer_dir, recipe.seed, recipe.tokenizer_records)
    tokenizer = AutoTokenizer.from_pretrained(str(tokenizer_dir))
    model = build_model(recipe, spaced_pairs(tokenizer.backend_tokenizer)).to(device)
    optimizers = make_optimizers(model, recipe)
    done = restore(output, model, optimizers)
    objective = Objective(model, recipe, device)
    if objective.precision == "float32":
        console.print(
            "This processor has no bfloat16 instructions, in which Muon computes: steps will take "
            "many times as long as on one that has them, or on a GPU."
        )
    held_out = held_out_batches(recipe, tokenizer_file)
    saved_at = time.monotonic()

    with (
        _interruptible() as interrupted,
        Log(output, done, recipe.steps) as log,
        _batches(recipe, tokenizer_file, done.step) as batches,
    ):
        parameters = sum(p.numel() for p in model.parameters())
        log.note({"step": done.step, "start": asdict(recipe), "parameters": parameters})
        while done.step < recipe.steps and not interrupted:
            began = time.monotonic()
            batch = next(batches)
            waited = time.monotonic() - began
            factor = rate_factor(done.step, recipe)
            int4 = done.step >= recipe.steps * (1 - recipe.int4)
            loss = _step(objective, optimizers, recipe, batch, factor, int4)
            done.step += 1
            done.tokens += int((batch.branches < 255).sum())
            done.seconds += time.monotonic() - began
            log.step(done, loss, waited, rate=round(factor, 4), int4=int4)
            if done.step % recipe.evaluate_every == 0 or done.step == recipe.steps:
                with quantized(model, int4):
                    log.accuracy(done, objective.accuracy(held_out))
            if time.monotonic() - saved_at > recipe.save_minutes * 60:
                save(output, model, optimizers, done)
                saved_at = time.monotonic()
    save(output, model, optimizers, done)
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
