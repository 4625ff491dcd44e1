"""Everything but the engine that the two-stage loop needs: one tokenizer, toolsets, adapters.

A bundle gives it (`bundle.open_bundle`), a training run (`edgetune_export.run`), and any tools that
were met a minute ago (`edgetune_export.assets`): all are driven by the same agent.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from edgetune_runtime.automaton import Automaton
from edgetune_runtime.calls import Toolset
from edgetune_runtime.prompt import Pieces, RouterPrompts, ToolsetPrompts
from edgetune_runtime.trie import NameTrie
from edgetune_runtime.vocabulary import Vocabulary

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
    """One toolset with its prompts, names, grammars and the names of its adapters."""

    toolset: Toolset
    prompts: ToolsetPrompts
    trie: NameTrie
    """Of the tools' names and `respond`."""
    automata: Mapping[str, Automaton]
    """Tool name to its grammar. A tool without parameters has none: its arguments are `{}`."""
    selector: str | None = None
    arguments: Mapping[str, str] = field(default_factory=dict)
    """Tool name to adapter name; the bare base writes the arguments of a tool that has none."""
    monolithic: str | None = None
    copied: Mapping[str, Collection[str]] = field(default_factory=dict)
    """Tool name to the parameters whose values are copied from the conversation (`spans`)."""


@dataclass(frozen=True)
class RouterAssets:
    """What picks the toolset where there are several.

    A toolset is shown, learnt and decoded as a tool of its own name without parameters, so the same
    renderer, trie and decoding serve both levels. The bare base routes by the toolsets'
    descriptions, a router adapter by what it was trained on. A step that needs no tool is routed,
    too: `respond` is for the toolset's selector to say, which was trained on such requests.
    """

    prompts: RouterPrompts
    trie: NameTrie
    """Of the toolsets' names."""
    adapter: str | None
    """None where the bare base alone routes."""


@dataclass(frozen=True)
class Assets:
    """What an agent needs beside an engine."""

    tokenizer: Tokenizer
    vocabulary: Vocabulary
    pieces: Pieces
    reply: str
    """What stands before the conversation where the bare base answers in words."""
    toolsets: Mapping[str, ToolsetAssets]
    adapters: Mapping[str, AdapterSource]
    end_tokens: tuple[int, ...]
    """Ids that end what the bare base writes in words."""
    router: RouterAssets | None = None
    skill: str | None = None
    """The adapter that serves tools which nobody trained; it reads what the bare base reads."""
