"""GPTQ (arXiv:2210.17323) on the canonical grid: weights rounded by what it does to the outputs.

The error that rounding one input's weights makes in a layer's outputs is made up for by the weights
of the inputs that are not rounded yet, as far as the inputs go together on texts of the toolset.
Libraries that do this need a GPU, or have scales of another kind (float16, with zero points): for
this grid it is written here. It knows token ids, not what they say, and nothing of files.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from edgetune_export.progress import track
from edgetune_export.weights.checkpoint import Checkpoint, build_model
from edgetune_export.weights.quantize import (
    GROUP,
    Quantized,
    bits_of,
    check_groups,
    dequantize,
    quantize,
    scales_for,
    to_codes,
)
from edgetune_export.weights.quantizers import QUANTIZERS

DAMPING = 0.01
"""Added to the Hessian's diagonal, as a share of its mean (the paper's)."""

_INPUTS = (
    ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    ("self_attn.o_proj",),
    ("mlp.gate_proj", "mlp.up_proj"),
    ("mlp.down_proj",),
)
"""Projections of a layer; those together read one input."""

_BATCH_TOKENS = 4096
"""Tokens that run through a layer at a time."""


def quantize_layers(
    checkpoint: Checkpoint,
    sequences: Sequence[NDArray[np.int32]],
    name: str,
    embedding_bits: int = 4,
    wide: Sequence[str] = (),
) -> dict[str, Quantized]:
    """The projections of all layers of `checkpoint`, by the names of their weights.

    `sequences` are token ids, each `[tokens]`. Layer by layer each projection is quantized for the
    inputs that it has behind the quantized layers before its own; those named in `wide` are rounded
    to 8 bits by themselves. The embedding counts with its codes of least squared error: an output
    of it is one row and no sum, in which errors could make up for each other. `name` is for people.
    Raises InputError as `quantize` does.
    """
    model = build_model(checkpoint.config, checkpoint.tensors())
    table = model.get_input_embeddings().weight
    done: dict[str, Quantized] = {}
    with torch.inference_mode():
        table.copy_(dequantize(quantize(table, f"{name}: the embedding", bits=embedding_bits)))
        decoder = model.get_decoder()
        flow = [_Flow(decoder, batch) for batch in _batches(sequences)]
        layers = track(decoder.layers, f"Quantizing the layers of {name}")
        for index, layer in enumerate(layers):
            for inputs, moments in zip(_INPUTS, _second_moments(flow, index, layer), strict=True):
                for projection in inputs:
                    key = f"model.layers.{index}.{projection}.weight"
                    weight = layer.get_submodule(projection).weight
                    if bits_of(key, wide) == 8:
                        done[key] = quantize(weight, f"{name}: {key}", bits=8)
                    else:
                        done[key] = gptq(weight, moments, f"{name}: {key}")
                    weight.copy_(dequantize(done[key]))
            for batch in flow:
                batch.advance(index, layer)
    return done


def gptq(weight: torch.Tensor, moments: torch.Tensor, name: str = "weight") -> Quantized:
    """Round `weight` `[out, in]` for inputs x of which `moments` `[in, in]` is the sum of x xT.

    Inputs are rounded in order, group by group. A group has the scale, among those that `mse`
    tries, with which its rounding costs least in the outputs, each row for itself. Raises
    InputError, naming the tensor, as `quantize` does.
    """
    check_groups(weight, name)
    left = weight.detach().float().clone()
    factor = _inverse_factor(moments)
    codes = torch.empty(weight.shape, dtype=torch.int8)
    scales = torch.empty((weight.shape[0], weight.shape[1] // GROUP), dtype=torch.float32)
    for index, start in enumerate(range(0, weight.shape[1], GROUP)):
        part, rest = slice(start, start + GROUP), slice(start + GROUP, None)
        tried = _candidates(left[:, part])
        rounded, errors = _round_group(left[:, part], tried, factor[part, part])
        best = errors.square().sum(-1).argmin(0)
        rows = torch.arange(len(best))
        codes[:, part] = rounded[best, rows].to(torch.int8)
        scales[:, index] = tried[best, rows]
        left[:, rest] -= errors[best, rows] @ factor[part, rest]
    return Quantized(codes, scales)


def _candidates(group: torch.Tensor) -> torch.Tensor:
    """Scales `[tried, out]` for `group` `[out, 32]`."""
    largest = group.abs().amax(-1)
    return torch.stack([scales_for(largest, divisor) for divisor in QUANTIZERS["gptq"].divisors])


def _round_group(
    group: torch.Tensor, scales: torch.Tensor, factor: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Codes and weighted errors, both `[tried, out, 32]`, of `group` `[out, 32]` for each of
    `scales` `[tried, out]`; `factor` `[32, 32]` is the inverse Hessian's for these inputs."""
    left = group.expand(len(scales), -1, -1).clone()
    codes, errors = torch.empty_like(left), torch.empty_like(left)
    for column in range(GROUP):
        codes[..., column] = to_codes(left[..., column], scales)
        error = left[..., column] - codes[..., column] * scales
        errors[..., column] = error / factor[column, column]
        left[..., column + 1 :] -= errors[..., column, None] * factor[column, column + 1 :]
    return codes, errors


def _inverse_factor(moments: torch.Tensor) -> torch.Tensor:
    """The upper Cholesky factor of the inverse of the damped Hessian."""
    hessian = moments.double().clone()
    diagonal = hessian.diagonal()
    # With inputs that are all zero nothing is known, and the weights are rounded by themselves.
    diagonal += DAMPING * diagonal.mean() if diagonal.any() else 1.0
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(hessian))
    return torch.linalg.cholesky(inverse, upper=True).float()


class _Flow:
    """One batch on its way through the layers."""

    def __init__(self, decoder: Any, ids: torch.Tensor) -> None:
        """`ids` `[batch, tokens]`. What each layer is called with beside the hidden states (masks,
        rotations) is taken from one run of the whole decoder."""
        self._calls: list[dict[str, Any]] = []

        def keep(_layer: Any, args: tuple[torch.Tensor], kwargs: dict[str, Any]) -> None:
            if not self._calls:
                self._hidden = args[0]
            self._calls.append(kwargs)

        hooks = [
            layer.register_forward_pre_hook(keep, with_kwargs=True) for layer in decoder.layers
        ]
        decoder(input_ids=ids, use_cache=False)
        for hook in hooks:
            hook.remove()

    def through(self, index: int, layer: Any) -> torch.Tensor:
        """What layer `index` makes of the batch."""
        return layer(self._hidden, **self._calls[index])

    def advance(self, index: int, layer: Any) -> None:
        """Leave layer `index` behind."""
        self._hidden = self.through(index, layer)


def _second_moments(flow: Sequence[_Flow], index: int, layer: Any) -> list[torch.Tensor]:
    """For each of `_INPUTS` the sum of x xT `[in, in]` over all such inputs x in layer `index`."""
    readers = [layer.get_submodule(projections[0]) for projections in _INPUTS]
    moments = [torch.zeros(linear.in_features, linear.in_features) for linear in readers]

    def adding_to(sums: torch.Tensor) -> Callable[[Any, tuple[torch.Tensor]], None]:
        def add(_linear: Any, args: tuple[torch.Tensor]) -> None:
            inputs = args[0].flatten(0, -2)
            sums.addmm_(inputs.T, inputs)

        return add

    hooks = [
        linear.register_forward_pre_hook(adding_to(sums))
        for linear, sums in zip(readers, moments, strict=True)
    ]
    for batch in flow:
        batch.through(index, layer)
    for hook in hooks:
        hook.remove()
    return moments


def _batches(sequences: Sequence[NDArray[np.int32]]) -> Iterator[torch.Tensor]:
    """Sequences of one length together, as `[batch, tokens]`: padding would count as input."""
    for length, same in groupby(sorted(sequences, key=len), key=len):
        stacked = torch.from_numpy(np.stack(list(same))).long()
        yield from stacked.split(max(1, _BATCH_TOKENS // length))
