"""Which training examples are shown under other names, each with the prompts that list those.

The prompts are cut by the same renderer as the toolset's own (`edgetune_export.prompts`). Knows
neither masks of loss nor adapters.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from edgetune.data.records import Example
from edgetune.data.renamed import rename
from edgetune_export.prompts.prefixes import toolset_prompts
from edgetune_export.prompts.template import Template
from edgetune_runtime.calls import Toolset
from edgetune_runtime.prompt import ToolsetPrompts, ToolsShown

RENAMINGS = 256
"""Sets of other names, at the most: rendering one takes some 40 ms, and none is learnt by heart."""


@dataclass(frozen=True)
class Masked:
    """One example under other names."""

    example: Example
    toolset: Toolset
    prompts: ToolsetPrompts


def mask_names(
    template: Template,
    toolset: Toolset,
    shown: ToolsShown,
    examples: Sequence[Example],
    share: float,
    seed: int,
    *,
    shared: bool = False,
) -> dict[int, Masked]:
    """For a `share` of `examples`, drawn at random, by their index: the example under other names.

    Parameters are renamed, too, where their descriptions are shown (`full`): without them nothing
    would say which is which. `shared` is `toolset_prompts`' own.
    """
    rng = Random(f"masked names {toolset.name} {seed}")
    chosen = rng.sample(range(len(examples)), round(share * len(examples)))
    renamings = [
        rename(toolset, rng, parameters=shown == "full") for _ in range(min(RENAMINGS, len(chosen)))
    ]
    prompts = [toolset_prompts(template, each.toolset, shown, shared=shared) for each in renamings]
    masked = {}
    for place, index in enumerate(chosen):
        renamed = renamings[place % len(renamings)]
        shown_so = prompts[place % len(renamings)]
        masked[index] = Masked(renamed.example(examples[index]), renamed.toolset, shown_so)
    return masked
