"""The ONNX target: one int4 graph for prefill and decode, with LoRA slots as inputs.

onnxruntime-genai's model builder draws the graph and its `genai_config.json` from a checkpoint
whose matrices are zeros; the canonical codes and scales then take the place of every matrix
(`onnx_graph`). So nothing is quantized here, and a matrix that was forgotten cannot go unnoticed.
The directory stays loadable by stock onnxruntime-genai. It knows the base, not what adapters are
for.
"""

import contextlib
import errno
import io
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from edgetune_export.base_size import is_large
from edgetune_export.lowering.onnx_graph import DATA, MODEL, Graph
from edgetune_export.lowering.targets import TARGETS, Wishes
from edgetune_export.progress import stage
from edgetune_export.weights.base import Base
from edgetune_export.weights.checkpoint import Checkpoint
from edgetune_export.weights.quantize import GROUP
from edgetune_runtime.errors import InputError
from edgetune_runtime.files import replaced_directory, write_json
from edgetune_runtime.manifest import Target

ACCURACY_LEVEL = 0
"""MatMulNBits' `accuracy_level`: 0 computes in float32, 4 lets the processor round activations to
int8 in groups of 32. Against float32, level 4 moved the logits by 1.2 % (hidden size 256) to 2.6 %
(896) of their spread and saved a sixth to a third of a decode step's processor time on x86-64: too
much where checks are to tell a wrong scale from a right one, so it is taken for large bases."""

INT8_LEVEL = 4
"""The `accuracy_level` of `--int8-activations`, and of a large base where nobody chooses."""

CONTEXT_LENGTH = 4096
"""The most tokens that the graph has rotations for; also what stock onnxruntime-genai reserves a
K/V cache for. A base's own limit (8k, 32k and more) would cost megabytes here, and gigabytes there.
"""


def settings(base: Base, wishes: Wishes) -> dict[str, int]:
    """`export_onnx`'s choice (`targets.Lowering.settings`)."""
    return {"accuracy_level": accuracy_level(base, wishes.int8_activations)}


def lower(base: Base, bundle: Path, settings: Mapping[str, Any]) -> Target:
    """The target `onnx` of a bundle (`targets.Lowering.lower`)."""
    with stage("Lowering the base to ONNX"):
        options = export_onnx(base, bundle / "onnx", **settings)
    return Target(
        name="onnx",
        model=f"onnx/{MODEL}",
        context_length=min(base.shape.context_length, CONTEXT_LENGTH),
        options=options,
    )


def accuracy_level(base: Base, int8_activations: bool | None) -> int:
    """The level for what was wished (`Wishes.int8_activations`)."""
    rounded = is_large(base.parameters) if int8_activations is None else int8_activations
    return INT8_LEVEL if rounded else ACCURACY_LEVEL


def export_onnx(
    base: Base, directory: Path, *, slots: bool = True, accuracy_level: int = ACCURACY_LEVEL
) -> dict[str, str | int | float | bool]:
    """Write `model.onnx`, its data, `genai_config.json` and the tokenizer into `directory`.

    The graph takes `input_ids` `[1, sequence]`, `attention_mask` `[1, total]`, past keys and values
    `[1, kv_heads, past, head_dim]` and, with `slots`, `<slot>.lora_A` `[in, r]` and `<slot>.lora_B`
    `[r, out]` (left out: the base, bit for bit). It gives `logits` `[1, 1, vocab]` of the last
    position and the present keys and values. Returns the options that describe the graph, for the
    manifest. Raises InputError for a kind of base that the builder does not draw faithfully.
    """
    TARGETS["onnx"].accept(base)
    directory.parent.mkdir(parents=True, exist_ok=True)
    with (
        replaced_directory(directory) as fresh,
        tempfile.TemporaryDirectory(prefix=".drawing-", dir=directory.parent) as place,
    ):
        drawn = Path(place) / "drawn"
        _draw(base, Path(place) / "skeleton", drawn)
        for file in drawn.iterdir():
            if file.name not in (MODEL, DATA):
                shutil.copyfile(file, fresh / file.name)
        _adapt_genai_config(fresh / "genai_config.json")
        graph = Graph(drawn)
        graph.quantize(base, accuracy_level)
        if slots:
            graph.add_slots(base.slots())
        graph.save(fresh)
    return {
        "accuracy_level": accuracy_level,
        "group_size": GROUP,
        "logits": "last",
        "position_ids": graph.takes("position_ids"),
        "slots": slots,
    }


def write_onnx_adapter(tensors: Mapping[str, NDArray[np.float32]], path: Path) -> None:
    """Write slot tensors as an `.onnx_adapter` file, which stock onnxruntime-genai loads."""
    import onnxruntime

    file = onnxruntime.AdapterFormat()
    file.set_adapter_version(1)
    file.set_model_version(1)
    values = {
        name: onnxruntime.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(value, np.float32))
        for name, value in tensors.items()
    }
    file.set_parameters(values)
    try:
        file.export_adapter(str(path))
    except RuntimeError as error:  # it says nothing else where a write fails
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error


def _builder() -> Any:
    """The builder. Its files import each other by bare names, such as `quantization`, by which the
    folder of a user's script, where Python looks first, may have a file of its own."""
    from onnxruntime_genai import models

    own = str(Path(models.__file__).parent)
    sys.path.insert(0, own)
    try:
        return import_module("onnxruntime_genai.models.builder")
    finally:
        sys.path.remove(own)


def _draw(base: Base, skeleton: Path, drawn: Path) -> None:
    """Have the builder draw the float graph of `base` into `drawn`, with zeros for matrices."""
    builder = _builder()
    _write_skeleton(base, skeleton)
    options = {
        "fuse_qkv": "false",
        "shared_embeddings": "false",
        "prune_lm_head": "true",
        "hf_token": "false",
    }
    given = [f"{key}={value}" for key, value in options.items()]
    where = (str(skeleton), str(drawn), "fp32", "cpu", str(skeleton.parent / "cache"))
    # The builder reports on standard output, which belongs to our own results.
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        try:
            settings = builder.parse_extra_options("", *where, given)
            builder.create_model("", *where, **settings)
        except (NotImplementedError, ValueError, KeyError) as error:
            raise InputError(
                f"The ONNX model builder cannot draw base '{base.name}' ({error}); choose another "
                "base or another target."
            ) from error


def _write_skeleton(base: Base, directory: Path) -> None:
    """A checkpoint with the base's norms and biases, and zeros in the place of its matrices."""
    directory.mkdir(parents=True)
    checkpoint = Checkpoint(base.directory)
    checkpoint.config.architectures = [MODEL_FOR_CAUSAL_LM_MAPPING_NAMES[base.shape.family]]
    # Norms and biases keep their float32 bits; transformers loads what the configuration says.
    checkpoint.config.dtype = torch.float32
    longest = min(base.shape.context_length, CONTEXT_LENGTH)
    checkpoint.config.max_position_embeddings = longest
    checkpoint.save_all_but_weights(directory)
    tensors = {
        name: torch.zeros(shape, dtype=torch.bfloat16)
        for name, shape in checkpoint.shapes.items()
        if len(shape) == 2
    }
    tensors.update(base.unquantized(torch.float32))
    save_file(tensors, directory / "model.safetensors", {"format": "pt"})


def _adapt_genai_config(path: Path) -> None:
    config = json.loads(path.read_text(encoding="utf-8"))
    config["search"]["max_length"] = config["model"]["context_length"]
    # Rank-0 defaults make onnxruntime warn about every slot.
    config["model"]["decoder"]["session_options"]["log_severity_level"] = 3
    write_json(path, config)
