"""Cross-entropy over a large vocabulary, a few rows at a time, with its gradient.

torch's own writes the logits three times as large as they are: in float32, their softmax, its
gradient. With fifty thousand words that is a tenth of a small base's step on a CPU, most of it
memory. Here no more than what fits a processor's cache is in float32.
"""

from typing import Any

import torch

_ELEMENTS = 1 << 20
"""Logits at a time, on a CPU."""


def token_loss(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The mean cross-entropy, in nats, of `logits` `[tokens, vocabulary]` for `targets` `[tokens]`.

    Computed in float32; the gradient has the type of the logits.
    """
    loss: torch.Tensor = _TokenLoss.apply(logits, targets)
    return loss


class _TokenLoss(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        count, vocabulary = logits.shape
        gradient = torch.empty_like(logits)
        loss = torch.zeros((), device=logits.device)
        rows = count if logits.is_cuda else max(1, _ELEMENTS // vocabulary)
        for some, wanted, into in zip(
            logits.split(rows), targets.split(rows), gradient.split(rows), strict=True
        ):
            exact, place = some.float(), wanted[:, None]
            normaliser = exact.logsumexp(-1, keepdim=True)
            loss += (normaliser - exact.gather(1, place)).sum()
            share = (exact - normaliser).exp_()
            share.scatter_add_(1, place, share.new_full(place.shape, -1.0))
            into.copy_(share.div_(count))
        ctx.save_for_backward(gradient)
        return loss / count

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * grads[0].to(gradient.dtype), None
