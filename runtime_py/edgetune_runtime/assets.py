"""Everything but the engine that the two-stage loop needs: one tokenizer, toolsets, adapters.

A bundle gives it (`bundle.open_bundle`), and so does a training run (`edgetune_export.run`), so
that both are driven by the same agent.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from edgetune_runtime.automaton import Automaton
from edgetune_runtime.calls import Toolset
from edgetune_runtime.prompt import Pieces, RouterPrompts, ToolsetPrompts

Tensors = Mapping[str, NDArray[np.floating]]
"""A blob's tensors by name: `<slot>.lora_A` `[in, r]` and `<slot>.lora_B` `[r, out]`."""


@dataclass(frozen=True)
class AdapterSource:
    """An adapter that is not loaded yet."""

    name: str
    rank: int
    sha256: str
    """Hash of its content: the key under which prefixes are cached."""
    bytes: int
    load: Callable[[], Tensors]
    invocation: tuple[int, ...] = ()
    """Of an activated LoRA: the ids from which on it acts; the bare base reads those before."""
    selection_temperature: float = 1.0
    """What calibrates the probabilities of a selection that this adapter makes (`decode`)."""


@dataclass(frozen=True)
class ToolsetAssets:
    """One toolset with its prompts, grammars and the names of its adapters."""

    toolset: Toolset
    prompts: ToolsetPrompts
    automata: Mapping[str, Automaton]
    """Tool name to its grammar; tools without parameters have none."""
    selector: str | None
    arguments: Mapping[str, str]
    monolithic: str | None
    copied: Mapping[str, Collection[str]] = field(default_factory=dict)
    """Tool name to the parameters whose values are copied from the conversation (`spans`)."""


@dataclass(frozen=True)
class RouterAssets:
    """What picks the toolset where there are several (`routing`)."""

    prompts: RouterPrompts
    adapter: str | None
    """None where the bare base alone routes."""


@dataclass(frozen=True)
class Assets:
    """What an agent needs beside an engine."""

    tokenizer: Tokenizer
    pieces: Pieces
    toolsets: Mapping[str, ToolsetAssets]
    adapters: Mapping[str, AdapterSource]
    end_tokens: tuple[int, ...]
    router: RouterAssets | None = None
