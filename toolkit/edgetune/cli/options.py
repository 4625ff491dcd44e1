"""Options that several verbs share, and how every verb gives its result.

A file that a verb is to write is looked at while its options are read: before any work is done.
"""

import json
import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from edgetune_export.console import StreamConsole
from edgetune_runtime.engines import CONTEXT_LIMIT, ENGINES, check_threads
from edgetune_runtime.errors import unknown
from edgetune_runtime.files import require_replaceable, write_json


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
ForceOption = Annotated[
    bool,
    typer.Option(
        "--force",
        is_eager=True,  # known when the options that name files are looked at
        help="Replace files that something else wrote.",
    ),
]


def file_option(ours: Callable[[Path], bool], *names: str, help: str) -> Any:
    """A typer option that names a file to write; `ours` tells one that may be replaced."""

    def replaceable(context: typer.Context, target: Path | None) -> Path | None:
        if target is not None:
            require_replaceable(target, ours, force=context.params.get("force", False))
        return target

    return typer.Option(*names, metavar="FILE", help=help, callback=replaceable)


@dataclass(frozen=True)
class JsonTarget:
    """Where `--json` puts a result."""

    place: str
    """A file, or `-` for standard output."""
    verb: str = ""
    """Whose result it is, such as `data check`; the JSON says it, too."""

    def is_ours(self, path: Path) -> bool:
        """Whether `path` is a result of the same verb."""
        try:
            found = json.loads(path.read_bytes())
        except (ValueError, RecursionError):
            return False
        return isinstance(found, dict) and found.get("verb") == self.verb


def _json_target(context: typer.Context, given: JsonTarget | None) -> JsonTarget | None:
    if given is None:
        return None
    program = context.find_root().info_name or ""
    target = replace(given, verb=context.command_path.removeprefix(program).strip())
    if target.place != "-":
        force = context.params.get("force", False)
        require_replaceable(Path(target.place), target.is_ours, force=force)
    return target


JsonOption = Annotated[
    JsonTarget | None,
    typer.Option(
        "--json",
        metavar="FILE",
        parser=JsonTarget,
        callback=_json_target,
        help="Write the result as JSON; `-` prints it.",
    ),
]


def _threads(threads: int | None) -> int | None:
    check_threads(threads)
    return threads


ThreadsOption = Annotated[
    int | None,
    typer.Option("--threads", min=1, callback=_threads, help="CPU threads of the engine."),
]
ContextOption = Annotated[
    int | None,
    typer.Option(
        "--context",
        metavar="TOKENS",
        min=16,
        help=f"How long prompt and call may be together [{CONTEXT_LIMIT}, or the base's own].",
    ),
]
SerialOption = Annotated[
    str | None,
    typer.Option(
        "--serial",
        metavar="SERIAL",
        envvar="ANDROID_SERIAL",
        help="Which phone, where several are connected; `adb devices` tells.",
    ),
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


def give(result: dict[str, Any], target: JsonTarget | None, show: Callable[[], None]) -> None:
    """Give a verb's result: `show` it to people, or print it as JSON (`-`), or both (a file)."""
    if target is not None:
        result = {"verb": target.verb, **result}
        if target.place == "-":
            json.dump(result, sys.stdout, ensure_ascii=False, indent=2)
            sys.stdout.write("\n")
            return
        write_json(Path(target.place), result)
    show()


class System(StrEnum):
    """Which adapters are used."""

    decoupled = "decoupled"
    monolithic = "monolithic"
    skill = "skill"
    base = "base"


SYSTEMS_HELP = "The adapters, one LoRA for all, the tool skill, or the untouched base."
SystemOption = Annotated[System, typer.Option("--system", help=SYSTEMS_HELP)]
OpenSystemOption = Annotated[
    Literal["base", "skill"],
    typer.Option("--system", help="The untouched base, or the base with its tool skill."),
]


EngineOption = Annotated[
    str | None, name_option("--engine", ENGINES, "Which engine runs the base.")
]
EvaluationEngineOption = Annotated[
    str | None, name_option("--engine", (*ENGINES, "torch"), "What runs it: torch runs a run.")
]
