"""What int4 costs a whole system, and how much of it training on int4 gives back.

    python benchmarks/quantization.py configs/nano/snips.yaml /tmp/quantization \
        --data ../shared/data/snips/dev.jsonl --seeds 0 1 2 --json quantization.json

Trains the recipe's decoupled adapters on the float checkpoint and on its int4 base, once for each
seed (`train.seed`, by which `data.per_tool` draws the records, too), and evaluates them with the
torch engine: on the base that they were trained on, and those of the float base on the int4 base,
too. Without --data they are evaluated on the test records that the recipe generates. A base, a run
or a result that is there already is used again: the same command goes on where it stopped.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from seeds import HeldOut, arguments, compared, show, variant

from edgetune.bases.fetch import open_name
from edgetune.cli.options import give
from edgetune.config import read_config
from edgetune.train.run import train
from edgetune_export.run import open_run
from edgetune_export.weights.base import Base, load_base, open_source
from edgetune_export.weights.quantizers import DEFAULT_QUANTIZER, QUANTIZERS
from edgetune_export.weights.quantizers import FLOAT as UNQUANTIZED

FLOAT = "float base, adapters trained on float"
MIXED = "int4 base, adapters trained on float"
INT4 = "int4 base, adapters trained on int4"
DIFFERENCES = ((FLOAT, MIXED), (FLOAT, INT4), (MIXED, INT4))


def one_seed(runs: Mapping[str, Path], held_out: HeldOut) -> dict[str, NDArray[np.bool_]]:
    """By system, which calls are right; `runs` are those on the float and on the int4 base."""
    on_float, on_int4 = open_run(runs[FLOAT]), open_run(runs[INT4])
    # Only here, to measure what it costs, may adapters meet a base that they were not trained on:
    # `open_run` has compared both runs' hashes with their own bases, as for everyone.
    mixed = dataclasses.replace(on_float, base=on_int4.base)
    return {
        FLOAT: held_out.right_calls(on_float),
        MIXED: held_out.right_calls(mixed, f"calls-on-{on_int4.base.weights_sha256[:8]}"),
        INT4: held_out.right_calls(on_int4),
    }


def base_of(checkpoint: str, method: str, directory: Path) -> Base:
    """The base in `directory`, made of the checkpoint by `method` where there is none."""
    if (directory / "base.json").is_file():
        return load_base(directory)
    source = open_source(*open_name(checkpoint, None))
    return load_base(source, directory, name=checkpoint, method=method)


def main() -> None:
    """Train what is not trained yet, evaluate, print the table."""
    parser = arguments(str(__doc__))
    parser.add_argument("--checkpoint", default="checkpoints/nano", help="or a base's short name")
    parser.add_argument("--method", choices=tuple(QUANTIZERS), default=DEFAULT_QUANTIZER)
    options = parser.parse_args()
    config = read_config(options.recipe)
    if config.machine.threads is not None:
        torch.set_num_threads(config.machine.threads)

    bases = {
        system: base_of(options.checkpoint, method, options.output / f"base-{method}")
        for system, method in ((FLOAT, UNQUANTIZED), (INT4, options.method))
    }
    found: list[dict[str, NDArray[np.bool_]]] = []
    for seed in options.seeds:
        runs = {}
        for system, base in bases.items():
            runs[system] = options.output / f"seed-{seed}-{base.method}"
            given = {"model": str(base.directory), "quantization": None, "embedding_bits": None}
            changes = {"base": config.base.model_copy(update=given)}
            train(variant(config, seed, changes), runs[system])
        found.append(one_seed(runs, HeldOut(options.data, options.limit)))
    right = {system: np.stack([each[system] for each in found]) for system in (FLOAT, MIXED, INT4)}
    result = {
        "recipe": str(options.recipe),
        "checkpoint": options.checkpoint,
        "method": options.method,
    } | compared(right, DIFFERENCES, options.seeds)
    title = f"{options.recipe}: {result['n']} requests, int4 by {options.method}"
    give(result, options.json, lambda: show(result, title))


if __name__ == "__main__":
    main()
