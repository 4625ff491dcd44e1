"""What a calibrated quantizer reads: token ids of training records, as the adapters see them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgetune.data.records import Example
from edgetune.train.examples import adapters_data
from edgetune_export.prompts.prefixes import toolset_prompts
from edgetune_export.prompts.template import Template
from edgetune_runtime.calls import Toolset
from edgetune_runtime.errors import InputError
from edgetune_runtime.prompt import ToolsShown

TOKENS = 32_768
"""Tokens to calibrate on. For a base of nano's size a half, and an eighth, gave as good a base."""


def calibration_ids(
    template: Template,
    records: Sequence[tuple[Toolset, Sequence[Example]]],
    shown: ToolsShown,
    max_length: int,
) -> list[NDArray[np.int32]]:
    """Examples of every adapter of all toolsets, drawn at random, until they have `TOKENS` tokens.

    `max_length` is in tokens; longer examples are left out. The same examples give the same draw.
    Raises InputError where no example is short enough.
    """
    pool = [
        example.ids
        for toolset, examples in records
        for adapter in adapters_data(
            template,
            toolset_prompts(template, toolset, shown),
            toolset,
            examples,
            [],
            monolithic=False,
            max_length=max_length,
        )
        for example in adapter.train
    ]
    if not pool:
        raise InputError(
            f"calibration: none of the examples has at most {max_length} tokens; show "
            "less of the tools, or take another method."
        )
    order = np.random.default_rng(0).permutation(len(pool))
    lengths = np.cumsum([len(pool[index]) for index in order])
    enough = int(np.searchsorted(lengths, TOKENS)) + 1
    return [pool[index] for index in order[:enough]]
