"""The loss a few rows at a time is torch's own, and so is its gradient."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from edgetune.train import token_loss as module
from edgetune.train.token_loss import token_loss


def both(logits, targets):
    """Loss and gradient, of ours and of torch's in float32."""
    for loss_of in (token_loss, lambda x, y: cross_entropy(x.float(), y)):
        given = logits.clone().requires_grad_()
        loss = 3 * loss_of(given, targets)
        loss.backward()
        yield loss.detach(), given.grad


@pytest.mark.parametrize("rows", [1, 3, 7, 100])
def test_it_is_torchs_own_however_many_rows_are_taken(monkeypatch, rows):
    monkeypatch.setattr(module, "_ELEMENTS", rows * 50)
    torch.manual_seed(rows)
    logits, targets = 5 * torch.randn(7, 50), torch.randint(50, (7,))
    (loss, gradient), (wanted, wanted_gradient) = both(logits, targets)
    torch.testing.assert_close(loss, wanted)
    torch.testing.assert_close(gradient, wanted_gradient)


def test_of_bfloat16_it_computes_in_float32():
    logits, targets = (8 * torch.randn(40, 300)).bfloat16(), torch.randint(300, (40,))
    (loss, gradient), (wanted, wanted_gradient) = both(logits, targets)
    torch.testing.assert_close(loss, wanted)
    assert gradient.dtype == torch.bfloat16
    torch.testing.assert_close(gradient, wanted_gradient, rtol=0.02, atol=1e-4)


def test_logits_far_apart_are_no_infinities():
    logits = torch.tensor([[1e4, -1e4], [-1e4, 1e4]])
    (loss, gradient), _ = both(logits, torch.tensor([0, 0]))
    assert loss == 3e4
    torch.testing.assert_close(gradient, torch.tensor([[0.0, 0.0], [-1.5, 1.5]]))
