"""The exported graph without its LoRA slots: what 'no adapter' must equal, bit for bit.

The slots' nodes are taken out of a copy of the small `model.onnx`; its weights stay the bundle's
own file, linked. Knows the node names that `onnx_graph` gives, and nothing of engines.
"""

from pathlib import Path

import onnx

from edgetune_runtime.errors import BundleError
from edgetune_runtime.files import link
from edgetune_runtime.manifest import Slot


def write_slotless(model: Path, slots: tuple[Slot, ...], directory: Path) -> Path:
    """Write `model` without `slots` into `directory`; the path of the new graph.

    Raises BundleError naming the slot that the graph lacks.
    """
    proto = onnx.load(model, load_external_data=False)
    graph = proto.graph
    nodes = {node.name: node for node in graph.node}
    makers = {output: node for node in graph.node for output in node.output}
    added = set()
    for slot in slots:
        parts = [nodes.get(f"{slot.name}/{part}") for part in ("down", "up", "sum")]
        if any(part is None for part in parts):
            raise BundleError(f"{model}: has no slot '{slot.name}'; export the bundle again.")
        total = nodes[f"{slot.name}/sum"]
        makers[total.input[0]].output[0] = total.output[0]
        added |= {f"{slot.name}/{part}" for part in ("down", "up", "sum")}
    kept = [node for node in graph.node if node.name not in added]
    used = {name for node in kept for name in node.input}
    inputs = [value for value in graph.input if value.name in used]
    initializers = [tensor for tensor in graph.initializer if tensor.name in used]
    for field, values in (
        (graph.node, kept),
        (graph.input, inputs),
        (graph.initializer, initializers),
    ):
        del field[:]
        field.extend(values)
    for data in model.parent.glob(f"{model.name}.data*"):
        link(data, directory / data.name)
    path = directory / model.name
    onnx.save(proto, path)
    return path
