"""The ExecuTorch engine: one program with its own K/V cache, LoRA slots as inputs of each call.

ExecuTorch's Python wheel passes torch tensors, so this engine alone needs torch; a phone's runtime
does not. Knows tensors and ids only.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from edgetune_runtime.bundle import Bundle
from edgetune_runtime.errors import BundleError, ContextError
from edgetune_runtime.files import inside
from edgetune_runtime.manifest import Slot, Target
from edgetune_runtime.quiet import quiet, silent
from edgetune_runtime.slots import base_shapes, check_tensors, tensor_names

Handle = list[torch.Tensor]
"""A and B of every slot in the program's order."""


def open_engine(
    bundle: Bundle, target: Target, context_length: int, threads: int | None
) -> "ExecuTorchEngine":
    """The engine on the program of `target`, for at most `context_length` tokens."""
    base = bundle.manifest.base
    numbers = 2 * base.layers * target.context_length * base.kv_heads * base.head_dim
    return ExecuTorchEngine(
        inside(bundle.path, target.model),
        context_length=context_length,
        kv_bytes=numbers * np.dtype(bundle.kv_type(target)).itemsize,
        vocab_size=base.vocab_size,
        slots=bundle.manifest.slots,
        max_rank=bundle.number(target, "max_rank"),
        threads=threads,
    )


class ExecuTorchEngine:
    """`Engine` on a `.pte` whose `forward` takes ids `[1, S]`, position `[1]`, and A `[1, in, r]`
    and B `[1, r, out]` of each slot, and gives logits `[1, 1, vocab]`.

    The K/V cache cannot be read from outside, so a snapshot is its tokens: restoring one runs those
    again that are no longer in the cache. `max_rank` is the largest that the program takes.
    """

    name = "executorch"

    def __init__(
        self,
        model_path: Path,
        *,
        context_length: int,
        kv_bytes: int,
        vocab_size: int,
        slots: Sequence[Slot],
        max_rank: int,
        threads: int | None = None,
    ) -> None:
        self.vocab_size = vocab_size
        self.context_length = context_length
        self._kv_bytes = kv_bytes
        self._slots = slots
        self._max_rank = max_rank
        self._path = model_path
        self._forward = _load(model_path, threads)
        self._none = self._handle({})
        self._ids: list[int] = []
        self._written_with: list[Handle] = []
        self._known = 0
        self.activate(None)

    @property
    def position(self) -> int:
        return self._known

    def prepare(self, tensors: Mapping[str, NDArray[np.floating]]) -> Handle:
        """Check each tensor against the slots; what is bound shares memory with `tensors`."""
        check_tensors(tensors, base_shapes(self._slots), self._max_rank)
        return self._handle(tensors)

    def _handle(self, tensors: Mapping[str, NDArray[np.floating]]) -> Handle:
        """Slots without an adapter get zeros of rank 1, whose product adds nothing."""
        handle: Handle = []
        with quiet():  # torch warns of memory that it must not write, and will not
            for slot in self._slots:
                a, b = (tensors.get(name) for name in tensor_names(slot.name))
                if a is None or b is None or not a.size:
                    a = np.zeros((slot.in_features, 1), np.float32)
                    b = np.zeros((1, slot.out_features), np.float32)
                handle += [torch.from_numpy(np.ascontiguousarray(side))[None] for side in (a, b)]
        return handle

    def activate(self, handle: Handle | None) -> None:
        self._bound = self._none if handle is None else handle

    def forward(self, ids: Sequence[int]) -> NDArray[np.float32]:
        total = self._known + len(ids)
        if total > self.context_length:
            raise ContextError(
                f"context: {total} tokens are needed, but this engine has {self.context_length}; "
                "shorten the request."
            )
        # First forgotten, so that nothing is believed of a call that is interrupted.
        del self._ids[self._known :], self._written_with[self._known :]
        start = torch.tensor([self._known])
        try:
            logits = self._forward.execute([torch.tensor([list(ids)]), start, *self._bound])[0]
        except RuntimeError as error:
            raise BundleError(
                f"{self._path}: ExecuTorch fails at {len(ids)} tokens from position "
                f"{self._known} on ({error}); export the bundle again."
            ) from error
        self._ids += ids
        self._written_with += [self._bound] * len(ids)
        self._known = total
        return logits.numpy().reshape(-1).copy()  # the program writes the next ones there

    def rewind(self, position: int) -> None:
        if not 0 <= position <= self._known:
            raise ValueError(f"cannot rewind to {position}: the cache holds {self._known}")
        self._known = position

    def snapshot(self) -> tuple[int, ...]:
        return tuple(self._ids[: self._known])

    def restore(self, snapshot: tuple[int, ...]) -> int:
        """Run what the cache no longer holds of the snapshot under the bound adapter."""
        kept = 0
        for token, known, handle in zip(snapshot, self._ids, self._written_with, strict=False):
            if token != known or handle is not self._bound:
                break
            kept += 1
        self._known = kept
        if kept < len(snapshot):
            self.forward(snapshot[kept:])
        return len(snapshot) - kept

    def kv_bytes(self) -> int:
        return self._kv_bytes


def _load(path: Path, threads: int | None) -> Any:
    """The program's `forward` method."""
    with silent():
        # These register the operators that the program calls.
        import executorch.extension.llm.custom_ops.custom_ops
        import executorch.kernels.quantized  # noqa: F401
        from executorch.extension.pybindings import portable_lib
        from executorch.runtime import Runtime, Verification

        if threads is not None:
            portable_lib._unsafe_reset_threadpool(threads)
        try:
            program = Runtime.get().load_program(
                path, verification=Verification.InternalConsistency
            )
            method = program.load_method("forward")
        except Exception as error:
            raise BundleError(
                f"{path}: ExecuTorch cannot load it ({error}); export the bundle again with this "
                "version of executorch."
            ) from error
    if method is None:
        raise BundleError(f"{path}: has no method 'forward'; export the bundle again.")
    return method
