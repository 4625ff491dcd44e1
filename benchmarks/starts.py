"""Decoupled adapters against one for both stages, by what they start from, with few records.

    python benchmarks/starts.py configs/smollm2-135m/snips.yaml /tmp/starts \
        --data ../shared/data/snips/dev.jsonl --records 10 50 --epochs 12 6 --limit 350 --json F

Trains the recipe on so many records a tool, for so many passes, once for each seed: from nothing,
from the tool skill, or from one adapter that saw whole calls of all tools in the first half of the
passes. Budgets are equal, the baseline's too. Then the bundles (int4, ONNX Runtime) answer the
held-out requests. What is there already is used again: the same command goes on where it stopped.
"""

import dataclasses
import itertools
from pathlib import Path
from typing import Any

import numpy as np
from asking import ask
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from seeds import Right, arguments, difference

from edgetune.bases.fetch import open_name
from edgetune.cli.options import give
from edgetune.config import TrainConfig, read_config
from edgetune.evaluate.compare import read_result
from edgetune.train.run import train
from edgetune_export.run import open_run
from edgetune_export.weights.base import load_base, open_source
from edgetune_runtime.options import System

SYSTEMS: tuple[System, ...] = ("monolithic", "decoupled")
NOTHING, SKILL, WHOLE, BOTH = "nothing", "skill", "whole calls", "skill, whole calls"


def variant(
    config: TrainConfig, seed: int, records: int, epochs: float, start: Path | str | None
) -> TrainConfig:
    """The recipe on so few records, for so many passes of every adapter."""
    assert config.data is not None
    update = {"seed": seed, "epochs": epochs, "evaluations": 1, "start": start and str(start)}
    selector = {**config.selector.train, "epochs": epochs}
    return config.model_copy(
        update={
            "train": config.train.model_copy(update=update),
            "selector": config.selector.model_copy(update={"train": selector}),
            "data": config.data.model_copy(update={"per_tool": records}),
        }
    )


def trained(
    config: TrainConfig, run: Path, seed: int, records: int, epochs: float, start: str
) -> Path:
    """The run, trained from `start` where it is not there yet."""
    begin: Path | str | None = "smollm2-135m" if start in (SKILL, BOTH) else None
    if start in (WHOLE, BOTH):
        epochs /= 2
        first = run.with_name(f"{run.name}-first")
        train(variant(config, seed, records, epochs, begin), first)
        (toolset,) = open_run(first).toolsets
        begin = first / f"adapters/{toolset}.monolithic"
    train(variant(config, seed, records, epochs, begin), run)
    return run


def right_calls(run: Path, system: System, data: Path, limit: int | None) -> NDArray[np.bool_]:
    """`[requests]`: which calls the run's bundle makes right; remembered beside the run."""
    kept = run.with_name(f"{run.name}-{system}-{limit or 'all'}.json")
    ask(run, run.with_name(f"{run.name}-bundle"), system, data, limit, kept)
    return np.array(read_result(kept).exact)


def main() -> None:
    """Train what is not trained yet, ask, print the table."""
    parser = arguments(str(__doc__))
    parser.add_argument("--records", type=int, nargs="+", default=[10, 50], help="a tool")
    parser.add_argument("--epochs", type=float, nargs="+", default=[12, 6], help="for each of them")
    parser.add_argument("--starts", nargs="+", default=[NOTHING, SKILL, WHOLE, BOTH])
    options = parser.parse_args()
    config = read_config(options.recipe)
    source = open_source(*open_name(config.base.model, None))
    base = options.output / "base"
    if not (base / "base.json").is_file():
        load_base(source, base, name=config.base.model)
    config = config.model_copy(
        update={"base": config.base.model_copy(update={"model": str(base.absolute())})}
    )
    found: dict[int, dict[str, Right]] = {}
    for records, epochs in zip(options.records, options.epochs, strict=True):
        found[records] = {}
        for start in options.starts:
            right: dict[System, list[NDArray[np.bool_]]] = {system: [] for system in SYSTEMS}
            for seed in options.seeds:
                name = f"{records}-{seed}-{start.replace(',', '').replace(' ', '-')}"
                run = trained(config, options.output / name, seed, records, epochs, start)
                for system in SYSTEMS:
                    right[system].append(right_calls(run, system, options.data, options.limit))
            for system in SYSTEMS:
                found[records][f"{system}, from {start}"] = np.stack(right[system])
            show({records: found[records]}, options.seeds)
    give(as_json(found, options.seeds), options.json, lambda: show(found, options.seeds))


def as_json(found: dict[int, dict[str, Right]], seeds: list[int]) -> dict[str, Any]:
    """The figures as a JSON value."""
    return {
        str(records): {
            "seeds": seeds,
            "call_exact_match": {name: calls.mean(1).tolist() for name, calls in right.items()},
            "differences": [
                dataclasses.asdict(difference(one, other, right))
                for one, other in itertools.pairwise(right)
                if one.startswith(SYSTEMS[0])
            ],
        }
        for records, right in found.items()
    }


def show(found: dict[int, dict[str, Right]], seeds: list[int]) -> None:
    """Print the tables: a row for each start and system, and what decoupling gains."""
    for records, right in found.items():
        count = next(iter(right.values())).shape[1]
        table = Table(title=f"{records} records a tool, {count} requests", title_justify="left")
        for title in ("calls exact", *(f"seed {seed}" for seed in seeds), "mean", "gain, points"):
            table.add_column(title)
        before = ""
        for name, calls in right.items():
            gain = ""
            if before and not name.startswith(SYSTEMS[0]):
                each = difference(before, name, right)
                gain = f"{100 * each.mean:+.1f} ({100 * each.low:+.1f} to {100 * each.high:+.1f})"
            shares = [*calls.mean(1), calls.mean()]
            table.add_row(name, *(f"{share:.3f}" for share in shares), gain)
            before = name
        Console().print(table)


if __name__ == "__main__":
    main()
