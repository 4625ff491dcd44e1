"""Systems compared over several seeds: the same requests, one trained run a seed and system.

What the benchmarks that train several times share: which calls a run has right, and by how much one
system is better. The intervals are paired: both systems answer the same requests under the same
seeds, and what is resampled is the difference, over seeds and requests alike (percentile
bootstrap). With three seeds it is a rough one.
"""

import argparse
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console, Group
from rich.table import Table

from edgetune.cli.options import JsonTarget
from edgetune.config import TrainConfig
from edgetune.data.records import read_records
from edgetune.evaluate.compare import read_result
from edgetune.evaluate.evaluate import evaluate
from edgetune.evaluate.intervals import RESAMPLES
from edgetune.settings import MonolithicSettings
from edgetune_export.run import Run, run_assets
from edgetune_export.torch_engine import TorchEngine
from edgetune_runtime.agent import Agent
from edgetune_runtime.errors import InputError
from edgetune_runtime.files import sha256_file, write_json

Right = NDArray[np.bool_]
"""`[seeds, requests]`: which calls were right."""


@dataclass(frozen=True)
class Difference:
    """How many more calls, as a share, the second system has right than the first."""

    first: str
    second: str
    mean: float
    low: float
    """Lower end of the 95 % interval."""
    high: float


@dataclass(frozen=True)
class HeldOut:
    """The records that systems are measured on."""

    path: Path | None
    """A file of records; None stands for the test records that each run has generated."""
    limit: int | None
    """Only so many records."""

    def right_calls(self, run: Run, label: str = "calls") -> NDArray[np.bool_]:
        """`[requests]`: which calls the decoupled adapters of `run` make right with torch.

        The result is remembered in the run's folder under `label`.
        """
        data = self.path or run.path / "data" / "test.jsonl"
        if not data.is_file():
            raise InputError(f"{data}: is no file; give the records to evaluate on with --data.")
        kept = run.path / f"{label}-{sha256_file(data)[:8]}-{self.limit or 'all'}.json"
        if not kept.is_file():
            (toolset,) = run.toolsets.values()
            records = read_records(data, toolset)[: self.limit]
            examples = [step for record in records for step in record.steps(toolset)]
            agent = Agent(run_assets(run), TorchEngine(run.base))
            write_json(kept, evaluate(agent, toolset.name, examples).as_json())
        return np.array(read_result(kept).exact)


def arguments(about: str) -> argparse.ArgumentParser:
    """What every comparison over seeds is told; `about` is the benchmark's docstring."""
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("recipe", type=Path)
    parser.add_argument("output", type=Path, help="where runs and their results are kept")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--data", type=Path, help="held-out records, as JSONL")
    parser.add_argument("--limit", type=int, help="evaluate on the first so many records")
    parser.add_argument("--json", metavar="FILE", type=lambda place: JsonTarget(place, "benchmark"))
    return parser


def variant(config: TrainConfig, seed: int, changes: Mapping[str, Any]) -> TrainConfig:
    """The recipe with another seed and other sections, without the monolithic baseline."""
    same = {
        "train": config.train.model_copy(update={"seed": seed}),
        "monolithic": MonolithicSettings(enabled=False),
    }
    return config.model_copy(update=same | dict(changes))


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


def compared(
    right: Mapping[str, Right], pairs: Sequence[tuple[str, str]], seeds: Sequence[int]
) -> dict[str, Any]:
    """The figures of all systems as a JSON object; `pairs` are those whose difference is told."""
    return {
        "seeds": list(seeds),
        "n": next(iter(right.values())).shape[1],
        "call_exact_match": {system: calls.mean(1).tolist() for system, calls in right.items()},
        "differences": [
            dataclasses.asdict(difference(first, second, right)) for first, second in pairs
        ],
    }


def show(result: Mapping[str, Any], title: str) -> None:
    """Print what `compared` gave as two tables."""
    systems = Table("calls exact", title=title, title_justify="left")
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
