"""The base's layers compiled by torch.compile, once a process, for all adapters of a run.

Much of a small base's step passes between the matrix products; compiled, that is fused. PEFT puts
every adapter's LoRA into the same modules, so the code of the first serves them all.
"""

import os
import shutil
from collections.abc import Sequence
from typing import Any

from edgetune.train.adapter import Job
from edgetune.train.batches import Batch
from edgetune.train.passes import Forward
from edgetune.train.token_loss import token_loss
from edgetune_export.base_size import is_large
from edgetune_export.weights.base import Base
from edgetune_runtime.errors import InputError
from edgetune_runtime.quiet import quiet

WORTH = 200
"""Steps of a whole run from which on a large base is compiled unasked: they save more time."""


def pays(wanted: bool | None, base: Base, jobs: Sequence[Job]) -> bool:
    """Whether to compile: as the recipe says, else for a large base that is trained for long, where
    there is a C++ compiler."""
    if wanted is not None:
        return wanted
    steps = sum(len(job.plan) for job in jobs)
    plain = not any(job.invocation for job in jobs)
    compiler = any(map(shutil.which, (os.environ.get("CXX") or "c++", "g++", "clang++")))
    return plain and compiler and steps >= WORTH and is_large(base.parameters)


def compile_layers(model: Any, forward: Forward, batch: Batch) -> None:
    """Compile the decoder of `model` with its adapter, by a step on `batch` that teaches nothing.

    `forward` is the adapter's pass through `model`.

    Takes a minute or two the first time on a machine, which keeps what was compiled. Raises
    InputError where nothing can be compiled, for want of a C++ compiler mostly.
    """
    with quiet():
        model.train()
        # Layer by layer: the code of one serves all, where a whole decoder is compiled for minutes.
        for layer in model.get_decoder().layers:
            layer.compile(dynamic=True)
        try:
            token_loss(forward(batch), batch.targets).backward()
        except Exception as error:
            for layer in model.get_decoder().layers:
                layer._compiled_call_impl = None
            why = str(error).strip().splitlines()[0]
            raise InputError(
                f"'machine.compile': torch.compile fails here ({why}); install a C++ compiler and "
                "Python's headers, or set it to false."
            ) from error
    model.zero_grad(set_to_none=True)
