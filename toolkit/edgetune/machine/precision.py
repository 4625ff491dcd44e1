"""In which precision matrix products run, which depends on the instructions of the device."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Literal

import torch

Precision = Literal["float32", "bfloat16"]

ROWS = 512
"""Tokens of a training step, about."""


def best_precision(
    wanted: Literal["auto", "float32", "bfloat16"], device: torch.device
) -> Precision:
    """What matrix products run in; auto takes bfloat16 where the hardware multiplies it faster.

    A processor with AMX does. Among those that have AVX-512's instructions alone, some multiply
    bfloat16 at half the speed of float32 (seen on a Xeon whose host hides AMX), so one product of
    each is timed.
    """
    if wanted != "auto":
        return wanted
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
    able = torch.cpu.get_capabilities()
    if able.get("amx_bf16"):
        return "bfloat16"
    return "bfloat16" if able.get("avx512_bf16") and _bfloat16_is_faster() else "float32"


def _bfloat16_is_faster() -> bool:
    """By one thread's own time, which other work on the machine does not change."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        clock = time.thread_time
        return product_seconds("bfloat16", 576, 1536, clock) < product_seconds(
            "float32", 576, 1536, clock
        )
    finally:
        torch.set_num_threads(threads)


def product_seconds(
    precision: Precision,
    inner: int,
    outer: int,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Of one product `[ROWS, inner] x [inner, outer]`, with as many threads as torch has."""
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    given, matrix = torch.ones(ROWS, inner, dtype=dtype), torch.ones(inner, outer, dtype=dtype)
    least = float("inf")
    for _ in range(4):
        began = clock()
        given @ matrix
        least = min(least, clock() - began)
    return least


def keep_in(model: Any, precision: Precision) -> None:
    """Keep the frozen matrices of `model`'s layers in `precision`, instead of casting them at every
    step: the same numbers. What hidden states are summed in, embedding and norms, stays float32."""
    if precision == "float32":
        return
    for layer in model.get_decoder().layers:
        for module in layer.modules():
            if isinstance(module, torch.nn.Linear):
                module.to(torch.bfloat16)


def autocast(device: torch.device, precision: Precision) -> AbstractContextManager[Any]:
    """What makes matrix products run in `precision`."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bfloat16")
