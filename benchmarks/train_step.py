"""How long a training step takes beside its own matrix products, timed in the same run.

    python benchmarks/train_step.py BASE --threads 1 --tokens 1536 --length 96

BASE is a canonical base (`edgetune quantize`). A step is `train_adapter`'s own: forward, backward,
clipping and AdamW, with a LoRA on every projection (`--layers 30 15`: of that many of the upper
layers alone, one measurement each; what is below is computed once, in the first step's time). Its
products are those that it cannot do without, of the same shapes, in the same dtype and by as many
threads: each adapted projection forward and backward to its inputs, the LoRA's, the output head's
at the positions with loss, and attention's. Prints seconds, their ratio, tokens a second and
resident memory, early and late, since memory that grows ends long runs.
"""

import argparse
import json
import resource
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from edgetune.machine.allocator import keep_freed_memory
from edgetune.machine.device import best_device
from edgetune.machine.precision import Precision, best_precision, keep_in
from edgetune.settings import AdapterSettings, TrainSettings
from edgetune.train.adapter import Job, adapted, forward_pass, train_adapter
from edgetune.train.batches import collate
from edgetune.train.compiled import compile_layers
from edgetune.train.examples import AdapterData, Tokens
from edgetune_export.weights.base import Base, load_base

LEARNT = 16
"""Tokens with loss of each example."""
WARM = 3
"""Steps that are not counted."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("base", type=Path)
    parser.add_argument("--tokens", type=int, default=1536, help="of a step")
    parser.add_argument("--length", type=int, default=96, help="of an example")
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--layers", type=int, nargs="+", help="that are adapted, of the upper ones")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--precision", choices=("auto", "float32", "bfloat16"), default="auto")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    keep_freed_memory()
    precision = best_precision(given.precision, torch.device("cpu"))
    base = load_base(given.base)
    found = [
        measured(base, given, precision, layers) for layers in given.layers or [base.shape.layers]
    ]
    for key in found[0]:
        print(f"{key:<26} {'  '.join(f'{each[key]!s:>9}' for each in found)}")
    if given.json:
        given.json.write_text(json.dumps(found, indent=2) + "\n")


def measured(
    base: Base, given: argparse.Namespace, precision: Precision, layers: int
) -> dict[str, Any]:
    """Medians over the steps, and the least of the products, of the upper `layers` adapted."""
    count = max(1, given.tokens // given.length)
    job = _job(base, count, given, layers)
    model = base.model().to(best_device("cpu"))
    keep_in(model, precision)
    began = time.perf_counter()
    compiling = 0.0
    clock = _Clock()
    with tempfile.TemporaryDirectory() as place, adapted(model, job, base.name) as peft_model:
        if given.compile:
            batch = collate(job.data.train[:count])
            compile_layers(model, forward_pass(model, job, precision), batch)
            compiling = time.perf_counter() - began
        clock.last = time.perf_counter()
        train_adapter(peft_model, job, precision, Path(place) / "state", watcher=clock)
    step = statistics.median(clock.seconds[WARM:])
    products = _products(base, count, given.length, given.rank, precision, layers)
    return {
        "layers adapted": layers,
        "precision": precision,
        "threads": given.threads,
        "tokens a step": count * given.length,
        "step, s": round(step, 3),
        "products, s": round(products, 3),
        "step / products": round(step / products, 2),
        "tokens/s": round(count * given.length / step),
        "compiling, s": round(compiling, 1),
        "first step, s": round(compiling + clock.seconds[0], 1),
        "GB resident, early": clock.resident[WARM],
        "GB resident, late": clock.resident[-1],
        "GB at most": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2),
    }


class _Clock:
    """Hears of each step."""

    def __init__(self) -> None:
        self.last = 0.0
        self.seconds: list[float] = []
        self.resident: list[float] = []

    def resumed(self, steps: int, tokens: int) -> None:
        raise AssertionError("nothing to resume")

    def step(self, tokens: int, loss: float | None) -> None:
        now = time.perf_counter()
        self.seconds.append(now - self.last)
        self.last = now
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        self.resident.append(round(pages * 4096 / 1e9, 2))


def _job(base: Base, count: int, given: argparse.Namespace, layers: int) -> Job:
    rng = np.random.default_rng(0)
    steps = WARM + given.steps
    learnt = np.arange(given.length) >= given.length - LEARNT
    examples = tuple(
        Tokens(rng.integers(5, base.shape.vocab_size, given.length).astype(np.int32), learnt)
        for _ in range(count)
    )
    data = AdapterData("bench.selector", "selector", None, examples, (), 0, "", "bench")
    plan = [list(range(count))] * steps
    shape = AdapterSettings(rank=given.rank, alpha=given.rank, layers=layers)
    return Job(data, shape, TrainSettings(), plan)


def _products(
    base: Base, count: int, length: int, rank: int, precision: Precision, layers: int
) -> float:
    """Seconds of the matrix products that a step cannot do without."""
    shape, tokens = base.shape, count * length
    seconds = 0.0
    for slot in base.slots()[:7]:
        m, n = slot.in_features, slot.out_features
        # Forward and to the inputs; A and B forward, to their inputs and to themselves.
        sizes = [(tokens, m, n), (tokens, n, m)]
        sizes += [(tokens, m, rank), (tokens, rank, n), (tokens, n, rank), (tokens, rank, m)]
        sizes += [(m, tokens, rank), (rank, tokens, n)]
        seconds += sum(_timed(precision, *size) for size in sizes)
    heads = (count * shape.attention_heads,)
    # Scores and their sums, forward, and to both of each one's inputs.
    seconds += 3 * _timed(precision, length, shape.head_dim, length, batch=heads)
    seconds += 3 * _timed(precision, length, length, shape.head_dim, batch=heads)
    learnt = count * LEARNT
    head = _timed(precision, learnt, shape.hidden_size, shape.vocab_size)
    head += _timed(precision, learnt, shape.vocab_size, shape.hidden_size)
    return seconds * layers + head


def _timed(precision: Precision, m: int, k: int, n: int, batch: tuple[int, ...] = ()) -> float:
    """The least of a few products `[m, k] x [k, n]`, in seconds."""
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    a, b = torch.randn(*batch, m, k, dtype=dtype), torch.randn(*batch, k, n, dtype=dtype)
    least = float("inf")
    for _ in range(4):
        began = time.perf_counter()
        torch.matmul(a, b)
        least = min(least, time.perf_counter() - began)
    return least


if __name__ == "__main__":
    main()
