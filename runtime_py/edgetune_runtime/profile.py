"""What a bundle costs on this machine: load, memory, swaps, speed, and one whole call.

Measures, and knows no printing: the fields are those that `edgetune profile --json` gives.
"""

import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from edgetune_runtime.adapters import AdapterPool
from edgetune_runtime.agent import Agent
from edgetune_runtime.bundle import Bundle
from edgetune_runtime.engine import Engine
from edgetune_runtime.engines import find_target, open_engine
from edgetune_runtime.options import Options
from edgetune_runtime.prompt import User, render_prompt

_PREFILL_TOKENS = 128
_DECODE_TOKENS = 32
_REPEATS = 5
_REQUEST = "Wake me up at half past seven tomorrow and call it gym"


def profile(
    bundle: Bundle,
    engine: str | None = None,
    threads: int | None = None,
    context_length: int | None = None,
) -> dict[str, Any]:
    """Measure `bundle` on engine `engine`: times in ms, sizes in bytes, speeds in tokens/s.

    `base.rss_bytes` is what loading the base and running it once added to this process.
    `call` is one step of a request after a first one: adapters are warm and static prefixes kept.
    Speeds are medians over 128 tokens of prefill and 32 of decode behind them; `adapter` is with
    the first adapter bound, null where the bundle has none.
    """
    bundle.check_target(find_target(bundle, engine))  # what is timed is loading, not hashing
    before = resident_bytes()
    begin = time.perf_counter()
    opened = open_engine(replace(bundle, hashes=False), engine, threads, context_length)
    load_ms = _ms_since(begin)
    ids = _prompt_ids(bundle)
    opened.forward(ids[:1])
    base = {
        "load_ms": load_ms,
        "rss_bytes": max(0, resident_bytes() - before),
        "kv_bytes": opened.kv_bytes(),
    }
    prefill, decode = _speed(opened, ids)
    adapters = [_adapter(bundle, opened, name) for name in bundle.assets.adapters]
    with_adapter = None
    for name in list(bundle.assets.adapters)[:1]:
        AdapterPool(opened, bundle.assets.adapters).activate(name)
        with_adapter = _speed(opened, ids)[1]
    return {
        "base": base,
        "adapters": adapters,
        "prefill_tokens_per_s": prefill,
        "decode_tokens_per_s": {"base": decode, "adapter": with_adapter},
        "call": _call(bundle, opened),
    }


def resident_bytes() -> int:
    """Memory of this process that is in RAM; its peak so far where the system tells no more."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        import resource  # not on every system that has no /proc either

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return pages * os.sysconf("SC_PAGE_SIZE")


def _adapter(bundle: Bundle, engine: Engine, name: str) -> dict[str, Any]:
    source = bundle.assets.adapters[name]
    pool = AdapterPool(engine, bundle.assets.adapters)
    cold_ms = pool.activate(name)
    return {
        "name": name,
        "rank": source.rank,
        "blob_bytes": source.bytes,
        "cold_swap_ms": cold_ms,
        "warm_swap_ms": median(_swap_back(pool, name) for _ in range(_REPEATS)),
        "resident_bytes": pool.resident_bytes[name],
    }


def _swap_back(pool: AdapterPool, name: str) -> float:
    pool.activate(None)
    return pool.activate(name)


def _speed(engine: Engine, ids: list[int]) -> tuple[float, float]:
    """Tokens per second of prefill and of decode, with whatever adapter is bound."""

    def prefill() -> None:
        engine.rewind(0)
        engine.forward(ids)

    def decode() -> None:
        engine.rewind(len(ids))
        for token in ids[:_DECODE_TOKENS]:
            engine.forward([token])

    return (
        len(ids) / median(_seconds(prefill) for _ in range(_REPEATS)),
        len(ids[:_DECODE_TOKENS]) / median(_seconds(decode) for _ in range(_REPEATS)),
    )


def _call(bundle: Bundle, engine: Engine) -> dict[str, Any]:
    toolset = next(iter(bundle.assets.toolsets.values()))
    options = Options(system="decoupled" if toolset.selector else "base")
    agent = Agent(bundle.assets, engine)
    for _ in range(2):
        step = agent.step([User(_REQUEST)], toolset.toolset.name, options)
    return {
        key: step.timing[key] for key in ("prefill_tokens", "decode_steps", "forced_tokens", "ms")
    }


def _prompt_ids(bundle: Bundle) -> list[int]:
    """128 ids of text as the base really reads it, repeated where the prompt is shorter."""
    toolset = next(iter(bundle.assets.toolsets.values()))
    text = render_prompt(bundle.assets.pieces, toolset.prompts.base, [User(_REQUEST)])
    ids = bundle.assets.tokenizer.encode(text, add_special_tokens=False).ids
    return (ids * _PREFILL_TOKENS)[:_PREFILL_TOKENS]


def _seconds(work: Callable[[], None]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def _ms_since(begin: float) -> float:
    return 1000 * (time.perf_counter() - begin)
