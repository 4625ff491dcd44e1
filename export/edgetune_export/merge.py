"""A LoRA adapter merged into its base: in float, then quantized to a canonical base of its own.

Codes are never edited: what comes out is a new base with a new hash, that blobs trained on the old
one do not fit. Weights that the adapter leaves alone keep their codes.
"""

from collections.abc import Iterator
from pathlib import Path

import torch

from edgetune_export.slots import read_peft
from edgetune_export.weights.base import Base
from edgetune_export.weights.checkpoint import Checkpoint
from edgetune_export.weights.quantize import Quantized
from edgetune_export.weights.stored import write_base
from edgetune_runtime.errors import InputError
from edgetune_runtime.slots import tensor_names


def merge_adapter(base: Base, peft_directory: Path, output: Path) -> Base:
    """Add the adapter in `peft_directory` to the dequantized `base`, quantized into `output` by
    least squared error.

    W' = W + (A B)^T with the scale in B. Raises as `slots.read_peft` does, and InputError for an
    activated LoRA.
    """
    found = read_peft(peft_directory, base)
    if found.invocation:
        raise InputError(
            f"{peft_directory}: is an activated LoRA ('adapter.kind: alora'), which acts from its "
            "invocation on, so that no merged weight can stand for it; train with "
            "'kind: lora' to merge."
        )
    tensors = found.tensors

    def merged() -> Iterator[tuple[str, torch.Tensor | Quantized]]:
        quantized = base.quantized()
        slot_of = {f"{module}.weight": slot for slot, module in base.slot_modules.items()}
        for name, weight in base.tensors():
            names = tensor_names(slot_of[name]) if name in slot_of else ()
            if names and names[0] in tensors:
                a, b = (torch.from_numpy(tensors[each]) for each in names)
                yield name, weight + (a @ b).T
            else:
                yield name, quantized.get(name, weight)

    name = f"{base.name}+{peft_directory.name}"
    checkpoint = Checkpoint(base.directory)
    write_base(
        output,
        checkpoint,
        merged(),
        name=name,
        revision=base.revision,
        embedding_bits=base.embedding_bits,
        wide=base.wide,
    )
    return Base(output)
