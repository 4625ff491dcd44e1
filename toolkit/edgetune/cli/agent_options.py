"""Options of the verbs that run tools, and how people see what an agent does and say yes to it."""

import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from edgetune.cli.options import name_option, stdout
from edgetune_export.progress import console

if TYPE_CHECKING:
    from edgetune.agents.loop import Ended, Event, Proposed

APPROVE = ("never", "writes", "all")

ApproveOption = Annotated[
    str | None,
    name_option(
        "--approve",
        APPROVE,
        "What needs a yes: nothing, whatever may change something [writes], or every call.",
    ),
]
PolicyOption = Annotated[
    Path | None,
    typer.Option(
        "--policy",
        metavar="FILE",
        help="YAML: `approve`, `ungrounded: ask`, `tools: {NAME: allow|ask|deny}`.",
    ),
]
TranscriptOption = Annotated[
    Path | None,
    typer.Option(
        "--transcript", metavar="FILE", help="Append all that happens, as JSONL, to this file."
    ),
]
MaxStepsOption = Annotated[
    int, typer.Option("--max-steps", min=1, help="The most calls that an answer may take.")
]
CallSecondsOption = Annotated[
    float, typer.Option("--call-seconds", min=0.1, help="How long a call may take.")
]
ResultTokensOption = Annotated[
    int,
    typer.Option("--result-tokens", min=16, help="The most of a result that the model reads."),
]


def ask_people(proposed: "Proposed") -> bool:
    """Ask on the terminal; without one the answer is no."""
    if not sys.stdin.isatty():
        return False
    if proposed.ungrounded:
        made_up = ", ".join(proposed.ungrounded)
        console.print(f"[yellow]not in the request or a result:[/] {escape(made_up)}")
    call = _visible(f"{proposed.step.tool} {_json(proposed.step.arguments)}")
    console.print(f"Run {escape(call)}? [y/N] ", end="", highlight=False, soft_wrap=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def show(events: Iterable["Event"], also: Callable[["Event"], None] | None = None) -> "Ended":
    """Show what happens as it happens; `also` sees each event. Gives the last one."""
    from edgetune.agents.loop import Ended, Observed, Proposed
    from edgetune_runtime.conversation import Words

    for event in events:
        if also is not None:
            also(event)
        match event:
            case Proposed():
                call = {"name": event.step.tool, "arguments": event.step.arguments}
                stdout.print_json(_visible(_json(call)))
                told = f"toolset {event.step.toolset}, probability {event.step.probability:.3f}"
                told += ", untrained" if event.untrained else ""
                told += f", ungrounded: {', '.join(event.ungrounded)}" if event.ungrounded else ""
                stdout.print(f"[dim]{escape(told)}[/]", highlight=False)
            case Observed():
                stdout.print(f"[dim]{escape(_visible(event.text))}[/]", highlight=False)
            case Words(piece):
                _say(_visible(piece))
            case Ended():
                if event.because == "replied":
                    _say("\n")
                else:
                    console.print(f"[yellow]{escape(event.sentence)}[/]", highlight=False)
                return event
    raise AssertionError("every answer ends")


class Collected:
    """What happened, as the JSON value of one request."""

    def __init__(self, request: str) -> None:
        self.result: dict[str, Any] = {"request": request, "steps": [], "reply": ""}

    def see(self, event: "Event") -> None:
        """Take an event in."""
        from edgetune.agents.loop import Ended, Observed, Proposed
        from edgetune_runtime.conversation import Words

        match event:
            case Proposed():
                self.result["steps"].append(event.as_json())
            case Observed(text, how, ms):
                self.result["steps"][-1] |= {"result": text, "how": how, "call_ms": ms}
            case Words(piece):
                self.result["reply"] += piece
            case Ended():
                self.result |= {"ended": event.because, "sentence": event.sentence}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _say(piece: str) -> None:
    stdout.print(piece, end="", markup=False, highlight=False, soft_wrap=True)


def _visible(text: str) -> str:
    """`text` without what would steer a terminal."""
    return "".join(each for each in text if each.isprintable() or each in "\n\t")
