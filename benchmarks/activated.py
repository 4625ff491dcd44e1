"""What activated LoRA costs, and what it saves, at the same rank and steps as a plain LoRA.

    python benchmarks/activated.py configs/nano/snips_short.yaml /tmp/activated \
        --data ../shared/data/snips/dev.jsonl --seeds 0 1 2 --json activated.json

Trains the recipe's decoupled adapters as plain LoRA and as activated ones, from the opening of the
call on and from the user's last turn on, once for each seed (`train.seed`), and evaluates them with
the torch engine. With `turn` the prompt lists the tools' names, so that there is something before
the turn to share. A run or a result that is there already is used again: the same command goes on
where it stopped.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from seeds import HeldOut, compared, show

from edgetune.cli.options import give
from edgetune.config import TrainConfig, read_config
from edgetune.settings import MonolithicSettings
from edgetune.train.run import train
from edgetune_export.run import open_run

PLAIN = "lora"
INVOCATIONS = {"call": "alora, from the call on", "turn": "alora, from the user's turn on"}


def variant(config: TrainConfig, invocation: str | None, seed: int) -> TrainConfig:
    """The recipe with adapters of another kind, without the monolithic baseline."""
    kind = {"kind": "alora", "invocation": invocation} if invocation else {"kind": "lora"}
    changed = {
        "adapter": config.adapter.model_copy(update=kind),
        "train": config.train.model_copy(update={"seed": seed}),
        "monolithic": MonolithicSettings(enabled=False),
    }
    if invocation:
        changed["machine"] = config.machine.model_copy(update={"compile": False})
    if invocation == "turn" and config.prompt.tools == "none":
        changed["prompt"] = config.prompt.model_copy(update={"tools": "names"})
    return config.model_copy(update=changed)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train what is not trained yet, evaluate, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--invocations", nargs="+", choices=INVOCATIONS, default=[*INVOCATIONS])
    parser.add_argument("--data", type=Path, help="held-out records, as JSONL")
    parser.add_argument("--limit", type=int, help="evaluate on the first so many records")
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args(arguments)
    config = read_config(options.recipe)
    if config.machine.threads is not None:
        torch.set_num_threads(config.machine.threads)

    held_out = HeldOut(options.data, options.limit)
    right = {}
    for invocation in (None, *options.invocations):
        found = []
        for seed in options.seeds:
            run = options.output / f"seed-{seed}-{invocation or PLAIN}"
            train(variant(config, invocation, seed), run)
            found.append(held_out.right_calls(open_run(run)))
        right[INVOCATIONS[invocation] if invocation else PLAIN] = np.stack(found)
    pairs = [(PLAIN, system) for system in right if system != PLAIN]
    result = {"recipe": str(options.recipe)} | compared(right, pairs, options.seeds)
    title = f"{options.recipe}: {result['n']} requests"
    give(result, options.json, lambda: show(result, title))


if __name__ == "__main__":
    main()
