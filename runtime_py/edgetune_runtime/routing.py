"""Which toolset serves the next step, where there are several: the level above selection.

A toolset is shown, learnt and decoded as a tool of its own name without parameters, so the same
renderer, trie and decoding serve both levels. The bare base routes by the toolsets' descriptions, a
router adapter by what it was trained on. A step that needs no tool is routed, too: `respond` is for
the toolset's selector to say, which was trained on such requests.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from edgetune_runtime.assets import Assets
from edgetune_runtime.calls import Tool, Toolset
from edgetune_runtime.trie import NameTrie


def as_tools(toolsets: Iterable[Toolset]) -> tuple[Tool, ...]:
    """Each toolset as the tool that a router sees: its name and description."""
    return tuple(Tool(toolset.name, toolset.description) for toolset in toolsets)


@dataclass(frozen=True)
class Router:
    """What a toolset is picked with."""

    adapter: str | None
    """None for the bare base."""
    prefix: str
    trie: NameTrie


def open_router(assets: Assets, trained: bool) -> Router | None:
    """The router of `assets`: its adapter if `trained` and if it has one, else the bare base.

    None where there is one toolset, or where the assets have no prompts for routing. Raises
    InputError where two toolsets' names cannot be told apart by their tokens.
    """
    if assets.router is None or len(assets.toolsets) < 2:
        return None
    prompts = assets.router.prompts
    adapter = assets.router.adapter if trained else None
    trie = NameTrie(assets.tokenizer, assets.pieces, tuple(assets.toolsets))
    return Router(adapter, prompts.base if adapter is None else prompts.adapter, trie)
