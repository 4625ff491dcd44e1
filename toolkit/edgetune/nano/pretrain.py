"""Pretrains `nano` from scratch on invented tools and requests: the whole recipe.

Warm-up, constant rate, linear decay; the last part of the steps sees int4 weights. Resumes from the
checkpoint in its output folder. It knows nothing of adapters or bundles.
"""

import json
import multiprocessing as mp
import os
import shutil
import signal
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoTokenizer, PreTrainedTokenizerBase, Qwen2Config, Qwen2ForCausalLM

from edgetune.nano import batches as bt
from edgetune.nano.objective import Objective, held_out_batches
from edgetune.nano.pretraining_curves import plot_curves
from edgetune.nano.recipe import Recipe, easy_share, rate_factor, read_recipe
from edgetune.nano.straight_through import quantized
from edgetune.nano.tokenizer import VOCABULARY, make_tokenizer, spaced_pairs
from edgetune.nano.warm_start import write_induction


def build_model(recipe: Recipe, pairs: list[tuple[int, int]]) -> Qwen2ForCausalLM:
    """nano with random weights but for a circuit that copies; `pairs` as from `spaced_pairs`."""
    torch.manual_seed(recipe.seed)
    config = Qwen2Config(
        vocab_size=VOCABULARY,
        hidden_size=recipe.hidden,
        intermediate_size=recipe.intermediate,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        num_key_value_heads=recipe.kv_heads,
        max_position_embeddings=2048,
        rms_norm_eps=1e-6,
        rope_theta=10_000.0,
        tie_word_embeddings=True,
        attention_dropout=0.0,
        use_cache=False,
        bos_token_id=None,
        eos_token_id=2,
        pad_token_id=0,
    )
    config._attn_implementation = "sdpa"
    model = Qwen2ForCausalLM(config)
    write_induction(model, recipe.seed, pairs)
    return model


def _make_batches(recipe: Recipe, tokenizer: str, first: int, queue: Any) -> None:
    """The data worker: chunks of batches from the chunk of step `first` on, without end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = os.getppid()
    maker = bt.GroupMaker(Path(tokenizer))
    chunk = first // recipe.chunk
    while os.getppid() == parent:
        made = bt.make_chunk(
            maker,
            recipe.seed,
            chunk,
            recipe.chunk,
            recipe.tokens,
            easy_share(chunk * recipe.chunk, recipe),
        )
        queue.put((chunk, made))
        chunk += 1


def _optimizers(model: Qwen2ForCausalLM, recipe: Recipe) -> list[torch.optim.Optimizer]:
    hidden = [p for n, p in model.named_parameters() if p.ndim == 2 and "embed" not in n]
    rest = [p for n, p in model.named_parameters() if p.ndim != 2 or "embed" in n]
    return [
        torch.optim.Muon(
            hidden, lr=recipe.muon_rate, weight_decay=recipe.weight_decay, momentum=0.95
        ),
        torch.optim.AdamW(rest, lr=recipe.adam_rate, betas=(0.9, 0.95), weight_decay=0.0),
    ]


def _save(
    output: Path,
    model: Qwen2ForCausalLM,
    tokenizer: PreTrainedTokenizerBase,
    optimizers: list[torch.optim.Optimizer],
    state: dict[str, Any],
) -> None:
    """Checkpoint and Hugging Face snapshot, written beside and renamed."""
    beside = output / "checkpoint.pt.part"
    torch.save(
        {
            "model": model.state_dict(),
            "optimizers": [o.state_dict() for o in optimizers],
            "rng": torch.get_rng_state(),
            **state,
        },
        beside,
    )
    beside.replace(output / "checkpoint.pt")
    snapshot = output / "hf.part"
    shutil.rmtree(snapshot, ignore_errors=True)
    with torch.random.fork_rng():  # building a model draws numbers that the run would miss
        copy = Qwen2ForCausalLM(model.config)
    copy.load_state_dict(model.state_dict())
    copy.config.use_cache = True
    copy.to(torch.bfloat16).save_pretrained(str(snapshot))
    tokenizer.save_pretrained(str(snapshot))
    old = output / "hf.old"
    if (output / "hf").exists():
        (output / "hf").rename(old)
    snapshot.rename(output / "hf")
    shutil.rmtree(old, ignore_errors=True)
    plot_curves(output)


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
    if not (tokenizer_dir / "tokenizer.json").exists():
        make_tokenizer(tokenizer_dir, recipe.seed, recipe.tokenizer_records)
    tokenizer = AutoTokenizer.from_pretrained(str(tokenizer_dir))
    model = build_model(recipe, spaced_pairs(tokenizer.backend_tokenizer)).to(device)
    optimizers = _optimizers(model, recipe)
    state: dict[str, Any] = {"step": 0, "seconds": 0.0, "tokens": 0}
    if (output / "checkpoint.pt").exists():
        saved = torch.load(output / "checkpoint.pt", map_location=device, weights_only=True)
        model.load_state_dict(saved["model"])
        for optimizer, kept in zip(optimizers, saved["optimizers"], strict=True):
            optimizer.load_state_dict(kept)
        torch.set_rng_state(saved["rng"].cpu())
        state = {key: saved[key] for key in state}
    objective = Objective(model, recipe, device)
    held_out = held_out_batches(recipe, tokenizer_dir / "tokenizer.json")
    stopping: list[int] = []
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda number, _: stopping.append(number))
    context = mp.get_context("spawn")
    queue = context.Queue(maxsize=2)
    worker = context.Process(
        target=_make_batches,
        daemon=True,
        args=(recipe, str(tokenizer_dir / "tokenizer.json"), state["step"], queue),
    )
    worker.start()
    metrics = (output / "metrics.jsonl").open("a", encoding="utf-8")

    def note(row: dict[str, Any]) -> None:
        metrics.write(json.dumps(row) + "\n")
        metrics.flush()
        print(row, flush=True)

    note(
        {
            "step": state["step"],
            "start": asdict(recipe),
            "parameters": sum(p.numel() for p in model.parameters()),
        }
    )
    chunk: list[bt.Batch] = []
    number, saved_at, losses, waited, window = (
        -1,
        time.time(),
        [],
        0.0,
        [time.time(), state["tokens"]],
    )
    last = min(recipe.steps, stop_at or recipe.steps)
    while state["step"] < last and not stopping:
        began, step = time.time(), state["step"]
        while number != step // recipe.chunk:
            number, chunk = queue.get()
        waited += time.time() - began
        batch = chunk[step % recipe.chunk]
        factor = rate_factor(step, recipe)
        for optimizer, rate in zip(optimizers, (recipe.muon_rate, recipe.adam_rate), strict=True):
            for group in optimizer.param_groups:
                group["lr"] = rate * factor
        int4 = step >= recipe.steps * (1 - recipe.int4)
        with quantized(model, int4):
            loss = objective.loss(batch)
            loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())
        state["step"] = step + 1
        state["tokens"] += int((batch.branches < 255).sum())
        state["seconds"] += time.time() - began
        if state["step"] % 10 == 0:
            now = time.time()
            note(
                {
                    "step": state["step"],
                    "loss": round(float(np.mean(losses)), 4),
                    "rate": round(factor, 4),
                    "int4": int4,
                    "tokens": state["tokens"],
                    "tokens_per_s": round((state["tokens"] - window[1]) / (now - window[0])),
                    "waited_s": round(waited, 2),
                    "seconds": round(state["seconds"]),
                }
            )
            losses, waited, window = [], 0.0, [now, state["tokens"]]
        if state["step"] % recipe.evaluate_every == 0 or state["step"] == recipe.steps:
            with quantized(model, int4):
                note({"step": state["step"], **objective.accuracy(held_out)})
            window = [time.time(), state["tokens"]]
        if time.time() - saved_at > recipe.save_minutes * 60:
            _save(output, model, tokenizer, optimizers, state)
            saved_at = time.time()
    worker.terminate()
    _save(output, model, tokenizer, optimizers, state)
    metrics.close()
    return output / "hf"
