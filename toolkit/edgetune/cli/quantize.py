"""`edgetune quantize`: a float checkpoint made an int4 base, with what that costs it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgetune.cli.options import ForceOption, JsonOption, give, name_option, stdout
from edgetune_export.weights.quantizers import DEFAULT_QUANTIZER, LARGE_QUANTIZER, QUANTIZERS
from edgetune_runtime.errors import InputError

if TYPE_CHECKING:
    from edgetune.quantization import Records


_ABOUT = "; ".join(f"{name}: {quantizer.about}" for name, quantizer in QUANTIZERS.items())


def quantize(
    checkpoint: Annotated[
        str,
        typer.Argument(
            metavar="CHECKPOINT",
            help="A Hugging Face directory, a GGUF file, a hub id, or a name of `base list`.",
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="BASE", help="The base to write.")
    ],
    method: Annotated[
        str | None,
        name_option(
            "--method",
            QUANTIZERS,
            f"How weights are rounded ({_ABOUT}) [{LARGE_QUANTIZER} for over 50 million "
            f"parameters, {DEFAULT_QUANTIZER} for less].",
        ),
    ] = None,
    embedding_bits: Annotated[
        int | None,
        typer.Option(
            metavar="4|8",
            help="Of the embedding table and the output head [8 for over 50 million parameters].",
        ),
    ] = None,
    text: Annotated[
        Path | None,
        typer.Option("--text", metavar="FILE", help="A held-out text to measure perplexity on."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="FILE", help="Held-out records to measure on, as JSONL."),
    ] = None,
    tools: Annotated[
        str | None,
        typer.Option(
            "--tools",
            metavar="FILE|NAME",
            help="A tools.json or a built-in toolset [beside the data, or in its records].",
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option(min=1, help="Measure on the first so many held-out records.")
    ] = 100,
    json_target: JsonOption = None,
    force: ForceOption = False,
) -> None:
    """Quantize a float checkpoint, and measure the bare base before and after.

    The base can be a recipe's `base.model`; a recipe can also quantize by itself
    (`base.quantization`).

    Example: `edgetune quantize checkpoints/nano -o bases/nano --method gptq --text prose.txt
    --data data/mine/dev.jsonl`
    """
    if tools is not None and data is None:
        raise InputError(f"--tools {tools}: is for records; add --data, or leave it out.")
    from edgetune.quantization import quantize_checkpoint

    result = quantize_checkpoint(
        checkpoint,
        output,
        method,
        embedding_bits=embedding_bits,
        held_out=None if data is None else _records(data, tools, limit),
        text=None if text is None else _text(text),
    ).as_json()
    give(result, json_target, lambda: _show(result))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"--text {path}: is no UTF-8 text ({error.reason}).") from error


def _records(path: Path, tools: str | None, limit: int | None = None) -> "Records":
    from edgetune.data.find_tools import find_tools
    from edgetune.data.records import read_records
    from edgetune.quantization import Records

    toolset = find_tools(path, tools)
    records = read_records(path, toolset)[:limit]
    return Records(toolset, [step for record in records for step in record.steps(toolset)])


def _show(result: dict[str, Any]) -> None:
    from rich.markup import escape
    from rich.table import Table

    stdout.print(
        f"{escape(result['base'])}: int4 by {result['method']}, "
        f"weights {result['weights_sha256'][:12]}, "
        f"off by {result['weight_error']:.4f} of their root mean square"
    )
    if (text := result["text"]) is not None:
        stdout.print(
            f"perplexity of the text's {text['tokens']:,} tokens: float {text['before']:#.4g}, "
            f"int4 {text['after']:#.4g}, {text['after'] / text['before']:.3f} times as much"
        )
    if result["float"] is None:
        return
    table = Table(
        "bare base",
        caption=(
            f"perplexity of the {result['float']['tokens']} tokens of the calls, given the prompt "
            f"with all tools; {result['float']['n']} steps under constrained decoding"
        ),
        caption_justify="left",
    )
    for column in ("perplexity", "selection", "arguments", "call"):
        table.add_column(column, justify="right")
    for name in ("float", "int4"):
        figures = result[name]
        shares = (
            "-" if figures[key] is None else f"{figures[key]:.3f}"
            for key in ("selection_accuracy", "arguments_exact_match", "call_exact_match")
        )
        table.add_row(name, f"{figures['perplexity']:#.4g}", *shares)
    stdout.print(table)
