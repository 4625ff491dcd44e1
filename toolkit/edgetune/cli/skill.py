"""`edgetune skill`: the adapter that serves tools which nobody trained."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from edgetune.cli.options import ForceOption, JsonOption, give, stdout
from edgetune_export.progress import console

app = typer.Typer(
    no_args_is_help=True,
    help="The tool skill: one LoRA that reads tools which it never saw, and calls them.",
)


@app.command("make")
def make(
    base: Annotated[
        str, typer.Argument(metavar="BASE", help="What a recipe's `base.model` may be.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="SKILL", help="Where to write it.")
    ],
    tools: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE", help="A tools.json to make requests for, beside made-up tools."
        ),
    ] = None,
    earlier: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="SKILL",
            help="Go on from this skill: a folder, or the name of a base whose skill ships.",
        ),
    ] = None,
    lessons: Annotated[
        int, typer.Option(min=1, help="Lists of tools, each with some eight requests.")
    ] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Of the lessons and the first weights.")] = 0,
    json_target: JsonOption = None,
    force: ForceOption = False,
) -> None:
    """Teach a base to read any list of tools; run the same command again to resume.

    Example: `edgetune skill make smollm2-135m -o skills/smollm2 --tools many_tools.json`

    All requests are generated. The result is a training run: try it by `edgetune bfcl SKILL
    --system skill`, let a recipe take it as its `skill`, or start adapters from it.
    """
    from edgetune.skill.make import make_skill
    from edgetune.tools.reader import read_all_tools
    from edgetune.train.interrupt import Interrupted
    from edgetune.train.start import shipped_skill

    known = [
        tool for path in tools or () for toolset in read_all_tools(path) for tool in toolset.tools
    ]
    try:
        start = None if earlier is None else shipped_skill(earlier) or Path(earlier)
        made = make_skill(base, output, lessons, seed, known, start)
    except Interrupted:
        console.print("Stopped; to resume, run the same command again", highlight=False)
        raise SystemExit(130) from None
    result = {"output": str(made.output), **made.metrics}
    give(result, json_target, lambda: _show(result, stdout))


def _show(result: dict[str, Any], shown: Console) -> None:
    dev = result["dev"]
    held_out = ""
    if dev is not None:
        held_out = f"; {dev['examples']} held-out ones: loss {dev['loss']:.4f}, exact "
        held_out += f"{dev['exact_match']:.3f}"
    shown.print(
        f"{result['output']}: {result['examples']} examples, {result['seconds'] / 60:.1f} minutes, "
        f"loss {result['train_loss']:.4f}{held_out}",
        highlight=False,
        soft_wrap=True,
    )
