"""`edgetune profile`: load time, memory, swap times and speed of a bundle on this machine."""

from typing import Any

from rich.console import Console

from edgetune.cli.options import (
    BundleArgument,
    ContextOption,
    EngineOption,
    ForceOption,
    JsonOption,
    ThreadsOption,
    give,
    stdout,
)


def profile(
    bundle: BundleArgument,
    engine: EngineOption = None,
    threads: ThreadsOption = None,
    context: ContextOption = None,
    json_target: JsonOption = None,
    force: ForceOption = False,
) -> None:
    """Measure memory and speed, adapter by adapter.

    Example: `edgetune profile bundles/phone --engine onnx --threads 2`
    """
    from edgetune_runtime.bundle import open_bundle
    from edgetune_runtime.profile import profile as measure

    result = measure(open_bundle(bundle), engine, threads, context_length=context)
    give(result, json_target, lambda: show(result, stdout))


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
