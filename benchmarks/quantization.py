"""What int4 costs a whole system, and how much of it training on int4 gives back.

    python benchmarks/quantization.py configs/nano/snips.yaml /tmp/quantization \
        --data ../shared/data/snips/dev.jsonl --seeds 0 1 2 --json quantization.json

Trains the recipe's decoupled adapters on the float checkpoint and on its int4 base, once for each
seed (`train.seed`; the records stay the same), and evaluates them with the torch engine: on the
base that they were trained on, and those of the float base on the int4 base, too. Without --data
they are evaluated on the test records that the recipe generates. A run or a result that is there
already is used again: the same command goes on where it stopped.

The intervals are paired: both systems answer the same requests under the same seeds, and what is
resampled is the difference, over seeds and requests alike (percentile bootstrap). With three seeds
it is a rough one.
"""

import argparse
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console, Group
from rich.table import Table

from edgetune.cli.options import give
from edgetune.config import TrainConfig, read_config
from edgetune.data.records import read_records
from edgetune.evaluate.compare import read_result
from edgetune.evaluate.evaluate import evaluate
from edgetune.evaluate.intervals import RESAMPLES
from edgetune.settings import MonolithicSettings
from edgetune.train.run import train
from edgetune_export.base import Method
from edgetune_export.run import Run, open_run, run_assets
from edgetune_export.torch_engine import TorchEngine
from edgetune_runtime.agent import Agent
from edgetune_runtime.errors import InputError
from edgetune_runtime.files import sha256_file, write_json

Right = NDArray[np.bool_]
"""`[seeds, requests]`: which calls were right."""

FLOAT = "float base, adapters trained on float"
MIXED = "int4 base, adapters trained on float"
INT4 = "int4 base, adapters trained on int4"
DIFFERENCES = ((FLOAT, MIXED), (FLOAT, INT4), (MIXED, INT4))


@dataclass(frozen=True)
class Difference:
    """How many more calls, as a share, the second system has right than the first."""

    first: str
    second: str
    mean: float
    low: float
    """Lower end of the 95 % interval."""
    high: float


def variant(config: TrainConfig, checkpoint: Path, method: Method, seed: int) -> TrainConfig:
    """The recipe on `checkpoint`, made a base by `method`, without the monolithic baseline."""
    base = {"model": str(checkpoint), "quantization": method}
    return config.model_copy(
        update={
            "base": config.base.model_copy(update=base),
            "train": config.train.model_copy(update={"seed": seed}),
            "monolithic": MonolithicSettings(enabled=False),
        }
    )


def right_calls(run: Run, data: Path, limit: int | None, kept: Path) -> NDArray[np.bool_]:
    """`[requests]`: which of the calls that `data` asks for the run's decoupled adapters make, on
    the base of `run`; remembered in the file `kept`."""
    if not kept.is_file():
        (toolset,) = run.toolsets.values()
        records = read_records(data, toolset)[:limit]
        examples = [step for record in records for step in record.steps(toolset)]
        agent = Agent(run_assets(run), TorchEngine(run.base))
        write_json(kept, evaluate(agent, toolset.name, examples).as_json())
    result = read_result(kept)
    right = np.ones(result.n, dtype=np.bool_)
    right[[each.index for each in result.wrong if "call_exact_match" in each.figures]] = False
    return right


def one_seed(
    runs: Mapping[str, Path], data: Path | None, limit: int | None
) -> dict[str, NDArray[np.bool_]]:
    """By system, which calls are right; `runs` are those on the float and on the int4 base."""
    on_float, on_int4 = open_run(runs[FLOAT]), open_run(runs[INT4])
    data = data or on_float.path / "data" / "test.jsonl"
    if not data.is_file():
        raise InputError(f"{data}: is no file; give the records to evaluate on with --data.")
    # Only here, to measure what it costs, may adapters meet a base that they were not trained on:
    # `open_run` has compared both runs' hashes with their own bases, as for everyone.
    mixed = dataclasses.replace(on_float, base=on_int4.base)
    name = f"calls-{sha256_file(data)[:8]}-{limit or 'all'}.json"
    other = f"calls-on-{on_int4.base.weights_sha256[:8]}-{name.removeprefix('calls-')}"
    return {
        FLOAT: right_calls(on_float, data, limit, on_float.path / name),
        MIXED: right_calls(mixed, data, limit, on_float.path / other),
        INT4: right_calls(on_int4, data, limit, on_int4.path / name),
    }


def difference(first: str, second: str, right: Mapping[str, Right]) -> Difference:
    """The difference of two systems with its paired interval."""
    gain = right[second].astype(np.float64) - right[first]
    generator = np.random.default_rng(0)
    seeds, requests = gain.shape
    drawn = [
        gain[generator.integers(seeds, size=seeds)][:, generator.integers(requests, size=requests)]
        for _ in range(RESAMPLES)
    ]
    low, high = np.quantile([each.mean() for each in drawn], [0.025, 0.975])
    return Difference(first, second, float(gain.mean()), float(low), float(high))


def main(arguments: Sequence[str] | None = None) -> None:
    """Train what is not trained yet, evaluate, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--checkpoint", type=Path, default=Path("checkpoints/nano"))
    parser.add_argument("--method", choices=("mse", "rtn", "gptq"), default="mse")
    parser.add_argument("--data", type=Path, help="held-out records, as JSONL")
    parser.add_argument("--limit", type=int, help="evaluate on the first so many records")
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args(arguments)
    config = read_config(options.recipe)
    if config.machine.threads is not None:
        torch.set_num_threads(config.machine.threads)

    methods: dict[str, Method] = {FLOAT: "float", INT4: options.method}
    found: list[dict[str, NDArray[np.bool_]]] = []
    for seed in options.seeds:
        runs = {}
        for system, method in methods.items():
            runs[system] = options.output / f"seed-{seed}-{method}"
            train(variant(config, options.checkpoint, method, seed), runs[system])
        found.append(one_seed(runs, options.data, options.limit))
    right = {system: np.stack([each[system] for each in found]) for system in (FLOAT, MIXED, INT4)}
    result = {
        "recipe": str(options.recipe),
        "checkpoint": str(options.checkpoint),
        "method": options.method,
        "seeds": options.seeds,
        "n": right[FLOAT].shape[1],
        "call_exact_match": {system: calls.mean(1).tolist() for system, calls in right.items()},
        "differences": [
            dataclasses.asdict(difference(first, second, right)) for first, second in DIFFERENCES
        ],
    }
    give(result, options.json, lambda: show(result))


def show(result: Mapping[str, Any]) -> None:
    """Print the figures as two tables."""
    systems = Table(
        "calls exact",
        title=f"{result['recipe']}: {result['n']} requests, int4 by {result['method']}",
        title_justify="left",
    )
    for seed in result["seeds"]:
        systems.add_column(f"seed {seed}", justify="right")
    systems.add_column("mean", justify="right")
    for system, shares in result["call_exact_match"].items():
        cells = [*shares, sum(shares) / len(shares)]
        systems.add_row(system, *(f"{share:.3f}" for share in cells))
    differences = Table("difference", caption="in points, with its paired 95 % interval")
    differences.add_column("points", justify="right")
    differences.add_column("interval")
    for each in result["differences"]:
        differences.add_row(
            f"{each['second']}\n  minus {each['first']}",
            f"{100 * each['mean']:+.2f}",
            f"{100 * each['low']:+.2f} to {100 * each['high']:+.2f}",
        )
    Console().print(Group(systems, differences))


if __name__ == "__main__":
    main()
