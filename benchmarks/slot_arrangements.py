"""Which way to bind LoRA slots costs ExecuTorch least?

    python benchmarks/slot_arrangements.py smollm2-10 /tmp/arrangements
    python benchmarks/slot_arrangements.py qwen2.5-0.5b /tmp/arrangements

Lowers a random base of that shape with each arrangement (kept in the folder: a second call only
measures), two at a time, then decodes with all programs in turn in one process and prints medians
as ratios to the program without slots. `--only pairs flat` leaves the others out.

    plain    without slots
    pairs    A and B of each slot are inputs of any rank: what edgetune exports
    fixed    the same at a fixed rank
    turned   the same at a fixed rank, A and B transposed: left operands, which XNNPACK doesn't pack
    stacks   k and v, and gate and up, are one batched product each: 5 pairs a layer instead of 7
    flat     one input, a vector with everything at a fixed rank, sliced in the program
    buffers  A and B of a fixed rank are the program's own, and a second method sets them
"""

import argparse
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import torch
from large_base import SHAPE, write_checkpoint
from rich.console import Console
from rich.table import Table
from torch import nn
from torch.export import Dim

from edgetune_export.lowering.executorch import MAX_RANK, MODEL, lower_decoder, lower_traced
from edgetune_export.lowering.executorch_model import Decoder, Layer, Pair
from edgetune_export.weights.base import Base, load_base
from edgetune_runtime.files import write_bytes
from edgetune_runtime.quiet import quiet, silent
from edgetune_runtime.slots import split_slot_name

SHAPES: Mapping[str, Mapping[str, Any]] = {
    "qwen2.5-0.5b": SHAPE,
    # SmolLM2-135M's widths (its config.json on the hub), ten layers of its thirty.
    "smollm2-10": {
        **SHAPE,
        "vocab_size": 49_152,
        "hidden_size": 576,
        "intermediate_size": 1536,
        "num_hidden_layers": 10,
        "num_attention_heads": 9,
        "num_key_value_heads": 3,
    },
}
CONTEXT, PREFILL, DECODE, ROUNDS = 1024, 64, 24, 15
RANKS = (1, 8, 16)
ARRANGEMENTS = ("plain", "pairs", "fixed", "turned", "stacks", "flat", "buffers")
FIXED_RANK = 8
FIXED = ("fixed", "turned", "flat", "buffers")
"""Arrangements whose programs take one rank alone."""
STACKS = (("q_proj",), ("k_proj", "v_proj"), ("o_proj",), ("gate_proj", "up_proj"), ("down_proj",))


SAME_INPUT = (("q_proj", "k_proj", "v_proj"), ("o_proj",), ("gate_proj", "up_proj"), ("down_proj",))


class StackedLayer(Layer):
    """Slots that have the same input and output widths are multiplied in one batch."""

    def project(self, name: str, given: torch.Tensor, slots: Mapping[str, Pair]) -> torch.Tensor:
        stack = next(stack for stack in STACKS if name in stack)
        index = stack.index(name)
        if index == 0:
            inner, outer = slots[stack[0]]
            many = torch.cat([given] * len(stack)) if len(stack) > 1 else given
            self.added = torch.bmm(torch.bmm(many, inner), outer)
        result: torch.Tensor = self.projections[name](given) + self.added[index : index + 1]
        return result


class StackedDecoder(Decoder):
    """Takes a pair `[n, in, r]`, `[n, r, out]` for each of a layer's stacks."""

    def __init__(self, base: Base) -> None:
        super().__init__(base, CONTEXT)
        heads = {stack[0] for stack in STACKS}
        self.slots = [slot for slot in self.slots if slot[-1] in heads]
        for layer in self.layers:
            layer.__class__ = StackedLayer


class TurnedLayer(Layer):
    """Computes (x A B)^T as B^T (A^T x^T)."""

    def project(self, name: str, given: torch.Tensor, slots: Mapping[str, Pair]) -> torch.Tensor:
        if name in {stack[0] for stack in SAME_INPUT}:
            self.turned = given.transpose(1, 2)
        inner, outer = slots[name]
        added = torch.bmm(outer, torch.bmm(inner, self.turned))
        result: torch.Tensor = self.projections[name](given) + added.transpose(1, 2)
        return result


class TurnedDecoder(Decoder):
    """Takes a pair `[1, r, in]`, `[1, out, r]` for each slot."""

    def __init__(self, base: Base) -> None:
        super().__init__(base, CONTEXT)
        for layer in self.layers:
            layer.__class__ = TurnedLayer


class FlatDecoder(Decoder):
    """Takes all A and B of rank FIXED_RANK as one vector."""

    def __init__(self, base: Base) -> None:
        super().__init__(base, CONTEXT)
        self.shapes = [shape for pair in pair_shapes(base, FIXED_RANK) for shape in pair]

    def forward(self, ids: torch.Tensor, position: torch.Tensor, slots: Any) -> torch.Tensor:
        parts, start = [], 0
        for shape in self.shapes:
            size = shape[0] * shape[1] * shape[2]
            parts.append(slots[start : start + size].view(shape))
            start += size
        return super().forward(ids, position, list(zip(parts[::2], parts[1::2], strict=True)))


class BuffersDecoder(Decoder):
    """Keeps A and B itself."""

    def __init__(self, base: Base) -> None:
        super().__init__(base, CONTEXT)
        self.names = _register(self, base)

    def forward(self, ids: torch.Tensor, position: torch.Tensor, slots: Any) -> torch.Tensor:
        sides = [getattr(self, name) for name in self.names]
        return super().forward(ids, position, list(zip(sides[::2], sides[1::2], strict=True)))


class SetAdapter(nn.Module):
    """Writes the buffers of a BuffersDecoder."""

    def __init__(self, base: Base) -> None:
        super().__init__()
        self.names = _register(self, base)

    def forward(self, sides: list[torch.Tensor]) -> torch.Tensor:
        for name, side in zip(self.names, sides, strict=True):
            getattr(self, name).copy_(side)
        return sides[0][0, 0, :1] + 0


def _register(module: nn.Module, base: Base) -> list[str]:
    sides = [side for pair in pair_shapes(base, FIXED_RANK) for side in pair]
    names = [f"side_{number}" for number in range(len(sides))]
    for name, side in zip(names, sides, strict=True):
        module.register_buffer(name, torch.zeros(side))
    return names


def pair_shapes(base: Base, rank: int) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    return [((1, slot.in_features, rank), (1, rank, slot.out_features)) for slot in base.slots()]


def tensors(base: Base, arrangement: str, rank: int) -> Any:
    """Random ones, as the arrangement's program takes them."""
    pairs = [(0.02 * torch.randn(a), 0.02 * torch.randn(b)) for a, b in pair_shapes(base, rank)]
    if arrangement in ("plain", "buffers"):
        return []
    if arrangement == "flat":
        return torch.cat([side.flatten() for pair in pairs for side in pair])
    if arrangement in ("pairs", "fixed"):
        return pairs
    if arrangement == "turned":
        return [(a.transpose(1, 2).contiguous(), b.transpose(1, 2).contiguous()) for a, b in pairs]
    stacked = []
    for first in range(0, len(pairs), 7):
        layer = dict(
            zip(
                [split_slot_name(slot.name)[2] for slot in base.slots()[:7]],
                pairs[first : first + 7],
                strict=True,
            )
        )
        for stack in STACKS:
            sides = zip(*(layer[name] for name in stack), strict=True)
            stacked.append(tuple(torch.cat(side) for side in sides))
    return stacked


def write_program(base: Base, arrangement: str, path: Path) -> None:
    if arrangement == "buffers":
        return write_bytes(path, with_buffers(base))
    model = {"stacks": StackedDecoder, "turned": TurnedDecoder, "flat": FlatDecoder}
    decoder = model[arrangement](base) if arrangement in model else Decoder(base, CONTEXT)
    is_fixed = arrangement in FIXED
    given = tensors(base, arrangement, FIXED_RANK if is_fixed else 2)
    rank = Dim("rank", min=1, max=MAX_RANK)
    sides = ({}, {}) if is_fixed else ({2: rank}, {1: rank})
    dynamic = None if arrangement == "flat" else [sides for _ in given]
    with quiet():
        write_bytes(path, lower_decoder(decoder.eval(), given, dynamic))
    return None


def with_buffers(base: Base) -> bytes:
    """A program with the methods `forward` and `set_adapter`."""
    length = Dim("length", min=1, max=CONTEXT)
    ids, position = torch.zeros(1, 7, dtype=torch.int64), torch.tensor([3])
    with quiet(), torch.no_grad():
        forward = torch.export.export(
            BuffersDecoder(base).eval(),
            (ids, position, []),
            dynamic_shapes=({1: length}, None, []),
            strict=False,
        )
        sides = [torch.zeros(side) for pair in pair_shapes(base, FIXED_RANK) for side in pair]
        setter = torch.export.export(SetAdapter(base).eval(), (sides,), strict=False)
        return lower_traced({"forward": forward, "set_adapter": setter})


def lower_all(base: Base, directory: Path, arrangements: Sequence[str]) -> None:
    """Each in a process of its own, two at a time."""
    running: dict[int, str] = {}
    waiting = [name for name in arrangements if not (directory / name / MODEL).exists()]
    while waiting or running:
        while waiting and len(running) < 2:
            name = waiting.pop(0)
            child = os.fork()
            if child == 0:
                torch.set_num_threads(1)
                (directory / name).mkdir(parents=True, exist_ok=True)
                write_program(base, name, directory / name / MODEL)
                os._exit(0)
            running[child] = name
        child, status = os.wait()
        if status:
            sys.exit(f"lowering '{running[child]}' failed")
        print(f"lowered '{running.pop(child)}'", flush=True)


def decode_ms(method: Any, slots: Sequence[torch.Tensor]) -> float:
    """Milliseconds a token behind a prompt of PREFILL tokens."""
    method.execute([torch.arange(5, 5 + PREFILL)[None], torch.tensor([0]), *slots])
    start = time.perf_counter()
    for position in range(PREFILL, PREFILL + DECODE):
        method.execute([torch.tensor([[7]]), torch.tensor([position]), *slots])
    return 1000 * (time.perf_counter() - start) / DECODE


def check_swap(forward: Any, set_adapter: Any, base: Base) -> None:
    """Print what a swap by `set_adapter` takes, and whether it changes what `forward` gives."""
    step = [torch.tensor([[7]]), torch.tensor([0])]
    before = forward.execute(step)[0].clone()
    sides = flattened(tensors(base, "pairs", FIXED_RANK))
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        set_adapter.execute(sides)
        times.append(1000 * (time.perf_counter() - start))
    changed = not torch.equal(before, forward.execute(step)[0])
    print(f"set_adapter: {median(times):.2f} ms, {'changes' if changed else 'DOES NOT CHANGE'} it")


def flattened(given: Any) -> list[torch.Tensor]:
    return [given] if isinstance(given, torch.Tensor) else [side for pair in given for side in pair]


def main(shape: str, output: Path, threads: int, arrangements: Sequence[str]) -> None:
    directory = output / shape
    checkpoint = directory / "checkpoint"
    if not (checkpoint / "config.json").exists():
        write_checkpoint(checkpoint, SHAPES[shape])
    base = load_base(checkpoint, directory / "base")
    lower_all(base, directory, arrangements)

    import executorch.kernels.quantized  # noqa: F401 - registers operators that programs call
    from executorch.extension.pybindings import portable_lib
    from executorch.runtime import Runtime

    with silent():
        portable_lib._unsafe_reset_threadpool(threads)
    programs = {name: Runtime.get().load_program(directory / name / MODEL) for name in arrangements}
    methods = {name: program.load_method("forward") for name, program in programs.items()}
    if "buffers" in programs:
        check_swap(methods["buffers"], programs["buffers"].load_method("set_adapter"), base)
    given = {
        (name, rank): flattened(tensors(base, name, rank))
        for name in arrangements
        for rank in ((0,) if name == "plain" else (FIXED_RANK,) if name in FIXED else RANKS)
    }
    times: dict[tuple[str, int], list[float]] = {key: [] for key in given}
    for _ in range(ROUNDS):
        for (name, rank), slots in given.items():
            times[name, rank].append(decode_ms(methods[name], slots))
    table = Table("arrangement", "rank", "ms a token", "ratio", title=f"{shape}, {threads} threads")
    for (name, rank), found in times.items():
        ratios = [a / b for a, b in zip(found, times["plain", 0], strict=True)]
        table.add_row(name, str(rank), f"{median(found):.3f}", f"{median(ratios):.2f}")
    Console().print(table)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("shape", choices=list(SHAPES))
    parser.add_argument("output", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", nargs="+", choices=ARRANGEMENTS, default=ARRANGEMENTS)
    arguments = parser.parse_args()
    chosen = ("plain", *(name for name in arguments.only if name != "plain"))
    main(arguments.shape, arguments.output, arguments.threads, chosen)
