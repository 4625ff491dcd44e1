"""What activated LoRA costs, and what it saves, at the same rank and steps as a plain LoRA.

    python benchmarks/activated.py configs/nano/snips_short.yaml /tmp/activated \
        --data ../shared/data/snips/dev.jsonl --seeds 0 1 2 --json activated.json

Trains the recipe's decoupled adapters as plain LoRA and as activated ones, from the opening of the
call on and from the user's last turn on, once for each seed (`train.seed`), and evaluates them with
the torch engine. With `turn` the prompt lists the tools' names, so that there is something before
the turn to share. A run or a result that is there already is used again: the same command goes on
where it stopped.
"""

from typing import Any

import numpy as np
import torch
from seeds import HeldOut, arguments, compared, show, variant

from edgetune.cli.options import give
from edgetune.config import TrainConfig, read_config
from edgetune.train.run import train
from edgetune_export.run import open_run

PLAIN = "lora"
INVOCATIONS = {"call": "alora, from the call on", "turn": "alora, from the user's turn on"}


def changes(config: TrainConfig, invocation: str | None) -> dict[str, Any]:
    """The sections of the recipe that are others with adapters of this kind."""
    if invocation is None:
        return {"adapter": config.adapter.model_copy(update={"kind": "lora"})}
    kind = {"kind": "alora", "invocation": invocation}
    changed: dict[str, Any] = {
        "adapter": config.adapter.model_copy(update=kind),
        "machine": config.machine.model_copy(update={"compile": False}),
    }
    if invocation == "turn" and config.prompt.tools == "none":
        changed["prompt"] = config.prompt.model_copy(update={"tools": "names"})
    return changed


def main() -> None:
    """Train what is not trained yet, evaluate, print the table."""
    parser = arguments(str(__doc__))
    parser.add_argument("--invocations", nargs="+", choices=INVOCATIONS, default=[*INVOCATIONS])
    options = parser.parse_args()
    config = read_config(options.recipe)
    if config.machine.threads is not None:
        torch.set_num_threads(config.machine.threads)

    held_out = HeldOut(options.data, options.limit)
    right = {}
    for invocation in (None, *options.invocations):
        found = []
        for seed in options.seeds:
            run = options.output / f"seed-{seed}-{invocation or PLAIN}"
            train(variant(config, seed, changes(config, invocation)), run)
            found.append(held_out.right_calls(open_run(run)))
        right[INVOCATIONS[invocation] if invocation else PLAIN] = np.stack(found)
    pairs = [(PLAIN, system) for system in right if system != PLAIN]
    result = {"recipe": str(options.recipe)} | compared(right, pairs, options.seeds)
    title = f"{options.recipe}: {result['n']} requests"
    give(result, options.json, lambda: show(result, title))


if __name__ == "__main__":
    main()
