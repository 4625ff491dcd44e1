"""The pass of an activated LoRA: the bare base reads what stands before the invocation.

Nothing there depends on the adapter (arXiv:2504.12397), so it is read without gradients, and what
all prompts begin with, the list of tools, is read once for a whole training. PEFT's own path masks
each product; two passes of a plain LoRA, without it and with it, give the same logits and spare the
prompt's gradients.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from peft.tuners.tuners_utils import BaseTunerLayer
from transformers import DynamicCache

from edgetune.machine.precision import Precision, autocast
from edgetune.train.batches import Batch
from edgetune.train.examples import Tokens
from edgetune.train.passes import WORTH_SHARING, attention
from edgetune_runtime.invocation import invocation_place
from edgetune_runtime.trie import shared_length


class ActivatedPass:
    """Logits `[loss tokens, vocabulary]`, float32, of `model` for a batch's targets.

    `model` is a causal LM with the LoRA on it, which acts from the token ids `invocation` on;
    `examples` are all that it will be given, whose prompts' common beginning is read here, once.
    """

    def __init__(
        self,
        model: Any,
        precision: Precision,
        examples: Sequence[Tokens],
        invocation: tuple[int, ...],
    ) -> None:
        self._model = model
        self._precision = precision
        self._invocation = invocation
        static = self._common_ids(examples)
        self._static = len(static) if len(static) >= WORTH_SHARING else 0
        self._layers: list[tuple[torch.Tensor, torch.Tensor]] = []
        if self._static:
            ids = torch.tensor([static], device=model.device)
            cache = self._read(ids, DynamicCache())
            self._layers = [(layer.keys, layer.values) for layer in cache.layers]

    def __call__(self, batch: Batch) -> torch.Tensor:
        rows, width = batch.ids.shape
        device = batch.ids.device
        begins = torch.tensor(
            [invocation_place(ids, self._invocation) for ids in batch.ids.tolist()], device=device
        )
        longest = int(begins.max())
        with autocast(device, self._precision), attention(batch):
            cache = DynamicCache()
            for index, (keys, values) in enumerate(self._layers):
                cache.update(_repeated(keys, rows), _repeated(values, rows), index)
            cache = self._read(batch.ids[:, self._static : longest], cache)
            # Shorter prompts were read with the beginning of their call behind them, and shorter
            # calls end in padding: the first is hidden from all, the second predicts nothing.
            places = begins[:, None] + torch.arange(width - int(begins.min()), device=device)
            seen = torch.arange(longest, device=device) < begins[:, None]
            decoder = self._model.get_decoder().forward
            hidden = decoder(
                input_ids=batch.ids.gather(1, places.clamp_max(width - 1)),
                attention_mask=torch.cat((seen, torch.ones_like(places, dtype=torch.bool)), 1),
                position_ids=places,
                past_key_values=cache,
                use_cache=True,
            ).last_hidden_state
            columns = batch.columns - begins[batch.rows]
            return self._model.get_output_embeddings()(hidden[batch.rows, columns])

    def _read(self, ids: torch.Tensor, cache: DynamicCache) -> DynamicCache:
        """`cache` with the K/V of `ids` `[batch, tokens]` as the bare base computes them."""
        if not ids.shape[1]:
            return cache
        decoder = self._model.get_decoder()
        precision = autocast(ids.device, self._precision)
        with torch.no_grad(), _bare(self._model), precision:
            decoder.forward(input_ids=ids, past_key_values=cache, use_cache=True)
        return cache

    def _common_ids(self, examples: Sequence[Tokens]) -> list[int]:
        """The ids that all prompts begin with."""
        every = (example.ids.tolist() for example in examples)
        prompts = sorted(ids[: invocation_place(ids, self._invocation)] for ids in every)
        # Of sorted sequences, the first and the last differ soonest.
        return prompts[0][: shared_length((prompts[0], prompts[-1]))]


@contextmanager
def _bare(model: Any) -> Iterator[None]:
    """`model` without what its adapter adds."""
    layers = [module for module in model.modules() if isinstance(module, BaseTunerLayer)]
    for layer in layers:
        layer.enable_adapters(False)
    try:
        yield
    finally:
        for layer in layers:
            layer.enable_adapters(True)


def _repeated(tensor: torch.Tensor, rows: int) -> torch.Tensor:
    return tensor.expand(rows, -1, -1, -1)
