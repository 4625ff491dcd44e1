"""Which device training runs on."""

from typing import Literal

import torch

from edgetune_runtime.errors import InputError


def best_device(wanted: Literal["auto", "cpu", "cuda"]) -> torch.device:
    """The device to train on; auto takes a GPU where there is one."""
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if wanted == "cuda" and not torch.cuda.is_available():
        raise InputError(
            "'machine.device' is cuda, but PyTorch finds no GPU here; take 'auto', or install a "
            "CUDA build of torch."
        )
    return torch.device(wanted)
