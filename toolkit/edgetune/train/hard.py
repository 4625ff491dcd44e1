"""The last part of a selector's training, on what it confuses: hard negatives of its own.

When that part begins, the selector so far says how sure it is of each training example (never of a
dev one). Those that it gets wrong or nearly so take the place of some of the planned examples, each
with one of the tool that it was taken for. How many steps there are, and how long they are, stays.
Knows token ids, not tools: a name is the tokens with loss.
"""

import json
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from edgetune.settings import HardNegatives
from edgetune.train.adapter import Job
from edgetune.train.batches import collate
from edgetune.train.examples import Tokens
from edgetune.train.passes import Forward, measured_batches
from edgetune_runtime.errors import InputError
from edgetune_runtime.files import write_json

NEAR = 0.9
"""An example whose own tool is less probable than this is confused, or nearly so."""
REPEATS = 4
"""How often one mined example is trained on in this part, at the most."""

Name = tuple[int, ...]
"""The tokens of a tool's name with what closes it, as a call has them."""


@dataclass(frozen=True)
class Confusion:
    """A training example that the selector is not sure of."""

    index: int
    probability: float
    """Of its own tool, among all tools."""
    counterpart: int
    """Index of an example of the likeliest other tool."""


class HardTail:
    """The plan of the last part, mined once and kept in a file."""

    def __init__(self, settings: HardNegatives, job: Job, path: Path) -> None:
        """Raises InputError where `settings.epochs` are no less than the whole training."""
        self._settings, self._job, self._path = settings, job, path
        wanted, start = settings.epochs * len(job.data.train), len(job.plan)
        while start > 0 and wanted > 0:
            start -= 1
            wanted -= len(job.plan[start])
        if start == 0:
            raise InputError(
                f"'selector.hard_negatives.epochs: {settings.epochs:g}' contradicts what the "
                f"selector is trained for ({len(job.plan)} steps, by 'train.epochs' or "
                "'train.steps'): nothing is left before it; lower it, or train for longer."
            )
        self.start = start
        """The first step of the last part."""

    def plan(self, forward: Forward, device: torch.device) -> list[list[int]]:
        """The whole plan with mined examples from `start` on.

        From its file where it was mined before; else mined with the selector as it is now, and
        written down before anything is trained on it. Raises InputError where the file is damaged.
        """
        if not self._path.exists():
            found = confusions(forward, device, self._job.data.train, self._most())
            tail = _replaced(self._job, self.start, self._settings.share, found)
            listed = [asdict(confusion) for confusion in found]
            write_json(self._path, {"start": self.start, "confusions": listed, "plan": tail})
        try:
            tail = json.loads(self._path.read_text(encoding="utf-8"))["plan"]
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{self._path}: cannot be read ({error}); choose another --output."
            ) from error
        return [*self._job.plan[: self.start], *tail]

    def _most(self) -> int:
        """How many confusions there is room for: each brings its counterpart along."""
        planned = sum(len(step) for step in self._job.plan[self.start :])
        return math.ceil(self._settings.share * planned / 2)


def confusions(
    forward: Forward,
    device: torch.device,
    examples: Sequence[Tokens],
    most: int,
) -> list[Confusion]:
    """The `most` least sure of the examples below `NEAR`, least sure first.

    A counterpart is the least sure example of the other tool that was not taken yet.
    """
    by_name: dict[Name, list[int]] = defaultdict(list)
    own = _log_probabilities(forward, device, examples)
    order = np.argsort(own, kind="stable").tolist()
    for index in order:
        by_name[_name(examples[index])].append(index)
    taken = dict.fromkeys(by_name, 0)
    found = []
    for index in order[:most]:
        if np.exp(own[index]) >= NEAR or len(by_name) < 2:
            break
        among = _among(forward, device, examples[index], list(by_name))
        mine = _name(examples[index])
        rival = max((name for name in by_name if name != mine), key=among.__getitem__)
        if among[mine] < NEAR:
            counterpart = by_name[rival][taken[rival] % len(by_name[rival])]
            taken[rival] += 1
            found.append(Confusion(index, round(among[mine], 4), counterpart))
    return found


def _replaced(job: Job, start: int, share: float, found: Sequence[Confusion]) -> list[list[int]]:
    """The steps from `start` on, with mined examples in the place of some, of alike length."""
    steps = [list(step) for step in job.plan[start:]]
    mined = [index for each in found for index in (each.index, each.counterpart)] * REPEATS
    places = [(row, column) for row, step in enumerate(steps) for column in range(len(step))]
    chance = np.random.default_rng(job.train.seed)
    drawn = chance.permutation(len(places))[: min(len(mined), round(share * len(places)))]
    lengths = [len(example.ids) for example in job.data.train]
    chosen = sorted((places[place] for place in drawn), key=lambda at: lengths[steps[at[0]][at[1]]])
    for (row, column), index in zip(
        chosen, sorted(mined[: len(chosen)], key=lengths.__getitem__), strict=True
    ):
        steps[row][column] = index
    return steps


def _log_probabilities(
    forward: Forward, device: torch.device, examples: Sequence[Tokens]
) -> NDArray[np.float64]:
    """`[examples]`: of each one's own name, each token given those before it, over all tokens."""
    found = np.zeros(len(examples))
    with torch.inference_mode():
        for indices in measured_batches(examples):
            batch = collate([examples[index] for index in indices]).to(device)
            logits = forward(batch).float().log_softmax(-1)
            each = logits.gather(1, batch.targets[:, None])[:, 0]
            sums = torch.zeros(len(indices), device=device).index_add_(0, batch.rows, each)
            found[indices] = sums.cpu().numpy()
    return found


def _among(
    forward: Forward, device: torch.device, example: Tokens, names: Sequence[Name]
) -> dict[Name, float]:
    """The probability of each of `names` after the example's prompt; they add up to 1."""
    prompt = example.ids[: len(example.ids) - len(_name(example))]
    rows = []
    for name in names:
        ids = np.concatenate([prompt, np.asarray(name, dtype=np.int32)])
        rows.append(Tokens(ids, np.arange(len(ids)) >= len(prompt)))
    logs = _log_probabilities(forward, device, rows)
    weights = np.exp(logs - logs.max())
    return dict(zip(names, (weights / weights.sum()).tolist(), strict=True))


def _name(example: Tokens) -> Name:
    return tuple(example.ids[example.loss].tolist())
