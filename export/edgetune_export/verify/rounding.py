"""How far rounding activations to int8 carries a base's logits by itself, measured in torch.

Kernels that multiply by codes may round what they multiply to int8, with one scale for all of a
token or for each block of it. In a base whose activations have outliers (SmolLM2's largest is 20
times the root mean square of its token) one scale a token moves the logits by a fifth of their
spread, and a sum in another order by as much again, since a value between two codes goes either
way: such an engine gives nothing that another could give alike. How far it may be off is known all
the same, from the same rounding done here. It knows transformers' model, not the engines.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

DRAWS = 4
"""Times that the rounding is done, each as another order of summing might do it."""

NOISE = 1e-5
"""Relative noise on the embedding that makes one such time another; without rounding the logits
move by no more than ten times as much."""

BLOCK = 32
"""Features that share a scale in kernels that round in blocks: those of the weights' groups."""

Logits = NDArray[np.float32]


@dataclass(frozen=True)
class Rounding:
    """What rounding alone does to the logits of an adapter, or of the base, on its prefill."""

    logits: float
    """How far they move: the root mean square of `relative` over rows and times."""
    effect: float
    """How far the share that is found of the adapter's effect (`effect_share`) is from 1, likewise;
    1 at the most, and for what has no effect."""


class Rounder:
    """Computes with a transformers model, rounding what its linear modules multiply."""

    def __init__(self, model: Any, kind: str) -> None:
        """`kind` is of `ROUND`."""
        import torch

        self._round = ROUND[kind]
        self._linears = [m for m in model.modules() if isinstance(m, torch.nn.Linear)]
        self._embedding = model.get_input_embeddings()

    def draws(self, compute: Callable[[], Logits]) -> list[Logits]:
        """What `compute` gives `DRAWS` times. PEFT may have been put around the model: LoRA's own
        products are not rounded."""
        handles = [linear.register_forward_pre_hook(self._rounded) for linear in self._linears]
        try:
            found = []
            for seed in range(DRAWS):
                noisy = self._embedding.register_forward_hook(_Noise(seed))
                found.append(compute())
                noisy.remove()
            return found
        finally:
            for handle in handles:
                handle.remove()

    def _rounded(self, _module: Any, given: tuple[Any, ...]) -> tuple[Any, ...]:
        return (self._round(given[0]), *given[1:])


def measure(
    wanted: Logits,
    draws: Sequence[Logits],
    plain: Logits | None = None,
    plain_draws: Sequence[Logits] = (),
) -> Rounding:
    """From the logits `[rows, vocab]` without rounding and those with it; `plain` are the base's
    own, where `wanted` are an adapter's."""
    moved = np.stack([relative(draw - wanted, wanted) for draw in draws])
    effect = 1.0
    if plain is not None and (wanted != plain).any():
        shares = np.array(
            [
                effect_share(draw - plain_draw, wanted - plain)
                for draw, plain_draw in zip(draws, plain_draws, strict=True)
            ]
        )
        effect = min(1.0, _root_mean_square(shares - 1))
    return Rounding(_root_mean_square(moved), effect)


def relative(difference: Logits, wanted: Logits) -> NDArray[np.float32]:
    """`[rows]`: RMS of `difference` over the RMS of `wanted` about each row's mean."""
    centred = wanted - wanted.mean(axis=1, keepdims=True)
    size = np.sqrt(np.mean(centred**2, axis=1))
    ratio: NDArray[np.float32] = np.sqrt(np.mean(difference**2, axis=1)) / np.maximum(size, 1e-12)
    return ratio


def effect_share(found: Logits, wanted: Logits) -> float:
    """How much of an adapter's effect on the logits is found: 1 is all of it."""
    return float(np.vdot(found, wanted) / np.vdot(wanted, wanted))


def round_tokens(x: Any) -> Any:
    """`x` `[..., features]` rounded to 256 steps from each token's least to its largest value, 0
    among them: what torchao calls `int8_asym_per_token`, and XNNPACK `qd8`."""
    import torch

    low, high = x.amin(-1, keepdim=True).clamp(max=0), x.amax(-1, keepdim=True).clamp(min=0)
    step = ((high - low) / 255).clamp(min=torch.finfo(torch.float32).eps)
    zero = (-128 - (low / step).round()).clamp(-128, 127)
    return (((x / step).round() + zero).clamp(-128, 127) - zero) * step


def round_blocks(x: Any) -> Any:
    """`x` `[..., features]` rounded, each `BLOCK` of a token's features to steps of a 127th of its
    largest magnitude: what `MatMulNBits` does at `accuracy_level` 4 on x86."""
    import torch

    blocks = x.unflatten(-1, (-1, BLOCK))
    step = (blocks.abs().amax(-1, keepdim=True) / 127).clamp(min=torch.finfo(torch.float32).tiny)
    return ((blocks / step).round() * step).flatten(-2)


ROUND: Mapping[str, Callable[[Any], Any]] = {"token": round_tokens, "block": round_blocks}
"""By what shares a scale."""


class _Noise:
    """A hook that makes a module's output noisy."""

    def __init__(self, seed: int) -> None:
        import torch

        self._generator = torch.Generator().manual_seed(seed)

    def __call__(self, _module: Any, _given: Any, output: Any) -> Any:
        import torch

        return output * (1 + NOISE * torch.randn(output.shape, generator=self._generator))


def _root_mean_square(values: NDArray[np.floating]) -> float:
    return float(np.sqrt(np.mean(values.astype(np.float64) ** 2)))
