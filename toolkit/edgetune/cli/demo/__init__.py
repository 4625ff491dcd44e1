"""`edgetune demo`: the whole way, from tools to a verified bundle, on the embedded base.

What is shown on the way is `tour`'s.
"""

from pathlib import Path
from typing import Annotated

import typer

from edgetune.bases.table import EMBEDDED
from edgetune.cli.options import ForceOption, JsonOption, give


def demo(
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            help="Where run and bundle go [runs/demo, of another base runs/demo-NAME].",
        ),
    ] = None,
    base: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="The base: nano, or a real one, smollm2-135m, which takes an hour.",
        ),
    ] = EMBEDDED,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start over, where an earlier demo stands.")
    ] = False,
    json_target: JsonOption = None,
    force: ForceOption = False,
) -> None:
    """Teach the embedded base twelve phone tools and call them: about five minutes on two cores.

    Example: `edgetune demo --output /tmp/demo`

    Example: `edgetune demo --base smollm2-135m`
    """
    from edgetune.cli.demo.tour import run_tour

    place = output or Path("runs") / ("demo" if base == EMBEDDED else f"demo-{base}")
    result = run_tour(place, base, fresh=fresh, force=force)
    give(result, json_target, lambda: None)
    if not result["verify"]:
        raise typer.Exit(1)
