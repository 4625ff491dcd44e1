"""In which precision matrix products run, which depends on the instructions of the device."""

from contextlib import AbstractContextManager
from typing import Any, Literal

import torch

Precision = Literal["float32", "bfloat16"]


def best_precision(
    wanted: Literal["auto", "float32", "bfloat16"], device: torch.device
) -> Precision:
    """What matrix products run in; auto takes bfloat16 where the hardware multiplies it itself."""
    if wanted != "auto":
        return wanted
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
    able = torch.cpu.get_capabilities()
    return "bfloat16" if able.get("avx512_bf16") or able.get("amx_bf16") else "float32"


def autocast(device: torch.device, precision: Precision) -> AbstractContextManager[Any]:
    """What makes matrix products run in `precision`."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bfloat16")
