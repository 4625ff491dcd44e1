"""Options that several verbs share, and how every verb gives its result."""

import json
import sys
from collections.abc import Callable, Collection
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from edgetune_export.console import StreamConsole
from edgetune_runtime.engines import ENGINES
from edgetune_runtime.errors import unknown
from edgetune_runtime.files import write_json


def name_option(option: str, names: Collection[str], help: str) -> Any:
    """A typer option that takes one of `names`, such as the keys of a table."""

    def known(given: str) -> str:
        if given not in names:
            raise unknown(option, given, names)
        return given

    return typer.Option(
        option,
        help=f"{help} One of {', '.join(names)}.",
        metavar="NAME",
        parser=known,
        autocompletion=lambda: list(names),
    )


BundleArgument = Annotated[
    Path, typer.Argument(metavar="BUNDLE", help="A bundle made by `edgetune export`.")
]
EvaluatedArgument = Annotated[
    Path, typer.Argument(metavar="BUNDLE|RUN", help="A bundle, or a run (evaluated in torch).")
]
LimitOption = Annotated[
    int | None, typer.Option("--limit", min=1, help="Only the first so many records.")
]
JsonOption = Annotated[
    str | None,
    typer.Option("--json", metavar="FILE", help="Write the result as JSON; `-` prints it."),
]
ThreadsOption = Annotated[
    int | None, typer.Option("--threads", min=1, help="CPU threads of the engine.")
]
MaxTokensOption = Annotated[
    int, typer.Option("--max-tokens", min=8, help="The most tokens that the arguments may take.")
]
ResidentOption = Annotated[
    int | None,
    typer.Option(
        "--max-resident",
        metavar="N",
        min=1,
        help="Hold at most N adapters in memory; the one used longest ago makes room.",
    ),
]
AbstainOption = Annotated[
    float,
    typer.Option(
        "--abstain-below",
        metavar="P",
        min=0.0,
        max=1.0,
        help="Call no tool that is less probable than this: answer `respond` instead.",
    ),
]


stdout = StreamConsole()
"""Where people see results."""


def give(result: dict[str, Any], target: str | None, show: Callable[[], None]) -> None:
    """Give a verb's result: `show` it to people, or print it as JSON (`-`), or both (a file)."""
    if target == "-":
        json.dump(result, sys.stdout, ensure_ascii=False, indent=2)
        sys.stdout.write("\n")
        return
    if target is not None:
        write_json(Path(target), result)
    show()


class System(StrEnum):
    """Which adapters are used."""

    decoupled = "decoupled"
    monolithic = "monolithic"
    base = "base"


SystemOption = Annotated[
    System,
    typer.Option("--system", help="The adapters, one LoRA for all, or the untouched base."),
]


EngineOption = Annotated[
    str | None, name_option("--engine", ENGINES, "Which engine runs the base.")
]
EvaluationEngineOption = Annotated[
    str | None, name_option("--engine", (*ENGINES, "torch"), "What runs it: torch runs a run.")
]
