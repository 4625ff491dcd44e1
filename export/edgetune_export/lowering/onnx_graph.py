"""An ONNX decoder graph, while canonical int4 weights and LoRA slots are put into it.

It knows the node names that onnxruntime-genai's model builder gives, and the ops that stand for
quantized weights: `MatMulNBits` and `GatherBlockQuantized` of
https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
Where the graph comes from and what lies beside it is `onnx`'s.
"""

import re
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnx.external_data_helper import load_external_data_for_tensor, uses_external_data

from edgetune_export.weights.base import Base
from edgetune_export.weights.quantize import unsigned_bytes
from edgetune_runtime.errors import InputError
from edgetune_runtime.manifest import Slot
from edgetune_runtime.slots import tensor_names

MODEL = "model.onnx"
DATA = "model.onnx.data"

_SMALL = 1024
"""Bytes up to which an initializer stays in the graph's own file."""
_PAGE = 4096
"""Larger initializers start on a page of their own, so that they can be memory-mapped."""

_PROJECTION = re.compile(r"/model/(layers\.\d+)/(attn|mlp)/(\w+)/MatMul")
_EMBEDDING, _HEAD = "model.embed_tokens.weight", "lm_head.weight"
_DOMAIN = "com.microsoft"


class Graph:
    """The graph in `directory`; `save` writes what became of it into another one."""

    def __init__(self, directory: Path) -> None:
        self._model = onnx.load(directory / MODEL, load_external_data=False)
        self._directory = directory
        self._weights: dict[str, NDArray[Any]] = {}
        """New initializers; those over the same memory share their bytes in the data file."""
        self._grids: dict[str, dict[str, int]] = {}
        """Of each weight, what its op has to be told: `bits` and `block_size`."""

    def takes(self, name: str) -> bool:
        """Whether the graph has an input of that name."""
        return any(value.name == name for value in self._model.graph.input)

    def quantize(self, base: Base, accuracy_level: int) -> None:
        """Put the canonical codes and scales in the place of every matrix.

        Raises InputError where the graph lacks one of the base's matrices.
        """
        graph = self._model.graph
        missing = set(base.quantized())
        for node in graph.node:
            name = _weight_name(node)
            if name is None:
                continue
            stored = _EMBEDDING if name == _HEAD and base.shape.tied else name
            self._store(base, stored)
            if name == _EMBEDDING:
                self._become_gather(node, stored)
            else:
                self._become_matmul(node, stored, accuracy_level)
            missing.discard(stored)
        if missing:
            raise InputError(
                f"The installed onnxruntime-genai draws {base.shape.family} without "
                f"{min(missing)}; install the version that constraints.txt names."
            )
        used = {name for node in graph.node for name in node.input}
        kept = [tensor for tensor in graph.initializer if tensor.name in used]
        del graph.initializer[:]
        graph.initializer.extend(kept)

    def add_slots(self, slots: tuple[Slot, ...]) -> None:
        """Add `(x @ A) @ B` to every projection, after its bias, as PEFT does.

        The default A and B have rank 0: their product is zeros, and adding those changes no bit.
        """
        graph = self._model.graph
        sizes = {slot.name: slot for slot in slots}
        readers: dict[str, list[onnx.NodeProto]] = {}
        for node in graph.node:
            for name in node.input:
                readers.setdefault(name, []).append(node)
        nodes: list[onnx.NodeProto] = []
        after: dict[str, list[onnx.NodeProto]] = {}
        for node in list(graph.node):
            match = _PROJECTION.match(node.name)
            if match is not None and node.op_type == "MatMulNBits":
                following = readers[node.output[0]]
                bias = following[0] if following[0].name.endswith(f"/{match[3]}/Add") else node
                slot = sizes[".".join(match.groups())]
                after[bias.name] = self._slot_nodes(slot, node.input[0], bias)
            nodes.append(node)
            nodes.extend(after.pop(node.name, ()))
        del graph.node[:]
        graph.node.extend(nodes)

    def save(self, directory: Path) -> None:
        """Write the graph and its data file."""
        graph = self._model.graph
        places: dict[int, tuple[int, int]] = {}
        with (directory / DATA).open("wb") as file:
            for tensor in graph.initializer:
                if uses_external_data(tensor):
                    load_external_data_for_tensor(tensor, str(self._directory))
                    tensor.data_location = TensorProto.DEFAULT
                    del tensor.external_data[:]
                if len(tensor.raw_data) > _SMALL:
                    place = _append(file, tensor.raw_data)
                    tensor.ClearField("raw_data")
                    _point(tensor, place)
            for name, array in self._weights.items():
                address = array.__array_interface__["data"][0]
                if address not in places:
                    places[address] = _append(file, array.tobytes())
                kind = helper.np_dtype_to_tensor_dtype(array.dtype)
                tensor = TensorProto(name=name, data_type=kind, dims=array.shape)
                _point(tensor, places[address])
                graph.initializer.append(tensor)
        # The builder adds the commit of whatever repository it is installed inside of.
        self._model.producer_version = self._model.producer_version.partition("+")[0]
        onnx.save(self._model, directory / MODEL)

    def _store(self, base: Base, name: str) -> None:
        """Make a weight's initializers: the same bytes in the shape that each op asks for."""
        if f"{name}.scales" in self._weights:
            return
        quantized = base.quantized()[name]
        data, block = unsigned_bytes(quantized).numpy(), quantized.block
        if name == _EMBEDDING:
            self._weights[f"{name}.rows"] = data
        if name != _EMBEDDING or base.shape.tied:
            blocks = data.reshape(data.shape[0], -1, block * quantized.bits // 8)
            self._weights[f"{name}.blocks"] = blocks
        self._weights[f"{name}.scales"] = quantized.scales_of(block).numpy()
        self._grids[name] = {"bits": quantized.bits, "block_size": block}

    def _become_matmul(self, node: onnx.NodeProto, name: str, accuracy_level: int) -> None:
        grid = self._grids[name]
        rows, groups, _ = self._weights[f"{name}.blocks"].shape
        sizes = {"K": groups * grid["block_size"], "N": rows}
        inputs = [node.input[0], f"{name}.blocks", f"{name}.scales"]
        _become(node, "MatMulNBits", inputs, sizes | grid | {"accuracy_level": accuracy_level})

    def _become_gather(self, node: onnx.NodeProto, name: str) -> None:
        # Unsigned data without zero points: the op takes half the range off.
        attributes = self._grids[name] | {"gather_axis": 0, "quantize_axis": 1}
        inputs = [f"{name}.rows", node.input[1], f"{name}.scales"]
        _become(node, "GatherBlockQuantized", inputs, attributes)

    def _slot_nodes(self, slot: Slot, source: str, last: onnx.NodeProto) -> list[onnx.NodeProto]:
        """The nodes of one slot; `last` is what gave the projection's output until now."""
        (a, b), rank = tensor_names(slot.name), f"{slot.name}.rank"
        for name, default, shape in (
            (a, (slot.in_features, 0), (slot.in_features, rank)),
            (b, (0, slot.out_features), (rank, slot.out_features)),
        ):
            value = helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
            self._model.graph.input.append(value)
            empty = numpy_helper.from_array(np.zeros(default, np.float32), name)
            self._model.graph.initializer.append(empty)
        out = last.output[0]
        base, down, up = f"{slot.name}/base", f"{slot.name}/down", f"{slot.name}/up"
        last.output[0] = base
        return [
            helper.make_node("MatMul", [source, a], [down], name=down),
            helper.make_node("MatMul", [down, b], [up], name=up),
            helper.make_node("Add", [base, up], [out], name=f"{slot.name}/sum"),
        ]


def _weight_name(node: onnx.NodeProto) -> str | None:
    """The checkpoint's name of the matrix that a drawn node multiplies with or looks up in."""
    if node.op_type == "Gather" and node.name == "/model/embed_tokens/Gather":
        return _EMBEDDING
    if node.op_type == "MatMul" and node.name == "/lm_head/MatMul":
        return _HEAD
    match = _PROJECTION.fullmatch(node.name) if node.op_type == "MatMul" else None
    if match is None:
        return None
    part = "self_attn" if match[2] == "attn" else "mlp"
    return f"model.{match[1]}.{part}.{match[3]}.weight"


def _become(
    node: onnx.NodeProto, op_type: str, inputs: list[str], attributes: dict[str, int]
) -> None:
    """Turn `node` into another op with the same name and output."""
    made = helper.make_node(
        op_type, inputs, list(node.output), name=node.name, domain=_DOMAIN, **attributes
    )
    node.CopyFrom(made)


def _append(file: BinaryIO, content: bytes) -> tuple[int, int]:
    """Write `content` at the next fitting offset; its offset and length in bytes."""
    step = _PAGE if len(content) >= _PAGE * 16 else 64
    file.write(b"\0" * (-file.tell() % step))
    offset = file.tell()
    file.write(content)
    return offset, len(content)


def _point(tensor: TensorProto, place: tuple[int, int]) -> None:
    """Make `tensor` refer to a place in the data file."""
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in (("location", DATA), ("offset", place[0]), ("length", place[1])):
        tensor.external_data.add(key=key, value=str(value))
