"""What pretraining minimises, and what it is judged by: losses and accuracies by kind of token.

Hidden states come first, logits only where something is to be learnt. It knows nothing of steps,
rates or files.
"""

from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F
from transformers import Qwen2ForCausalLM

from edgetune.machine.precision import autocast, best_precision
from edgetune.nano import batches as bt
from edgetune.nano.attention import PLAIN
from edgetune.nano.recipe import Recipe

HELD_OUT = 7_919
"""Added to the seed: tools and requests that training never sees."""
HELD_OUT_GROUPS = 160
"""How many sets of tools it is judged on."""


class Objective:
    """Hidden states, then logits where something is to be learnt; weights by kind of token."""

    def __init__(self, model: Qwen2ForCausalLM, recipe: Recipe, device: torch.device) -> None:
        self.model, self.device = model, device
        self.precision = best_precision("auto", device)
        if device.type == "cpu":
            model.set_attn_implementation(PLAIN)
        self.weights = torch.tensor(
            [0.0, recipe.request_weight, recipe.opening_weight, 1, 1, 1, 1], device=device
        )

    def logits(
        self, batch: bt.Batch, thin: bool = False
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """(logits `[n, vocabulary]`, targets `[n]`, weights `[n]`) at the positions that count."""
        ids = torch.from_numpy(batch.ids).to(self.device)
        branch = torch.from_numpy(batch.branches.astype(np.int64)).to(self.device)
        length = ids.shape[1]
        seen = (branch[:, :, None] == branch[:, None, :]) | (branch[:, None, :] == 0)
        seen &= torch.ones(length, length, dtype=torch.bool, device=self.device).tril()
        mask = torch.zeros(seen.shape, dtype=getattr(torch, self.precision), device=self.device)
        mask = mask.masked_fill(~seen, torch.finfo(mask.dtype).min)[:, None]
        positions = torch.from_numpy(batch.positions).to(self.device)
        weight = self.weights[torch.from_numpy(batch.kinds.astype(np.int64)).to(self.device)][:, 1:]
        with autocast(self.device, self.precision):
            hidden = self.model.model(
                input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=False
            ).last_hidden_state
            keep = weight > 0
            if (
                thin
            ):  # a third of the request's positions, at three times the weight: as good, cheaper
                request = weight == self.weights[bt.REQUEST]
                keep &= ~request | (torch.rand(weight.shape, device=self.device) < 1 / 3)
                weight = torch.where(request, 3 * weight, weight)
            logits = self.model.lm_head(hidden[:, :-1][keep])
        return logits.float(), ids[:, 1:][keep], weight[keep]

    def loss(self, batch: bt.Batch) -> torch.Tensor:
        """Weighted mean cross-entropy."""
        logits, targets, weight = self.logits(batch, thin=True)
        return (F.cross_entropy(logits, targets, reduction="none") * weight).sum() / weight.sum()

    @torch.no_grad()
    def accuracy(self, held_out: list[bt.Batch]) -> dict[str, float]:
        """Shares of what is wholly right under teacher forcing: names, values, whole arguments."""
        right: dict[str, list[bool]] = {
            "name": [],
            "respond": [],
            "value": [],
            "pseudo": [],
            "arguments": [],
        }
        for batch in held_out:
            logits, targets, _ = self.logits(batch)
            flags = np.ones(batch.ids.shape, bool)
            kinds = self.weights.cpu().numpy()[batch.kinds] > 0
            kinds[:, 0] = False
            flags[kinds] = (logits.argmax(-1) == targets).cpu().numpy()
            for row in range(len(flags)):
                _score_row(flags[row], batch.kinds[row], batch.branches[row], right)
        return {
            f"{key}_accuracy": round(float(np.mean(hits)), 4) for key, hits in right.items() if hits
        }


def _score_row(
    flags: np.ndarray, kinds: np.ndarray, branches: np.ndarray, right: dict[str, list[bool]]
) -> None:
    for branch in range(1, int(branches[branches < 255].max()) + 1):
        at = branches == branch
        kind, hit = kinds[at], flags[at]
        if (kind == bt.NAME).any():
            right["name"].append(bool(hit[kind == bt.NAME].all()))
        if not (kind >= bt.VALUE).any():
            continue
        right["arguments"].append(bool(hit[kind > bt.NAME].all()))
        for label, which in (("value", bt.VALUE), ("pseudo", bt.PSEUDO)):
            edges = np.flatnonzero(
                np.diff(np.concatenate(([0], (kind == which).astype(np.int8), [0])))
            )
            for start, end in edges.reshape(-1, 2):
                right[label].append(bool(hit[start:end].all()))


def held_out_batches(recipe: Recipe, tokenizer: Path) -> list[bt.Batch]:
    """Groups of tools that training never sees, ordinary ones and copy drills."""
    maker = bt.GroupMaker(tokenizer)
    made = [
        maker.group(recipe.seed + HELD_OUT, index, easy=index % 8 == 0)
        for index in range(HELD_OUT_GROUPS)
    ]
    made = sorted((g for g in made if len(g.ids) <= 900), key=lambda g: len(g.ids))
    return [bt.pad(made[i : i + 20]) for i in range(0, len(made), 20)]
