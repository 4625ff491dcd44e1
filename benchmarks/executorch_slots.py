"""What LoRA slots cost on ExecuTorch: lowering, decode, swaps and memory, for one quantized base.

    python benchmarks/executorch_slots.py RUN/base /tmp/slots

Lowers the base twice, without slots and with them (kept in the folder: a second call only
measures), each in a process of its own. Then one process decodes with both programs in turn and
prints medians, as ratios to the program without slots; swaps adapters 200 times; and loads 20
adapters.
"""

import argparse
import os
import sys
import time
from pathlib import Path
from statistics import median

import numpy as np
from rich.console import Console
from rich.table import Table

from edgetune_export.lowering.executorch import MAX_RANK, MODEL, export_executorch
from edgetune_export.slots import write_blob
from edgetune_export.weights.base import Base
from edgetune_runtime.adapters import read_blob
from edgetune_runtime.executorch_engine import ExecuTorchEngine
from edgetune_runtime.profile import resident_bytes
from edgetune_runtime.slots import tensor_names

CONTEXT, PREFILL, DECODE, ROUNDS = 1024, 64, 24, 9
RANKS = (1, 8, 16)


def lower(base: Base, directory: Path, slots: bool) -> None:
    """Lower `base` in a process of its own, and print its time and peak memory."""
    if (directory / MODEL).exists():
        return
    start, child = time.monotonic(), os.fork()
    if child == 0:
        export_executorch(base, directory, slots=slots, context_length=CONTEXT)
        os._exit(0)
    _, status, usage = os.wait4(child, 0)
    if status:
        sys.exit("lowering failed")
    print(
        f"lowered {'with' if slots else 'without'} slots: {time.monotonic() - start:.0f} s, "
        f"peak {usage.ru_maxrss / 2**20:.2f} GiB, "
        f"{(directory / MODEL).stat().st_size / 1e6:.1f} MB",
        flush=True,
    )


def open_program(base: Base, directory: Path, slots: bool) -> ExecuTorchEngine:
    shape = base.shape
    return ExecuTorchEngine(
        directory / MODEL,
        context_length=CONTEXT,
        kv_bytes=2 * shape.layers * CONTEXT * shape.kv_heads * shape.head_dim * 4,
        vocab_size=shape.vocab_size,
        slots=base.slots() if slots else (),
        max_rank=MAX_RANK,
    )


def adapter(base: Base, rank: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Random tensors for every slot."""
    rng = np.random.default_rng(seed)
    return {
        name: (0.02 * rng.standard_normal(shape)).astype(np.float32)
        for slot in base.slots()
        for name, shape in zip(
            tensor_names(slot.name),
            ((slot.in_features, rank), (rank, slot.out_features)),
            strict=True,
        )
    }


def decode_ms(engine: ExecuTorchEngine) -> float:
    """Milliseconds a token, after a prefill and a few tokens to warm up."""
    engine.rewind(0)
    engine.forward(list(range(5, 5 + PREFILL)))
    for token in range(5, 8):
        engine.forward([token])
    start = time.perf_counter()
    for token in range(5, 5 + DECODE):
        engine.forward([token])
    return 1000 * (time.perf_counter() - start) / DECODE


def main(base: Base, output: Path) -> None:
    for slots, name in ((False, "plain"), (True, "slots")):
        lower(base, output / name, slots)
    plain = open_program(base, output / "plain", False)
    slotted = open_program(base, output / "slots", True)
    handles = {rank: slotted.prepare(adapter(base, rank)) for rank in RANKS}
    times: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        times.setdefault("without slots", []).append(decode_ms(plain))
        for label, handle in (
            ("slots, none active", None),
            *((f"slots, rank {rank}", handle) for rank, handle in handles.items()),
        ):
            slotted.activate(handle)
            times.setdefault(label, []).append(decode_ms(slotted))
    table = Table("decode", "ms a token", "ratio")
    for label, found in times.items():
        ratios = [a / b for a, b in zip(found, times["without slots"], strict=True)]
        table.add_row(label, f"{median(found):.3f}", f"{median(ratios):.2f}")
    Console().print(table)

    first, second = handles[8], slotted.prepare(adapter(base, 8, seed=1))
    expected: dict[int, np.ndarray] = {}
    for number in range(200):
        handle = (first, second)[number % 2]
        slotted.activate(handle)
        slotted.rewind(0)
        logits = slotted.forward([5, 6, 7])
        if number == 1:
            before = resident_bytes()
        if not np.array_equal(expected.setdefault(number % 2, logits), logits):
            sys.exit(f"swap {number}: other bits than before")
    print(f"200 swaps, bit for bit: resident memory +{(resident_bytes() - before) / 1e6:.1f} MB")
    blob_file = output / "rank8.safetensors"
    write_blob(blob_file, adapter(base, 8), {})
    cold = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        slotted.activate(slotted.prepare(read_blob(blob_file)))
        cold.append(1000 * (time.perf_counter() - start))
    print(f"a swap from disk (in the page cache), rank 8: {median(cold):.1f} ms")
    before = resident_bytes()
    held = [slotted.prepare(adapter(base, 8, seed)) for seed in range(20)]
    blob = sum(tensor.nbytes for tensor in adapter(base, 8).values())
    grown = resident_bytes() - before
    print(f"{len(held)} adapters: {grown / 1e6:.1f} MB, {grown / (20 * blob):.2f} of their bytes")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("base", type=Path)
    parser.add_argument("output", type=Path)
    given = parser.parse_args()
    main(Base(given.base), given.output)
