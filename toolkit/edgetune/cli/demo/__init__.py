"""`edgetune demo`: the whole way, from tools to a verified bundle, on the embedded base.

What is shown on the way is `tour`'s.
"""

from pathlib import Path
from typing import Annotated

import typer

from edgetune.cli.options import ForceOption, JsonOption, give


def demo(
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Where run and bundle go.")
    ] = Path("runs/demo"),
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start over, where an earlier demo stands.")
    ] = False,
    json_target: JsonOption = None,
    force: ForceOption = False,
) -> None:
    """Teach the embedded base twelve phone tools and call them: about five minutes on two cores.

    Example: `edgetune demo --output /tmp/demo`
    """
    from edgetune.cli.demo.tour import run_tour

    result = run_tour(output, fresh=fresh, force=force)
    give(result, json_target, lambda: None)
    if not result["verify"]:
        raise typer.Exit(1)
