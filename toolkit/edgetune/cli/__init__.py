"""The command line: one file a verb, each a thin layer over a typed function.

A verb imports what it needs when it runs, so that `edgetune --help` stays quick. Errors raised on
purpose, and what a file system refuses, become one sentence and exit code 2; everything else is a
bug and shows its traceback.
"""

import importlib.metadata
import logging
import signal
import sys
from types import FrameType
from typing import Annotated, Any

import typer
from rich.markup import escape

from edgetune.cli import (
    base,
    bfcl,
    chat,
    compare,
    data,
    demo,
    doctor,
    evaluate,
    export,
    golden,
    init,
    nano,
    profile,
    quantize,
    run,
    sideload,
    skill,
    targets,
    tasks,
    teach,
    tools,
    train,
    verify,
)
from edgetune.cli.options import stdout
from edgetune_export.progress import console
from edgetune_runtime.errors import EdgetuneError

# What typer raises for options and arguments that a verb does not know; it has no public name.
UsageError: Any = typer.BadParameter.__base__

# Where torchao is installed, every import of transformers or peft makes these two tell of kernels
# for other processors and of PyTorch's plans.
for chatty in ("torchao", "torch.utils._pytree"):
    logging.getLogger(chatty).setLevel(logging.ERROR)

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help=(
        "Teach a small language model your tools and put it on a phone.\n\n"
        "`edgetune demo` shows the whole way; with your own tools it is\n\n"
        "`edgetune init DIR`, `edgetune train CONFIG --output RUN`, "
        "`edgetune export RUN -o BUNDLE --target onnx`, then "
        '`verify`, `eval`, `profile`, `run BUNDLE "request"` and `sideload BUNDLE`.'
    ),
)


def _show_version(asked: bool) -> None:
    if asked:
        stdout.print(f"edgetune {importlib.metadata.version('edgetune')}", highlight=False)
        raise typer.Exit


@app.callback(no_args_is_help=True)
def _edgetune(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Show the version and exit.", is_eager=True, callback=_show_version
        ),
    ] = False,
) -> None:
    pass


app.command("demo")(demo.demo)
app.command("doctor")(doctor.doctor)
app.command("init")(init.init)
app.add_typer(tools.app, name="tools")
app.add_typer(data.app, name="data")
app.add_typer(base.app, name="base")
app.command("quantize")(quantize.quantize)
app.command("teach")(teach.teach)
app.command("train")(train.train)
app.add_typer(skill.app, name="skill")
app.add_typer(tasks.app, name="tasks")
app.command("export")(export.export)
app.command("targets")(targets.targets)
app.command("verify")(verify.verify)
app.command("eval")(evaluate.evaluate)
app.command("compare")(compare.compare)
app.command("bfcl")(bfcl.bfcl)
app.command("run")(run.run)
app.command("chat")(chat.chat)
app.command("profile")(profile.profile)
app.command("sideload")(sideload.sideload)
app.command("golden")(golden.golden)
app.add_typer(nano.app, name="nano")


def main() -> None:
    """Run the command line; the entry point that `pip` installs.

    A process that is asked to end does as after Ctrl-C: it saves or tidies away what it began.
    """
    signal.signal(signal.SIGTERM, _as_ctrl_c)
    try:
        # Not on its own, or typer would draw a box of several lines around a usage error.
        sys.exit(app(standalone_mode=False))
    except EdgetuneError as error:
        _say(str(error))
    except UsageError as error:
        if what := error.format_message().rstrip("."):  # without one it has shown the help
            verb = error.ctx.command_path if error.ctx else "edgetune"
            _say(f"{what}; `{verb} --help` shows what there is.")
    except typer.Abort:
        sys.exit(1)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("edgetune"):
            raise
        _say(
            f"this needs the package '{error.name}', which is not installed; run "
            "'pip install edgetune[all]'; `edgetune doctor` tells which extra is enough."
        )
    except OSError as error:
        where = error.filename or "the standard output"
        _say(f"{where}: cannot be read or written ({error.strerror or error}); look what it is.")
    sys.exit(2)


def _as_ctrl_c(_number: int, frame: FrameType | None) -> None:
    """Does what Ctrl-C does now, also where a shell had the process ignore that."""
    pressed = signal.getsignal(signal.SIGINT)
    if not callable(pressed):
        raise KeyboardInterrupt
    pressed(signal.SIGINT, frame)


def _say(sentence: str) -> None:
    console.print(f"[bold red]error:[/] {escape(sentence)}", soft_wrap=True, highlight=False)
