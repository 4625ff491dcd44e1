"""The base as an ONNX graph in which every shape is fixed, as NPU compilers want it.

It takes a fixed number of tokens, of which the last ones may be padding, a K/V cache of a fixed
length that its caller keeps, and slots of a fixed rank. Weights are the canonical int4 blocks. It
knows the families' tensors, not the compiler.
"""

from collections.abc import Mapping

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

from edgetune_export.weights.base import Base
from edgetune_export.weights.quantize import GROUP, Quantized, unsigned_bytes
from edgetune_runtime.slots import tensor_names

_OPSET = 21
_CONTRIB = "com.microsoft"
_TABLE = "model.embed_tokens.weight"


def embedding_graph(base: Base) -> onnx.ModelProto:
    """`ids` `[1, S]` (int64) to `hidden` `[1, S, H]`: a look-up, for the CPU."""
    draft = _Draft()
    table = base.quantized()[_TABLE]
    ids = draft.input("ids", [1, "length"], TensorProto.INT64)
    rows = draft.constant("rows", unsigned_bytes(table).numpy())
    attributes = {"bits": table.bits, "block_size": GROUP, "gather_axis": 0, "quantize_axis": 1}
    scales = draft.constant("scales", table.scales_of(GROUP).numpy())
    hidden = draft.node("GatherBlockQuantized", rows, ids, scales, domain=_CONTRIB, **attributes)
    draft.output("hidden", hidden, [1, "length", base.shape.hidden_size])
    return draft.model("embedding")


def static_graph(base: Base, length: int, context: int, rank: int) -> onnx.ModelProto:
    """The base without its embedding, for `length` tokens behind at most `context` others.

    Inputs: `hidden` `[1, length, H]`; `positions` `[length]` and `last` `[1]` (the row whose logits
    are wanted), both int64; `mask` `[1, 1, length, context + length]`, which is added to attention
    scores; `past.{l}.key|value` `[1, kv_heads, context, head_dim]`; each slot's `lora_A` `[in,
    rank]` and `lora_B` `[rank, out]`. Outputs: `logits` `[1, 1, vocab]`, and `new.{l}.key|value`
    `[1, kv_heads, length, head_dim]`, which the caller puts into its cache.
    """
    return _Decoder(base, length, context, rank).model()


class _Draft:
    """A graph that is being written: nodes, constants, inputs and outputs."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []

    def input(self, name: str, shape: list[int | str], kind: int = TensorProto.FLOAT) -> str:
        self._inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def output(self, name: str, value: str, shape: list[int | str]) -> None:
        self._nodes.append(helper.make_node("Identity", [value], [name], name=name))
        self._outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))

    def constant(self, name: str, array: NDArray[np.generic]) -> str:
        if name not in self._constants:
            array = np.ascontiguousarray(array)
            self._constants[name] = numpy_helper.from_array(array, name)
        return name

    def ints(self, *values: int) -> str:
        """A constant of these integers: a shape, axes, or sizes."""
        return self.constant(f"ints_{'_'.join(map(str, values))}", np.array(values, np.int64))

    def node(self, kind: str, *inputs: str, domain: str = "", **attributes: object) -> str:
        """Adds a node; the name of its output."""
        return self.nodes(kind, *inputs, outputs=1, domain=domain, **attributes)[0]

    def nodes(
        self, kind: str, *inputs: str, outputs: int, domain: str = "", **attributes: object
    ) -> list[str]:
        """Adds a node of several outputs; their names."""
        name = f"{kind}_{len(self._nodes)}"
        results = [f"{name}.{number}" for number in range(outputs)]
        self._nodes.append(
            helper.make_node(kind, inputs, results, name=name, domain=domain, **attributes)
        )
        return results

    def model(self, name: str) -> onnx.ModelProto:
        graph = helper.make_graph(
            self._nodes, name, self._inputs, self._outputs, list(self._constants.values())
        )
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_CONTRIB, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=10)


class _Decoder:
    def __init__(self, base: Base, length: int, context: int, rank: int) -> None:
        self._base, self._shape = base, base.shape
        self._weights: Mapping[str, Quantized] = base.quantized()
        self._rest = base.unquantized()
        self._slots = {module: name for name, module in base.slot_modules.items()}
        self._length, self._context, self._rank = length, context, rank
        self._draft = _Draft()

    def model(self) -> onnx.ModelProto:
        draft, shape = self._draft, self._shape
        hidden = draft.input("hidden", [1, self._length, shape.hidden_size])
        positions = draft.input("positions", [self._length], TensorProto.INT64)
        self._mask = draft.input("mask", [1, 1, self._length, self._context + self._length])
        last = draft.input("last", [1], TensorProto.INT64)
        # A padded chunk may reach past the context.
        places = torch.arange(self._context + self._length)[None]
        tables = LlamaRotaryEmbedding(self._base.config)(torch.zeros(1), places)
        self._cos, self._sin = (
            draft.node("Gather", draft.constant(name, table[0].numpy()), positions, axis=0)
            for name, table in zip(("cos", "sin"), tables, strict=True)
        )
        for layer in range(shape.layers):
            hidden = self._layer(hidden, layer)
        hidden = self._norm(draft.node("Gather", hidden, last, axis=1), "model.norm")
        logits = self._linear(hidden, "model.embed_tokens" if shape.tied else "lm_head")
        draft.output("logits", logits, [1, 1, shape.vocab_size])
        return draft.model("decoder")

    def _layer(self, hidden: str, layer: int) -> str:
        draft, place = self._draft, f"model.layers.{layer}"
        attended = self._attention(self._norm(hidden, f"{place}.input_layernorm"), layer)
        hidden = draft.node("Add", hidden, self._project(attended, f"{place}.self_attn.o_proj"))
        normed = self._norm(hidden, f"{place}.post_attention_layernorm")
        gate = self._project(normed, f"{place}.mlp.gate_proj")
        gate = draft.node("Mul", gate, draft.node("Sigmoid", gate))
        gated = draft.node("Mul", gate, self._project(normed, f"{place}.mlp.up_proj"))
        return draft.node("Add", hidden, self._project(gated, f"{place}.mlp.down_proj"))

    def _attention(self, normed: str, layer: int) -> str:
        """`[1, length, heads * head_dim]`: each key's group of queries at once."""
        draft, shape, length = self._draft, self._shape, self._length
        group = shape.attention_heads // shape.kv_heads
        total = self._context + length
        place = f"model.layers.{layer}.self_attn"
        queries = self._rotated(
            self._norm(self._heads(normed, f"{place}.q_proj"), f"{place}.q_norm")
        )
        keys = self._rotated(self._norm(self._heads(normed, f"{place}.k_proj"), f"{place}.k_norm"))
        keys = self._cached(keys, f"{layer}.key")
        values = self._cached(self._heads(normed, f"{place}.v_proj"), f"{layer}.value")
        rows = draft.ints(1, shape.kv_heads, group * length, shape.head_dim)
        queries = draft.node("Reshape", queries, rows)
        scores = draft.node("MatMul", queries, draft.node("Transpose", keys, perm=[0, 1, 3, 2]))
        scale = draft.constant("scale", np.array(shape.head_dim**-0.5, np.float32))
        scores = draft.node("Mul", scores, scale)
        scores = draft.node("Reshape", scores, draft.ints(1, shape.attention_heads, length, total))
        weights = draft.node("Softmax", draft.node("Add", scores, self._mask), axis=-1)
        weights = draft.node(
            "Reshape", weights, draft.ints(1, shape.kv_heads, group * length, total)
        )
        attended = draft.node("MatMul", weights, values)
        by_head = draft.ints(1, shape.attention_heads, length, shape.head_dim)
        attended = draft.node("Reshape", attended, by_head)
        attended = draft.node("Transpose", attended, perm=[0, 2, 1, 3])
        return draft.node(
            "Reshape", attended, draft.ints(1, length, shape.attention_heads * shape.head_dim)
        )

    def _cached(self, new: str, name: str) -> str:
        """`new` behind the past, and given out."""
        sizes = (self._shape.kv_heads, self._shape.head_dim)
        past = self._draft.input(f"past.{name}", [1, sizes[0], self._context, sizes[1]])
        self._draft.output(f"new.{name}", new, [1, sizes[0], self._length, sizes[1]])
        return self._draft.node("Concat", past, new, axis=2)

    def _heads(self, normed: str, module: str) -> str:
        """A projection as `[1, heads, length, head_dim]`."""
        shape = self._draft.ints(1, self._length, -1, self._shape.head_dim)
        split = self._draft.node("Reshape", self._project(normed, module), shape)
        return self._draft.node("Transpose", split, perm=[0, 2, 1, 3])

    def _rotated(self, heads: str) -> str:
        """Rotary embedding by halves, as transformers does it."""
        draft, half = self._draft, self._shape.head_dim // 2
        first, second = draft.nodes("Split", heads, draft.ints(half, half), outputs=2, axis=-1)
        turned = draft.node("Concat", draft.node("Neg", second), first, axis=-1)
        return draft.node(
            "Add", draft.node("Mul", heads, self._cos), draft.node("Mul", turned, self._sin)
        )

    def _norm(self, value: str, module: str) -> str:
        """Root mean square normalisation, where the base has it."""
        weight = self._rest.get(f"{module}.weight")
        if weight is None:
            return value
        return self._draft.node(
            "SimplifiedLayerNormalization",
            value,
            self._draft.constant(f"{module}.weight", weight.numpy()),
            axis=-1,
            epsilon=self._base.config.rms_norm_eps,
            stash_type=1,
        )

    def _project(self, value: str, module: str) -> str:
        """A projection with its slot: `x @ W + (x @ A) @ B`."""
        draft, slot = self._draft, self._slots[module]
        rows, columns = self._weights[f"{module}.weight"].codes.shape
        a, b = tensor_names(slot)
        inner = draft.input(a, [columns, self._rank])
        outer = draft.input(b, [self._rank, rows])
        added = draft.node("MatMul", draft.node("MatMul", value, inner), outer)
        return draft.node("Add", self._linear(value, module), added)

    def _linear(self, value: str, module: str) -> str:
        draft, quantized = self._draft, self._weights[f"{module}.weight"]
        rows, columns = quantized.codes.shape
        data = unsigned_bytes(quantized).numpy()
        blocks = data.reshape(rows, -1, GROUP * quantized.bits // 8)
        result = draft.node(
            "MatMulNBits",
            value,
            draft.constant(f"{module}.blocks", blocks),
            draft.constant(f"{module}.scales", quantized.scales_of(GROUP).numpy()),
            domain=_CONTRIB,
            K=columns,
            N=rows,
            bits=quantized.bits,
            block_size=GROUP,
        )
        bias = self._rest.get(f"{module}.bias")
        if bias is None:
            return result
        return draft.node("Add", result, draft.constant(f"{module}.bias", bias.numpy()))
