"""What Python's ExecuTorch engine answers to steps in any order, for Kotlin's to be held to.

The program is one of arithmetic, the same on both sides, which keeps K/V by position as a `.pte`
does: no ExecuTorch is needed, and every number is a whole one. `python
tests/android/executorch_steps.py` writes the table anew; its columns are a step, what it is given,
what came of it (a forward pass: the first logit; a restored snapshot: the tokens that ran again)
and the position then.
"""

import random
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch

from edgetune_runtime import executorch_engine
from edgetune_runtime.errors import ContextError
from edgetune_runtime.manifest import Slot

TABLE = Path(__file__).parents[2] / "android_demo/engine-executorch/src/test/resources/steps.tsv"
SLOTS = (
    Slot(name="layers.0.attn.q_proj", in_features=2, out_features=3),
    Slot(name="layers.0.mlp.up_proj", in_features=3, out_features=2),
)
CONTEXT, VOCABULARY, STEPS = 16, 5, 300
ADAPTERS = {"a": {0: (2, 1.0)}, "b": {0: (1, 2.0), 1: (1, 2.0)}}
"""Of each the slots that it has, by their index, with rank and the number that all of A is."""


class SumProgram:
    """A token's K/V are its id and the sums of A·B, each times the place of its slot."""

    def __init__(self) -> None:
        self.cache = [0.0] * CONTEXT

    def execute(self, inputs: list[torch.Tensor]) -> list[torch.Tensor]:
        ids, start, *halves = inputs
        sums = [float(torch.bmm(a, b).sum()) for a, b in zip(*[iter(halves)] * 2, strict=True)]
        added = sum((place + 1) * each for place, each in enumerate(sums))
        end = int(start)
        for token in ids[0].tolist():
            self.cache[end] = token + added
            end += 1
        read = sum((place + 1) * self.cache[place] for place in range(end))
        return [read + torch.arange(VOCABULARY, dtype=torch.float32).reshape(1, 1, -1)]


def blob(name: str) -> dict[str, np.ndarray]:
    tensors = {}
    for index, (rank, number) in ADAPTERS[name].items():
        slot = SLOTS[index]
        tensors[f"{slot.name}.lora_A"] = np.full((slot.in_features, rank), number, np.float32)
        tensors[f"{slot.name}.lora_B"] = np.ones((rank, slot.out_features), np.float32)
    return tensors


def as_text(seed: int = 0) -> str:
    """The table."""
    rng = random.Random(seed)
    with patch.object(executorch_engine, "_load", lambda path, threads: SumProgram()):
        engine = executorch_engine.ExecuTorchEngine(
            Path("model.pte"),
            context_length=CONTEXT,
            kv_bytes=0,
            vocab_size=VOCABULARY,
            slots=SLOTS,
            max_rank=2,
        )
    handles = {"none": None, **{name: engine.prepare(blob(name)) for name in ADAPTERS}}
    snapshots: list[tuple[int, ...]] = []
    lines = []
    for _ in range(STEPS):
        given, outcome = "", ""
        step = rng.choices(
            ("forward", "activate", "rewind", "snapshot", "restore"), (5, 2, 2, 1, 2)
        )[0]
        match step:
            case "forward":
                ids = [rng.randrange(3) for _ in range(rng.choice((1, 1, 2, 5)))]
                given = " ".join(map(str, ids))
                try:
                    outcome = str(int(engine.forward(ids)[0]))
                except ContextError:
                    outcome = "refused"
            case "activate":
                given = rng.choice(list(handles))
                engine.activate(handles[given])
            case "rewind":
                given = str(rng.randint(0, engine.position))
                engine.rewind(int(given))
            case "snapshot":
                snapshots.append(engine.snapshot())
            case "restore" if snapshots:
                index = rng.randrange(len(snapshots))
                given, outcome = str(index), str(engine.restore(snapshots[index]))
            case _:
                continue
        lines.append(f"{step}\t{given}\t{outcome}\t{engine.position}\n")
    return "".join(lines)


if __name__ == "__main__":
    TABLE.write_text(as_text())
