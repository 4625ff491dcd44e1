"""The decoder that ExecuTorch lowers: any base of the supported families, on its canonical codes.

What distinguishes the families (biases, q/k norms, a tied head, the rotary embedding) is read from
the base's tensors and configuration. LoRA slots are inputs; the K/V cache is the decoder's own. It
knows torch and torchao, not how it is lowered (`executorch`).
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import executorch.extension.llm.custom_ops.custom_ops  # noqa: F401 - registers torch.ops.llama
import torch
from torch import nn
from torchao.quantization import IntxUnpackedToInt8Tensor
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

from edgetune_export.weights.base import Base
from edgetune_export.weights.quantize import Quantized
from edgetune_runtime.slots import split_slot_name

Pair = tuple[torch.Tensor, torch.Tensor]
"""A slot's A `[1, in, r]` and B `[1, r, out]`."""

ACTIVATIONS: str | None = "int8_asym_per_token"
"""XNNPACK's kernels for int4 weights take activations rounded to int8, a scale for each token."""


class Layers(nn.Module):
    """The base's layers, float32 but for their codes, without a cache.

    `activations` is how torchao rounds what is multiplied by codes, None for not at all.
    """

    cos: torch.Tensor
    sin: torch.Tensor

    def __init__(self, base: Base, context_length: int, activations: str | None) -> None:
        super().__init__()
        shape, weights, rest = base.shape, base.quantized(), base.unquantized()
        epsilon = base.config.rms_norm_eps
        table = weights["model.embed_tokens.weight"]
        self.embedding = nn.Embedding(1, 1, device="meta")
        self.embedding.weight = _parameter(table, activations=None)
        linear = functools.partial(_linear, weights, rest, activations)
        self.layers = nn.ModuleList(
            Layer(base, layer, linear, rest) for layer in range(shape.layers)
        )
        self.norm = _Norm(rest["model.norm.weight"], epsilon)
        self.head = linear("model.embed_tokens" if shape.tied else "lm_head")
        self.head_dim = shape.head_dim
        self.slots = [split_slot_name(slot.name) for slot in base.slots()]
        positions = torch.arange(context_length)[None]
        cos, sin = LlamaRotaryEmbedding(base.config)(torch.zeros(1), positions)
        # Both halves of the last dimension are the same.
        half = shape.head_dim // 2
        self.register_buffer("cos", cos[0, :, None, :half].contiguous())
        self.register_buffer("sin", sin[0, :, None, :half].contiguous())

    def compute(
        self,
        ids: torch.Tensor,
        angles: Pair,
        slots: Sequence[Pair],
        attend: Callable[[int, torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor],
    ) -> torch.Tensor:
        """The hidden states `[1, S, H]` after the last layer.

        `angles` are cosine and sine at the positions of `ids`. `attend` gives, for a layer, what
        queries `[1, S, heads, head_dim]` get from keys and values `[1, S, kv_heads, head_dim]` and
        whatever came before them.
        """
        of_layer: list[dict[str, Pair]] = [{} for _ in self.layers]
        for (layer, _, projection), pair in zip(self.slots, slots, strict=False):
            of_layer[layer][projection] = pair
        hidden = self.embedding(ids)
        for index, pairs in enumerate(of_layer):
            hidden = self.layers[index](hidden, angles, pairs, functools.partial(attend, index))
        return hidden


class Decoder(Layers):
    """The base as one function of tokens, position and slots, with a cache of its own."""

    def __init__(self, base: Base, context_length: int) -> None:
        super().__init__(base, context_length, ACTIVATIONS)
        self.context_length = context_length
        shape = base.shape
        cache = (1, context_length, shape.kv_heads, shape.head_dim)
        self.caches = nn.ModuleList(_Cache(cache) for _ in range(shape.layers))

    def forward(
        self, ids: torch.Tensor, position: torch.Tensor, slots: Sequence[Pair]
    ) -> torch.Tensor:
        """Logits `[1, 1, vocab]` of the last of `ids` `[1, S]`, which begin at `position` `[1]`.

        `slots` has a pair for each of the base's slots, in their order, or is empty: a graph
        without slots. The K/V of what stands before `position` are those of earlier calls.
        """
        start: Any = position.item()  # a symbol while it is traced
        length = ids.shape[1]
        torch._check(start >= 0)
        torch._check(start + length <= self.context_length)
        angles = self.cos.narrow(0, start, length), self.sin.narrow(0, start, length)
        hidden = self.compute(
            ids, angles, slots, lambda layer, *heads: self.caches[layer](*heads, start)
        )
        return self.head(self.norm(hidden[:, -1:]))


class _Cache(nn.Module):
    """Keys and values of one layer, and attention over them."""

    keys: torch.Tensor
    values: torch.Tensor

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.register_buffer("keys", torch.zeros(shape))
        self.register_buffer("values", torch.zeros(shape))

    def forward(
        self, queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, start: int
    ) -> torch.Tensor:
        torch.ops.llama.update_cache(keys, self.keys, start)
        torch.ops.llama.update_cache(values, self.values, start)
        attended: torch.Tensor = torch.ops.llama.custom_sdpa(
            queries, self.keys, self.values, start, None, 0.0, True
        )
        return attended


class Layer(nn.Module):
    """One layer of any family."""

    def __init__(
        self,
        base: Base,
        layer: int,
        linear: Callable[[str], nn.Linear],
        rest: Mapping[str, torch.Tensor],
    ) -> None:
        super().__init__()
        place = f"model.layers.{layer}."
        shape, epsilon = base.shape, base.config.rms_norm_eps
        self.head_dim = shape.head_dim
        self.projections = nn.ModuleDict(
            {
                module.rsplit(".", 1)[1]: linear(module)
                for module in base.slot_modules.values()
                if module.startswith(place)
            }
        )

        def norm(name: str) -> nn.Module:
            weight = rest.get(f"{place}{name}.weight")
            return nn.Identity() if weight is None else _Norm(weight, epsilon)

        self.before_attention = norm("input_layernorm")
        self.before_mlp = norm("post_attention_layernorm")
        self.q_norm, self.k_norm = norm("self_attn.q_norm"), norm("self_attn.k_norm")

    def forward(
        self,
        hidden: torch.Tensor,
        angles: Pair,
        slots: Mapping[str, Pair],
        attend: Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor],
    ) -> torch.Tensor:
        def project(name: str, given: torch.Tensor) -> torch.Tensor:
            return self.project(name, given, slots)

        def heads(name: str, given: torch.Tensor) -> torch.Tensor:
            return project(name, given).view(1, given.shape[1], -1, self.head_dim)

        normed = self.before_attention(hidden)
        queries = _rotated(self.q_norm(heads("q_proj", normed)), *angles)
        keys = _rotated(self.k_norm(heads("k_proj", normed)), *angles)
        attended = attend(queries, keys, heads("v_proj", normed))
        hidden = hidden + project("o_proj", attended.reshape(1, hidden.shape[1], -1))
        normed = self.before_mlp(hidden)
        gated = nn.functional.silu(project("gate_proj", normed)) * project("up_proj", normed)
        return hidden + project("down_proj", gated)

    def project(self, name: str, given: torch.Tensor, slots: Mapping[str, Pair]) -> torch.Tensor:
        """What a projection and its slot make of `given` `[1, S, in]`."""
        result: torch.Tensor = self.projections[name](given)
        if name in slots:
            inner, outer = slots[name]
            result = result + torch.bmm(torch.bmm(given, inner), outer)
        return result


class _Norm(nn.Module):
    """Root mean square normalisation over the last dimension."""

    def __init__(self, weight: torch.Tensor, epsilon: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight, requires_grad=False)
        self.epsilon = epsilon

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.rsqrt((x * x).mean(-1, keepdim=True) + self.epsilon) * self.weight


def _rotated(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Rotary embedding of `x` `[1, S, heads, head_dim]` by halves, as transformers does it."""
    first, second = x.chunk(2, -1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), -1)


def _linear(
    weights: Mapping[str, Quantized],
    rest: Mapping[str, torch.Tensor],
    activations: str | None,
    module: str,
) -> nn.Linear:
    linear = nn.Linear(1, 1, bias=False, device="meta")
    linear.weight = _parameter(weights[f"{module}.weight"], activations=activations)
    if f"{module}.bias" in rest:
        linear.bias = nn.Parameter(rest[f"{module}.bias"], requires_grad=False)
    return linear


def _parameter(quantized: Quantized, activations: str | None) -> nn.Parameter:
    """Canonical codes as a weight that torchao multiplies by; nothing is rounded again."""
    codes = quantized.codes
    weight = IntxUnpackedToInt8Tensor(
        qdata=codes,
        scale=quantized.scales,
        zero_point=torch.zeros_like(quantized.scales, dtype=torch.int8),
        target_dtype=torch.int8 if quantized.bits == 8 else torch.int4,  # type: ignore[attr-defined]
        block_size=(1, quantized.group),
        dtype=torch.float32,
        activation_quantization=activations,
    )
    return nn.Parameter(weight, requires_grad=False)
