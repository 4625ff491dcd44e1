"""`edgetune profile`: load time, memory, swap times and speed of a bundle, here and on a phone."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.console import Console

from edgetune.cli.options import (
    BundleArgument,
    ContextOption,
    EngineOption,
    ForceOption,
    JsonOption,
    SerialOption,
    ThreadsOption,
    give,
    stdout,
)


def profile(
    bundle: BundleArgument,
    engine: EngineOption = None,
    threads: ThreadsOption = None,
    context: ContextOption = None,
    device: Annotated[
        bool,
        typer.Option("--device", help="Beside it show what the app measured on a phone."),
    ] = False,
    serial: SerialOption = None,
    json_target: JsonOption = None,
    force: ForceOption = False,
) -> None:
    """Measure memory and speed, adapter by adapter.

    Example: `edgetune profile bundles/phone --engine onnx --threads 2`
    """
    from edgetune_runtime.bundle import open_bundle
    from edgetune_runtime.profile import profile as measure

    opened = open_bundle(bundle)
    if device:  # before what takes minutes
        from edgetune.phone.adb import open_device
        from edgetune.phone.measurements import fetch_profile

        phone = fetch_profile(open_device(serial), opened.manifest)
    result = measure(opened, engine, threads, context_length=context)
    if device:
        result["phone"] = phone
    give(result, json_target, lambda: (_show_both if device else show)(result, stdout))


def show(result: dict[str, Any], console: Console) -> None:
    """Print a profile as tables."""
    from rich.table import Table

    base, decode, call = result["base"], result["decode_tokens_per_s"], result["call"]
    console.print(
        f"base: loaded in {base['load_ms']:.0f} ms, {base['rss_bytes'] / 1e6:.0f} MB resident, "
        f"KV cache {base['kv_bytes'] / 1e6:.1f} MB"
    )
    table = Table(title="Adapters", title_justify="left")
    table.add_column("adapter", overflow="fold")
    for column in ("rank", "blob kB", "resident kB", "cold swap ms", "warm swap ms"):
        table.add_column(column, justify="right")
    for adapter in result["adapters"]:
        table.add_row(
            adapter["name"],
            str(adapter["rank"]),
            f"{adapter['blob_bytes'] / 1e3:.0f}",
            f"{adapter['resident_bytes'] / 1e3:.0f}",
            f"{adapter['cold_swap_ms']:.2f}",
            f"{adapter['warm_swap_ms']:.3f}",
        )
    console.print(table)
    adapted = "" if decode["adapter"] is None else f", {decode['adapter']:.0f} with one"
    console.print(
        f"prefill {result['prefill_tokens_per_s']:.0f} tokens/s; decode {decode['base']:.0f} "
        f"tokens/s without an adapter{adapted}"
    )
    console.print(
        f"a call: {call['prefill_tokens']} tokens prefilled, {call['decode_steps']} decoded, "
        f"{call['forced_tokens']} forced by the grammar, {call['ms']:.0f} ms"
    )


def _show_both(result: dict[str, Any], console: Console) -> None:
    """Print the profile of this machine and, under `phone`, that of a phone, side by side."""
    from rich.markup import escape
    from rich.table import Table

    phone = result["phone"]
    about = phone["device"]
    name = escape(f"{about['model']}, Android {about['android']}, {about['abi']}")
    table = Table("", title=f"This machine and {name}", title_justify="left")
    for column in ("here", "phone"):
        table.add_column(column, justify="right")
    here_rows, phone_rows = (dict(_figures(each)) for each in (result, phone))
    for row, figure in here_rows.items():
        table.add_row(row, figure, phone_rows[row])
    console.print(table)

    table = Table(title="Adapters, here and on the phone", title_justify="left")
    table.add_column("adapter", overflow="fold")
    for column in ("cold swap ms", "warm swap ms", "resident kB", "PSS kB", "private dirty kB"):
        table.add_column(column, justify="right")
    there = {adapter["name"]: adapter for adapter in phone["adapters"]}
    for adapter in result["adapters"]:
        other = there.get(adapter["name"], {})
        table.add_row(
            escape(adapter["name"]),
            _pair(adapter, other, "cold_swap_ms", 1, 2),
            _pair(adapter, other, "warm_swap_ms", 1, 3),
            _pair(adapter, other, "resident_bytes", 1e3, 0),
            _number(other, "pss_bytes", 1e3, 0),
            _number(other, "private_dirty_bytes", 1e3, 0),
        )
    console.print(table)


def _pair(
    here: Mapping[str, Any], there: Mapping[str, Any], field: str, unit: float, digits: int
) -> str:
    return f"{_number(here, field, unit, digits)} / {_number(there, field, unit, digits)}"


def _number(measured: Mapping[str, Any], field: str, unit: float, digits: int) -> str:
    """A dash where it was not measured."""
    return f"{measured[field] / unit:.{digits}f}" if field in measured else "-"


def _figures(result: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Rows of the table of one profile."""
    base, decode, call = result["base"], result["decode_tokens_per_s"], result["call"]
    yield "base loaded, ms", f"{base['load_ms']:.0f}"
    yield "base resident, MB", f"{base['rss_bytes'] / 1e6:.0f}"
    yield "KV cache, MB", f"{base['kv_bytes'] / 1e6:.1f}"
    yield "prefill, tokens/s", f"{result['prefill_tokens_per_s']:.0f}"
    yield "decode, tokens/s", f"{decode['base']:.0f}"
    yield (
        "decode with an adapter, tokens/s",
        "-" if decode["adapter"] is None else f"{decode['adapter']:.0f}",
    )
    yield "a call, ms", f"{call['ms']:.0f}"
    tokens: Sequence[str] = ("prefill_tokens", "decode_steps", "forced_tokens")
    yield "of it prefilled / decoded / forced", " / ".join(str(call[each]) for each in tokens)
