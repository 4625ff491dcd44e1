"""`edgetune compare`: is one evaluation's result really better than another's, or is it chance?"""

from pathlib import Path
from typing import Annotated

import typer

from edgetune.cli.options import ForceOption, JsonOption, give, stdout


def compare(
    first: Annotated[
        Path, typer.Argument(metavar="A.json", help="A result of `edgetune eval --json`.")
    ],
    second: Annotated[
        Path, typer.Argument(metavar="B.json", help="Another one, on the same records.")
    ],
    json_target: JsonOption = None,
    force: ForceOption = False,
) -> None:
    """Test whether two results on the same records differ by more than chance.

    Example: `edgetune compare monolithic.json decoupled.json`, after `edgetune eval bundles/phone
    --data test.jsonl --system monolithic --json monolithic.json`, and the same for `decoupled`.

    Tells how many examples each alone has wrong, how likely such counts are where neither is better
    (exact McNemar test), and the difference with its 95 % interval.
    """
    from edgetune.evaluate.compare import compare as test
    from edgetune.evaluate.compare import read_result
    from edgetune.evaluate.table import comparison_view

    results = read_result(first), read_result(second)
    found = test(*results)
    names = [f"{result.system} on {result.engine}" for result in results]
    give(found.as_json(), json_target, lambda: stdout.print(comparison_view(found, *names)))
