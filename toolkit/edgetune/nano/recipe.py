"""What a pretraining of `nano` is told, and what follows from it step by step.

It knows numbers alone: neither model nor data.
"""

import math
from dataclasses import dataclass, fields
from pathlib import Path

import yaml

from edgetune_runtime.errors import InputError


@dataclass(frozen=True)
class Recipe:
    """What `configs/nano/pretrain.yaml` says; each field is one of its keys."""

    seed: int = 1
    steps: int = 2000
    tokens: int = 4096  # per step, padding included
    hidden: int = 256
    layers: int = 6
    heads: int = 4
    kv_heads: int = 2
    intermediate: int = 768
    muon_rate: float = 0.02
    adam_rate: float = 3e-3
    weight_decay: float = 0.01
    warmup: int = 100
    easy_steps: int = 200  # the opening of the curriculum: short prompts, copy drills
    easy_share: float = 0.8  # of the groups in that opening; later on it is `drill_share`
    drill_share: float = 0.06
    decay: float = 0.25  # share of the steps over which the rate falls to zero
    int4: float = 0.2  # share of the steps that see int4 weights
    request_weight: float = 0.2
    opening_weight: float = 0.1
    evaluate_every: int = 50
    save_minutes: float = 5.0
    threads: int = 0
    tokenizer_records: int = 30_000
    chunk: int = 32  # steps whose batches are made together


_MAY_BE_NONE = ("seed", "warmup", "easy_steps", "threads")
"""Whole numbers that may be 0."""


def read_recipe(path: Path) -> Recipe:
    """The recipe in a YAML file.

    Raises InputError for a file that says nothing, an unknown key, or a value that is no number of
    the key's kind.
    """
    if not path.is_file():
        raise InputError(f"{path}: there is no such file; give a recipe of nano.")
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError) as error:
        raise InputError(f"{path}: is not valid YAML ({' '.join(str(error).split())}).") from error
    if not isinstance(raw, dict) or not raw:
        raise InputError(
            f"{path}: found no keys, expected some as in configs/nano/pretrain.yaml; write one "
            "at least."
        )
    unknown = sorted(map(str, set(raw) - {f.name for f in fields(Recipe)}))
    if unknown:
        raise InputError(
            f"{path}: found the unknown key '{unknown[0]}', expected some of "
            f"{[f.name for f in fields(Recipe)]}; correct it."
        )
    for field in fields(Recipe):
        value, whole = raw.get(field.name, field.default), isinstance(field.default, int)
        kinds = (int,) if whole else (int, float)
        # YAML's `yes` is true, and true is 1 to Python.
        least = 1 if whole and field.name not in _MAY_BE_NONE else 0
        if isinstance(value, bool) or not isinstance(value, kinds) or not least <= value < math.inf:
            raise InputError(
                f"{path}: '{field.name}' is {value!r}, expected a {'whole ' * whole}number from "
                f"{least} on; correct it."
            )
    return Recipe(**raw)


def rate_factor(step: int, recipe: Recipe) -> float:
    """The learning rate's factor at `step`: warm-up, constant, linear decay."""
    decay_steps = max(1, int(recipe.steps * recipe.decay))
    return min(
        1.0, (step + 1) / max(1, recipe.warmup), max(0.0, (recipe.steps - step) / decay_steps)
    )


def easy_share(step: int, recipe: Recipe) -> float:
    """The share of easy groups at `step`."""
    if step < recipe.easy_steps:
        return recipe.easy_share
    if step < 2 * recipe.easy_steps:
        return max(recipe.drill_share, recipe.easy_share * 0.4)
    return recipe.drill_share
