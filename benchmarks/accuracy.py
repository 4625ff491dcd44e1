"""The README's accuracy table, from data to figures: `make accuracy`.

    python benchmarks/accuracy.py configs/nano/snips.yaml --data ../shared/data/snips/dev.jsonl \\
        --work runs/accuracy --into README.md

Runs the real commands: `edgetune train` (goes on with what lies in --work), `export`, `eval` of the
three systems and `compare`, and writes their table between the marks of --into, with the
seed, the date and the times.
"""

import argparse
import json
import os
import subprocess
import sys
import textwrap
import time
from datetime import date
from pathlib import Path
from typing import Any

import yaml

BEGIN, END = "<!-- accuracy: written by `make accuracy` -->", "<!-- end of accuracy -->"
SYSTEMS = ("base", "monolithic", "decoupled")
FIGURES = ("selection_accuracy", "arguments_exact_match", "call_exact_match")


def edgetune(*arguments: str | Path) -> None:
    """Run a command of the line. Ends this process where it fails."""
    command = [str(Path(sys.executable).with_name("edgetune")), *map(str, arguments)]
    status = subprocess.run(command).returncode
    if status:
        sys.exit(status)


def table(results: dict[str, Any], comparison: dict[str, Any], about: str) -> str:
    """What stands between the marks: Markdown, a trailing newline at its end."""
    lines = [
        "| | selection | arguments, given the tool | whole calls | gain | schema valid |",
        "|---|---|---|---|---|---|",
    ]
    for system in SYSTEMS:
        result = results[system]
        cells = [_share(result, name) for name in FIGURES]
        gain = result[FIGURES[-1]] - results["base"][FIGURES[-1]]
        more = "" if system == "base" else f"+{gain:.3f}"
        lines.append(f"| {system} | {' | '.join(cells)} | {more} | {result['schema_valid']:.3f} |")
    calls = comparison["figures"]["call_exact_match"]
    wrong = [round(results[s]["n"] * (1 - results[s][FIGURES[-1]])) for s in SYSTEMS[1:]]
    text = (
        "Gain: over the base. In brackets: 95 % intervals (bootstrap). Wrong calls: "
        f"{wrong[0]} monolithic, {wrong[1]} decoupled; {calls['first_alone_wrong']} of them "
        f"monolithic alone, {calls['second_alone_wrong']} decoupled alone: a difference of "
        f"{100 * (calls['second'] - calls['first']):+.1f} points ({100 * calls['low']:+.1f} to "
        f"{100 * calls['high']:+.1f}, p = {calls['p']:.2g}, paired). {about}"
    )
    lines += ["", *textwrap.wrap(text, 104, break_on_hyphens=False), ""]
    return "\n".join(lines)


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
    parser = argparse.ArgumentParser(description="The accuracy table of the README, anew.")
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="records that were kept back")
    parser.add_argument("--work", type=Path, required=True, help="where run, bundle and results go")
    parser.add_argument("--into", type=Path, help="page that holds the marks; printed without it")
    given = parser.parse_args()
    run, bundle = given.work / "run", given.work / "bundle"
    edgetune("train", given.recipe, "--output", run)
    began = time.monotonic()
    edgetune("export", run, "-o", bundle, "--target", "onnx")
    results = {}
    for system in SYSTEMS:
        file = given.work / f"{system}.json"
        edgetune("eval", bundle, "--data", given.data, "--system", system, "--json", file)
        results[system] = json.loads(file.read_text())
    compared = given.work / "compared.json"
    pair = [given.work / f"{system}.json" for system in SYSTEMS[1:]]
    edgetune("compare", *pair, "--json", compared)
    metrics = json.loads((run / "metrics.json").read_text())
    minutes = sum(adapter["seconds"] for adapter in metrics["adapters"].values()) / 60
    seed = yaml.safe_load(given.recipe.read_text())["train"].get("seed", 0)
    about = (
        f"`{given.recipe}`, seed {seed}, {results['base']['n']} requests, int4 bundle on ONNX "
        f"Runtime; {date.today().isoformat()}, {os.cpu_count()} processor cores: {minutes:.0f} "
        f"minutes of training in {metrics['precision']}, "
        f"{(time.monotonic() - began) / 60:.0f} of export and evaluation."
    )
    block = table(results, json.loads(compared.read_text()), about)
    if given.into is None:
        print(block)
    else:
        write_into(given.into, block)


if __name__ == "__main__":
    main()
