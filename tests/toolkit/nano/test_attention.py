"""The plain attention of pretraining gives what the fused one gives."""

import torch
from torch.nn.functional import scaled_dot_product_attention

from edgetune.nano.attention import plain_attention


def test_plain_attention_is_grouped_query_attention_with_a_mask() -> None:
    torch.manual_seed(0)
    query = torch.randn(2, 4, 7, 8)
    key, value = torch.randn(2, 2, 7, 8), torch.randn(2, 2, 7, 8)
    seen = torch.rand(2, 1, 7, 7).tril() > 0.2
    seen |= torch.eye(7, dtype=torch.bool)
    mask = torch.zeros(seen.shape).masked_fill(~seen, torch.finfo(torch.float32).min)
    found, _ = plain_attention(torch.nn.Identity(), query, key, value, mask, scaling=0.3)
    expected = scaled_dot_product_attention(
        query, key, value, attn_mask=seen, scale=0.3, enable_gqa=True
    )
    torch.testing.assert_close(found, expected.transpose(1, 2), atol=1e-5, rtol=1e-5)
