"""`edgetune golden`: vectors that a runtime in another language is tested with."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from edgetune.cli.options import (
    BundleArgument,
    ContextOption,
    EngineOption,
    ForceOption,
    JsonOption,
    file_option,
    give,
    stdout,
)
from edgetune_runtime.errors import InputError


def _is_golden(path: Path) -> bool:
    try:
        about = _read(path).get("bundle")
    except InputError:
        return False
    return isinstance(about, dict) and "manifest_sha256" in about


def golden(
    bundle: BundleArgument,
    output: Annotated[
        Path | None, file_option(_is_golden, "--output", "-o", help="The vectors to write.")
    ] = None,
    check: Annotated[
        Path | None,
        typer.Option("--check", metavar="FILE", help="Instead: does this runtime do as FILE says?"),
    ] = None,
    engine: EngineOption = None,
    context: ContextOption = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the random texts and calls.")] = 0,
    json_target: JsonOption = None,
    force: ForceOption = False,
) -> None:
    """Write what any runtime must do with a bundle: tokens, prompts, masks, probabilities, steps.

    Example: `edgetune golden bundles/phone -o golden.json`, then `edgetune golden bundles/phone
    --check golden.json --engine executorch`; exit code 1 where something differs.
    """
    if (output is None) == (check is None):
        raise InputError(
            f"--output {output or '(none)'} and --check {check or '(none)'}: give one of the two."
        )
    from edgetune_export.golden import golden_text, make_golden
    from edgetune_export.golden_check import check_golden
    from edgetune_runtime.bundle import open_bundle
    from edgetune_runtime.engines import open_engine
    from edgetune_runtime.files import write_bytes

    opened = open_bundle(bundle)
    if check is not None:
        problems = check_golden(_read(check), opened, open_engine(opened, engine, None, context))
        result: dict[str, Any] = {"ok": not problems, "problems": problems}
        give(result, json_target, lambda: _show_problems(problems))
        if problems:
            raise typer.Exit(1)
        return
    assert output is not None
    made = make_golden(opened, open_engine(opened, engine, None, context), seed)
    write_bytes(output, golden_text(made).encode())
    counts = {name: len(value) for name, value in made.items() if isinstance(value, list)}
    result = {"output": str(output), "engine": made["engine"], "seed": seed, **counts}
    told = ", ".join(f"{count} {name}" for name, count in counts.items())
    give(result, json_target, lambda: stdout.print(f"{output}: {told}"))


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise InputError(
            f"{path}: cannot be read as golden vectors ({error}); give what `edgetune golden "
            "BUNDLE -o FILE` wrote."
        ) from error


def _show_problems(problems: list[str]) -> None:
    for problem in problems:
        stdout.print(problem, markup=False)
    stdout.print("[green]ok[/]" if not problems else f"[bold red]{len(problems)} differ[/]")
