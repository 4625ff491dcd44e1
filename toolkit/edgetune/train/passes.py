"""The model's pass over a batch: logits where there is loss, and what dev metrics follow from them.

The output head, whose products are the dearest of a small model, sees no other position. This
module knows neither optimizers nor files.
"""

import copy
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import cross_entropy

from edgetune.machine.precision import Precision, autocast
from edgetune.train.batches import Batch, BatchSize, collate, plan_all
from edgetune.train.examples import Tokens
from edgetune.train.token_loss import token_loss

Forward = Callable[[Batch], torch.Tensor]
"""Logits `[loss tokens, vocabulary]` for a batch's targets, as precise as they were computed."""

_SHORT = 256
"""Up to this many tokens, plain matrix products beat the fused attention on CPUs (its backward
pass in bfloat16 took a fifth of a step at 64 tokens)."""

WORTH_SHARING = 32
"""Fewer tokens are sooner computed for each example than shared."""

_MEASURED_TOKENS = 4096
"""Tokens a batch when nothing is learnt."""

_LEARNT_TOKENS = 4096
"""Tokens, with padding, whose gradients are computed at once; a larger step is cut into parts."""


@dataclass(frozen=True)
class DevMetrics:
    """How an adapter does on examples it was not trained on, each token given the right ones."""

    examples: int
    loss: float
    """Mean over the tokens with loss, in nats."""
    token_accuracy: float
    """Share of the tokens with loss that are the likeliest."""
    exact_match: float
    """Share of the examples all of whose tokens with loss are the likeliest."""

    def as_json(self) -> dict[str, float]:
        """The fields as a JSON object."""
        return asdict(self)


class Below(Protocol):
    """The layers below an adapter of the upper ones."""

    count: int
    """How many there are."""

    def __call__(self, batch: Batch, shared: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Hidden states above them, without gradients: `[1, shared, hidden]` of the tokens that all
        examples begin with, and `[batch, longest - shared, hidden]` of the others."""


def loss_logits(
    model: Any, batch: Batch, precision: Precision, below: Below | None = None
) -> torch.Tensor:
    """Logits `[loss tokens, vocabulary]` of a causal LM for a batch's targets.

    What all examples begin with, the list of tools, is computed once, and so are its gradients. Of
    the layers `below` the adapter the hidden states are taken as they are given.
    """
    shared = shared_tokens(batch)
    # Where the layers are compiled (`compiled`), then for the usual step alone: each other kind of
    # input would be compiled anew, for minutes.
    usual = not shared and len(batch.ids) > 1 and torch.is_grad_enabled()
    with autocast(batch.ids.device, precision), attention(batch):
        decoder, first = model.get_decoder(), 0
        beginning, rest = batch.ids[:1, :shared], batch.ids[:, shared:]
        if below is not None:
            decoder, first = _above(decoder, below.count), below.count
            beginning, rest = below(batch, shared)
        with nullcontext() if usual else eager(model):
            _, hidden = through(decoder, beginning, rest, first)
        return model.get_output_embeddings()(hidden[batch.rows, batch.columns - shared])


def learn(forward: Forward, examples: Sequence[Tokens], device: torch.device) -> torch.Tensor:
    """Add the gradients of a step's mean loss over its tokens with loss; the loss.

    A step that would take too much memory is computed in parts: the same sums, in another order.
    """
    batches = [collate(part).to(device) for part in _parts(examples)]
    count = sum(len(batch.rows) for batch in batches)
    total = torch.zeros((), device=device)
    for batch in batches:
        loss = token_loss(forward(batch), batch.targets) * (len(batch.rows) / count)
        loss.backward()
        total += loss.detach()
    return total


def _parts(examples: Sequence[Tokens]) -> list[Sequence[Tokens]]:
    """`examples`, in parts of which none has more than `_LEARNT_TOKENS` where that can be."""
    batch = collate(examples)
    shared = shared_tokens(batch)
    own = batch.ids.shape[1] - shared
    fitting = max(1, (_LEARNT_TOKENS - shared) // own)
    if fitting >= len(examples):
        return [examples]
    by_length = sorted(examples, key=lambda example: len(example.ids))
    return [by_length[first : first + fitting] for first in range(0, len(examples), fitting)]


def through(
    decoder: Any, beginning: torch.Tensor, rest: torch.Tensor, first: int = 0
) -> tuple[torch.Tensor, torch.Tensor]:
    """What `decoder` makes of a beginning that all examples share, and of the rest of each.

    Both are ids, `[1, shared]` and `[batch, tokens]`, or hidden states, `[…, hidden]`, and come
    back as hidden states. `first` is the number of the decoder's first layer.
    """
    given = "input_ids" if rest.dim() == 2 else "inputs_embeds"
    past, begun = None, rest.new_empty(1, 0, decoder.config.hidden_size, dtype=torch.float32)
    if beginning.shape[1]:
        output = decoder(**{given: beginning}, use_cache=True)
        past, begun = output.past_key_values, output.last_hidden_state
        past.batch_repeat_interleave(len(rest))
        # The mask is made for as many tokens as the cache of layer 0 holds, here that of no layer.
        past.layers[:first] = [past.layers[first]] * first
    output = decoder(**{given: rest}, past_key_values=past, use_cache=False)
    return begun, output.last_hidden_state


def _above(decoder: Any, count: int) -> Any:
    """`decoder` without its lower `count` layers; the others are the same modules."""
    upper = copy.copy(decoder)
    upper._modules = decoder._modules | {"layers": decoder.layers[count:]}
    return upper


def is_compiled(model: Any) -> bool:
    """Whether the layers of `model` are compiled (`compiled`)."""
    return model.get_decoder().layers[0]._compiled_call_impl is not None


def eager(model: Any) -> AbstractContextManager[Any]:
    """What leaves the layers of `model` as they are, where they are compiled."""
    if not is_compiled(model):
        return nullcontext()
    stance: AbstractContextManager[Any] = torch.compiler.set_stance("force_eager")
    return stance


def measure(forward: Forward, examples: Sequence[Tokens], device: torch.device) -> DevMetrics:
    """Dev metrics of the model behind `forward`, which is on `device`."""
    loss = correct = tokens = exact = 0.0
    with torch.inference_mode():
        for indices in measured_batches(examples):
            batch = collate([examples[index] for index in indices]).to(device)
            logits = forward(batch).float()
            loss += cross_entropy(logits, batch.targets, reduction="sum").item()
            right = logits.argmax(-1) == batch.targets
            wrong_in = torch.bincount(batch.rows, weights=(~right).float())
            correct += int(right.sum())
            tokens += len(right)
            exact += int((wrong_in == 0).sum())
    return DevMetrics(len(examples), loss / tokens, correct / tokens, exact / len(examples))


def measured_batches(examples: Sequence[Tokens]) -> list[list[int]]:
    """Indices of `examples`, each once, in batches of a size for passes that learn nothing."""
    return plan_all([len(item.ids) for item in examples], BatchSize(0, _MEASURED_TOKENS))


def shared_tokens(batch: Batch) -> int:
    """How many tokens all examples begin with, up to the first that predicts a target."""
    first = int(batch.columns.min())
    same = (batch.ids[:, :first] == batch.ids[0, :first]).all(0)
    count = int(same.long().cumprod(0).sum())
    return count if len(batch.ids) > 1 and count >= WORTH_SHARING else 0


def attention(batch: Batch) -> AbstractContextManager[Any]:
    """What makes attention run by the kernel that is fastest for the batch's lengths."""
    if batch.ids.device.type == "cpu" and batch.ids.shape[1] <= _SHORT:
        return sdpa_kernel(SDPBackend.MATH)
    return nullcontext()
