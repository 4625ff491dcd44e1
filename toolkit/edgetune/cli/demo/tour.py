"""The demo's way: data, train, export, verify, eval, profile and run, each told in plain words.

Only joins the verbs together; whatever it prints comes from the run it has just made.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from edgetune.cli import profile as profile_view
from edgetune.cli import train as train_view
from edgetune.cli import verify as verify_view
from edgetune.config import read_config
from edgetune.data.records import Example, read_records
from edgetune.evaluate.evaluate import EvalResult, evaluate, request_text
from edgetune.evaluate.report import is_report, write_report
from edgetune.evaluate.system import open_system
from edgetune.evaluate.table import result_view, systems_view
from edgetune.recipes import find_recipe, list_recipes
from edgetune.train.reopen import OtherRun
from edgetune.train.run import train
from edgetune_export.bundle import write_bundle
from edgetune_export.progress import console
from edgetune_export.run import open_run
from edgetune_export.run_record import RUN
from edgetune_export.verify.ladder import climb
from edgetune_runtime.bundle import DIGEST, MANIFEST
from edgetune_runtime.calls import RESPOND
from edgetune_runtime.errors import InputError, unknown
from edgetune_runtime.files import require_own_directory, require_replaceable
from edgetune_runtime.options import Options, System

RECIPE = "phone_actions"
"""Of the base's folder of recipes."""
SYSTEMS: tuple[System, ...] = ("base", "monolithic", "decoupled")
SHOWN_CALLS = 6
EDGETUNE = Path(sys.executable).with_name("edgetune")
"""The command line of this very installation."""


def run_tour(
    output: Path, base: str = "nano", *, fresh: bool = False, force: bool = False
) -> dict[str, Any]:
    """Run the whole way on `base` into `output` (`run/`, `bundle/`, `report.html`); the figures as
    JSON.

    A demo that was stopped goes on where it stopped. Raises InputError for a base that has no such
    recipe, where `output` holds another run, or something else in the place of one of the three;
    `force` replaces another report.
    """
    start = time.monotonic()
    shown = [each.name.removesuffix(f"/{RECIPE}") for each in list_recipes() if RECIPE in each.name]
    if base not in shown:
        raise unknown("--base", base, shown)
    run_path, bundle_path = output / "run", output / "bundle"
    report_path = output / "report.html"
    require_own_directory(run_path, (RUN,), "training run")
    require_own_directory(bundle_path, (MANIFEST, DIGEST), "bundle")
    require_replaceable(report_path, is_report, force=force)
    if fresh:
        _remove(output)

    _say(
        1,
        "Data and training",
        "A generator writes requests for twelve phone tools, with phrasings and values held back "
        "for the test. One adapter learns to select the tool, one for each tool learns to write "
        "its arguments; a single adapter that learns both at once is the baseline.",
    )
    config = read_config(find_recipe(f"{base}/{RECIPE}").path)
    try:
        summary = train(config, run_path).as_json()
    except OtherRun as error:
        raise InputError(
            f"{run_path}: holds another run (an earlier demo, or your own); give --fresh to remove "
            f"it with {bundle_path} and {report_path}, or choose another --output."
        ) from error
    train_view.show(summary, console)

    _say(
        2,
        "Export",
        "The int4 base becomes one ONNX graph that takes LoRA matrices as inputs; each adapter "
        "becomes a small file, each tool's JSON Schema a token automaton.",
    )
    write_bundle(open_run(run_path), bundle_path, ["onnx"])

    _say(3, "Verify", "Does the bundle do exactly what was trained?")
    verified = climb(bundle_path, "onnx")
    verify_view.show(verified, console)

    _say(
        4,
        "Evaluate",
        "The exported int4 bundle answers requests whose phrasings and values training never saw.",
    )
    results, examples = _evaluate(bundle_path, run_path / "data" / "test.jsonl")
    console.print(result_view(results[-1]))

    _say(5, "Profile", "Memory, swap times and speed on this machine.")
    measured = _profile(bundle_path)
    profile_view.show(measured, console)

    _say(6, "Run", 'What `edgetune run BUNDLE "request"` answers:')
    calls = _sample_calls(bundle_path, examples)
    for call in calls:
        request, text = escape(call["request"]), escape(call["text"])
        console.print(f"  [bold]{request}[/]\n    {text}", highlight=False)

    write_report(
        report_path,
        results,
        sizes=_sizes(bundle_path),
        profile=measured,
        curves=run_path / "curves.png",
        calls=calls,
    )
    _summary(results, measured, bundle_path)
    command = os.path.relpath(EDGETUNE)
    minutes = (time.monotonic() - start) / 60
    console.print(
        f"\nDone in {minutes:.1f} minutes. Bundle: [bold]{bundle_path}[/]  "
        f"Report: [bold]{report_path}[/]\n"
        f'Try it: {command} run {bundle_path} "wake me at 7:30 tomorrow"'
    )
    return {
        "bundle": str(bundle_path),
        "report": str(report_path),
        "seconds": round(minutes * 60, 1),
        "verify": verified.ok,
        "systems": {result.system: result.score.as_json() for result in results},
        "profile": measured,
        "calls": calls,
    }


def _remove(output: Path) -> None:
    """What an earlier demo left in `output`, and nothing else."""
    for name in ("run", "bundle"):
        shutil.rmtree(output / name, ignore_errors=True)
    (output / "report.html").unlink(missing_ok=True)


def _say(number: int, title: str, text: str) -> None:
    console.print(f"\n[bold cyan]{number}. {title}[/]\n{text}\n", highlight=False)


def _evaluate(bundle: Path, test: Path) -> tuple[list[EvalResult], list[Example]]:
    agent = open_system(bundle, "onnx")
    toolset = agent.toolset()
    records = read_records(test, toolset)
    examples = [step for record in records for step in record.steps(toolset)]
    results = [
        evaluate(agent, toolset.name, examples, options=Options(system=system))
        for system in SYSTEMS
    ]
    return results, examples


def _sample_calls(bundle: Path, examples: list[Example]) -> list[dict[str, Any]]:
    """Steps of the agent for the first example of some tools, `respond` among them."""
    agent = open_system(bundle, "onnx")
    first: dict[str, Example] = {}
    for example in examples:
        first.setdefault(example.call.tool, example)
    called = [name for name in first if name != RESPOND]
    tools = [*called[: SHOWN_CALLS - 1], RESPOND]
    calls = []
    for name in tools:
        if name in first:
            step = agent.step(first[name].turns)
            arguments = ", ".join(f"{key}={value!r}" for key, value in step.arguments.items())
            calls.append(
                {
                    "request": request_text(first[name].turns),
                    **step.as_json(),
                    "text": f"{step.tool}({arguments})  [{step.probability:.3f}]",
                }
            )
    return calls


def _sizes(bundle: Path) -> dict[str, int]:
    """Bytes of the base, then of each blob."""
    graph = sum(file.stat().st_size for file in (bundle / "onnx").glob("model.onnx*"))
    blobs = sorted((bundle / "adapters").glob("*.safetensors"))
    return {"int4 base as ONNX": graph} | {blob.stem: blob.stat().st_size for blob in blobs}


def _profile(bundle: Path) -> dict[str, Any]:
    """`edgetune profile` in a process of its own: memory is then the bundle's alone."""
    command = [str(EDGETUNE), "profile", str(bundle), "--json", "-"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    measured: dict[str, Any] = json.loads(done.stdout)
    return measured


def _summary(results: list[EvalResult], measured: dict[str, Any], bundle: Path) -> None:
    console.print()
    console.print(systems_view(results))
    graph, *blobs = _sizes(bundle).values()
    cold = [adapter["cold_swap_ms"] for adapter in measured["adapters"]]
    warm = [adapter["warm_swap_ms"] for adapter in measured["adapters"]]
    table = Table(title="Sizes and swaps", title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_row("int4 base as ONNX", f"{graph / 1e6:.2f} MB")
    table.add_row(f"each of {len(blobs)} delta blobs", f"{max(blobs) / 1e6:.2f} MB at the most")
    table.add_row("swap from disk", f"{max(cold):.1f} ms at the most")
    table.add_row("swap of a resident adapter", f"{max(warm):.2f} ms at the most")
    console.print(table)
