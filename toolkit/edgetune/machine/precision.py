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
