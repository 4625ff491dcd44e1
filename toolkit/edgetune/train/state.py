"""What an interrupted adapter resumes from: one safetensors file, written beside and renamed.

Weights, the optimizer's two moments and the number of the next step are all there is: the order of
examples and the dropout follow from the seed and the step. Knows no models and no recipes.
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from edgetune_runtime.errors import InputError
from edgetune_runtime.files import write_bytes

_MOMENTS = ("exp_avg", "exp_avg_sq")


@dataclass
class Progress:
    """How far an adapter has come, and what was measured on the way."""

    data_sha256: str
    """Examples that it is trained on."""
    step: int = 0
    """Steps done."""
    tokens: int = 0
    """Tokens seen, without padding."""
    seconds: float = 0.0
    """Time spent, over all sittings."""
    pending_loss: float = 0.0
    """Sum of the losses since the curve's last point."""
    curve: list[tuple[int, float, float]] = field(default_factory=list)
    """Step, mean training loss since the point before, learning rate."""
    dev_curve: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    """Step and dev metrics."""
    best_step: int | None = None
    """Step of the best evaluation so far, where the best weights are kept."""


def save_state(
    path: Path,
    progress: Progress,
    weights: dict[str, torch.nn.Parameter],
    optimizer: torch.optim.Optimizer,
    best: dict[str, torch.Tensor],
) -> None:
    """Write the state; `best` holds the best weights so far, or nothing."""
    tensors: dict[str, torch.Tensor] = {}
    for name, parameter in weights.items():
        tensors[f"weight/{name}"] = parameter.detach()
        for moment in _MOMENTS:
            if moment in optimizer.state[parameter]:
                tensors[f"{moment}/{name}"] = optimizer.state[parameter][moment]
    tensors |= {f"best/{name}": tensor for name, tensor in best.items()}
    on_cpu = {name: tensor.to("cpu").contiguous() for name, tensor in tensors.items()}
    write_bytes(path, save(on_cpu, {"progress": json.dumps(asdict(progress))}))


def load_state(
    path: Path,
    data_sha256: str,
    weights: dict[str, torch.nn.Parameter],
    optimizer: torch.optim.Optimizer,
) -> tuple[Progress, dict[str, torch.Tensor]]:
    """Put a saved state into `weights` and `optimizer`; its progress and the best weights so far.

    Raises InputError where the file is damaged or belongs to other examples.
    """
    try:
        with safe_open(path, "pt") as file:
            progress = _progress(json.loads(file.metadata()["progress"]))
            names = file.keys()
            tensors = {name: file.get_tensor(name) for name in names}
            _restore(progress, tensors, weights, optimizer)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise InputError(
            f"{path}: cannot be resumed from ({error}); remove it to train this adapter from its "
            "beginning."
        ) from error
    if progress.data_sha256 != data_sha256:
        raise InputError(
            f"{path}: belongs to other training examples than today's (the data, the tokenizer or "
            "edgetune itself have changed since); choose another --output."
        )
    best = {
        name.removeprefix("best/"): tensor
        for name, tensor in tensors.items()
        if name.startswith("best/")
    }
    return progress, best


def _restore(
    progress: Progress,
    tensors: dict[str, torch.Tensor],
    weights: dict[str, torch.nn.Parameter],
    optimizer: torch.optim.Optimizer,
) -> None:
    with torch.no_grad():
        for name, parameter in weights.items():
            parameter.copy_(tensors[f"weight/{name}"])
            if progress.step:
                optimizer.state[parameter] = {
                    "step": torch.tensor(float(progress.step), device=parameter.device),
                    **{
                        moment: tensors[f"{moment}/{name}"].to(parameter.device)
                        for moment in _MOMENTS
                    },
                }


def _progress(value: dict[str, Any]) -> Progress:
    progress = Progress(**value)
    progress.curve = [(int(step), loss, rate) for step, loss, rate in progress.curve]
    progress.dev_curve = [(int(step), metrics) for step, metrics in progress.dev_curve]
    return progress
