"""The README's accuracy table, from data to figures: `make accuracy`.

    python benchmarks/accuracy.py configs/smollm2-135m/snips.yaml --work runs/accuracy \\
        --data ../shared/data/snips/dev.jsonl --records 10:25 50:12 500:4 all:3 --into README.md

For each number of records a tool (and the passes over them) trains the recipe, all adapters from
the base's tool skill, exports, and asks the monolithic and the decoupled system; the bare base
and its skill are asked once. What lies in --work already is used again: the same command goes on
where it stopped. Writes the table between the marks of --into.
"""

import argparse
import json
import os
import sys
import textwrap
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from asking import ask

from edgetune.config import TrainConfig, read_config
from edgetune.evaluate.compare import compare, read_result
from edgetune.train.run import train
from edgetune.train.start import shipped_skill
from edgetune_runtime.options import System

BEGIN, END = "<!-- accuracy: written by `make accuracy` -->", "<!-- end of accuracy -->"
UNTRAINED: tuple[System, ...] = ("base", "skill")
TRAINED: tuple[System, ...] = ("monolithic", "decoupled")
NAMES = {"base": "base", "skill": "base with its tool skill"}
FIGURES = ("selection_accuracy", "arguments_exact_match", "call_exact_match")


def variant(config: TrainConfig, records: int | None, epochs: float) -> TrainConfig:
    """The recipe on so many records a tool, all where None, for so many passes, with its skill."""
    assert config.data is not None
    shipped = config.base.model if shipped_skill(config.base.model) else None
    skill = config.skill or shipped
    selector = {**config.selector.train}
    if records is not None:  # with all of them the recipe's own
        selector["epochs"] = epochs
    return config.model_copy(
        update={
            "skill": skill,
            "train": config.train.model_copy(
                update={"epochs": epochs, "evaluations": 1, "start": skill}
            ),
            "selector": config.selector.model_copy(update={"train": selector}),
            "data": config.data.model_copy(update={"per_tool": records}),
        }
    )


def results(
    run: Path, systems: Sequence[System], data: Path, limit: int | None
) -> dict[str, dict[str, Any]]:
    """What `eval` finds of each system on the run's bundle; remembered beside it."""
    found: dict[str, dict[str, Any]] = {}
    for system in systems:
        kept = run.with_name(f"{system}-{limit or 'all'}.json")
        ask(run, run.with_name("bundle"), system, data, limit, kept)
        found[system] = json.loads(kept.read_text())
    return found


def table(
    untrained: Mapping[str, Any],
    by_records: Mapping[str, Mapping[str, Any]],
    gains: Mapping[str, str],
) -> list[str]:
    """The lines of the table, in Markdown."""
    lines = [
        "| records a tool | | selection | arguments, given the tool | whole calls | gain |",
        "|---|---|---|---|---|---|",
    ]
    rows = [("none", NAMES[system], result, "") for system, result in untrained.items()]
    for records, found in by_records.items():
        rows += [
            (records, system, result, gains[records] if system == "decoupled" else "")
            for system, result in found.items()
        ]
    for records, system, result, gain in rows:
        cells = " | ".join(_share(result, name) for name in FIGURES)
        lines.append(f"| {records} | {system} | {cells} | {gain} |")
    return lines


def gain(work: Path, limit: int | None) -> str:
    """How many points the decoupled system is better by, with the interval and the chance."""
    one, other = (read_result(work / f"{system}-{limit or 'all'}.json") for system in TRAINED)
    calls = compare(one, other).as_json()["figures"]["call_exact_match"]
    points = 100 * (calls["second"] - calls["first"])
    between = f"{100 * calls['low']:+.1f} to {100 * calls['high']:+.1f}"
    return f"{points:+.1f} points ({between}; p = {calls['p']:.2g})"


def write_into(page: Path, block: str) -> None:
    """Replace what stands between the marks of `page`."""
    before, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        sys.exit(f"{page}: the lines {BEGIN!r} and {END!r} were expected; put them in.")
    page.write_text(f"{before}{BEGIN}\n\n{block}\n{END}{after}", encoding="utf-8")


def _share(result: dict[str, Any], name: str) -> str:
    low, high = result["intervals"][name]
    return f"{result[name]:.3f} ({low:.3f} to {high:.3f})"


def main() -> None:
    """Train what is not trained yet, ask, write the table."""
    parser = argparse.ArgumentParser(description="The accuracy table of the README, anew.")
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="records that were kept back")
    parser.add_argument("--work", type=Path, required=True, help="where runs and results go")
    parser.add_argument("--records", nargs="+", default=["all:3"], help="a tool, and the passes")
    parser.add_argument("--limit", type=int, help="ask the first so many alone")
    parser.add_argument("--into", type=Path, help="page that holds the marks; printed without it")
    given = parser.parse_args()
    config = read_config(given.recipe)
    by_records: dict[str, dict[str, Any]] = {}
    untrained: dict[str, Any] = {}
    gains, minutes, start = {}, {}, ""
    for wish in given.records:
        records, _, epochs = wish.partition(":")
        work = given.work / records
        count = None if records == "all" else int(records)
        varied = variant(config, count, float(epochs))
        start = "all adapters from the tool skill, " if varied.skill else ""
        train(varied, work / "run")
        once = UNTRAINED if varied.skill else UNTRAINED[:1]
        untrained = untrained or results(work / "run", once, given.data, given.limit)
        by_records[records] = results(work / "run", TRAINED, given.data, given.limit)
        gains[records] = gain(work, given.limit)
        metrics = json.loads((work / "run" / "metrics.json").read_text())["adapters"]
        minutes[records] = sum(each["seconds"] for each in metrics.values()) / 60
    asked = next(iter(untrained.values()))["n"]
    times = ", ".join(f"{each:.0f} ({records})" for records, each in minutes.items())
    about = (
        f"`{given.recipe}`, {', '.join(given.records)} (records a tool and passes over them), "
        f"{start}one seed, equal examples; {asked} requests that were kept back, exact match "
        "of every argument, int4 bundle on ONNX Runtime. In brackets: 95 % intervals "
        "(bootstrap). Gain: of decoupled over monolithic, paired. "
        f"{date.today().isoformat()}, {os.cpu_count()} processor cores; minutes of training: "
        f"{times}."
    )
    lines = [*table(untrained, by_records, gains), ""]
    block = "\n".join([*lines, *textwrap.wrap(about, 104, break_on_hyphens=False), ""])
    if given.into is None:
        print(block)
    else:
        write_into(given.into, block)


if __name__ == "__main__":
    main()
