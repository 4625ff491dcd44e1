"""Which source answers for which tool of a bundle, and what is served that nobody trained.

Each toolset of a bundle is answered for by one source, the one with the most of its tools: another
one that offers a tool of the same name gets none of its calls. Prompts, names and grammars of
trained tools are the bundle's, whatever a server says of them today.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from edgetune.agents.sources import Source
from edgetune.tools.control_marks import plain, plain_schema
from edgetune.tools.diff import pair
from edgetune_export.prompts.names import name_trie
from edgetune_runtime.assets import Assets, RouterAssets, ToolsetAssets
from edgetune_runtime.bundle import Bundle
from edgetune_runtime.calls import Toolset
from edgetune_runtime.errors import InputError


@dataclass(frozen=True)
class Served:
    """What an agent serves."""

    assets: Assets
    sources: Mapping[str, Source]
    """By the name of a toolset, who answers for its tools."""
    untrained: frozenset[str]
    """Toolsets that no adapter was trained for."""


def serve(bundle: Bundle, sources: Sequence[Source]) -> Served:
    """The toolsets of `bundle` that some source answers for, and sources that fit none of them.

    Raises InputError where there is nothing to serve, and what `edgetune_export.assets` raises for
    tools that it cannot serve.
    """
    trained = bundle.assets.toolsets
    offered = [source.toolset for source in sources]
    pairs = pair((each.toolset for each in trained.values()), offered)
    by_toolset = {
        name: next(source for source in sources if source.toolset is toolset)
        for name, toolset in pairs.items()
    }
    new = list(_untrained(by_toolset, trained, sources))
    if not by_toolset and not new:
        raise InputError(f"{bundle.path}: no tools are given; name a server by --mcp.")
    toolsets = {name: assets for name, assets in trained.items() if name in by_toolset}
    for source, toolset in new:
        taken = {*toolsets, *trained}
        name = toolset.name
        while name in taken:
            name += "_"
        by_toolset[name] = source
        toolsets[name] = _assets(bundle, replace(toolset, name=name))
    untrained = frozenset(toolsets.keys() - trained.keys())
    router = _router(bundle, toolsets, untrained)
    return Served(replace(bundle.assets, toolsets=toolsets, router=router), by_toolset, untrained)


def _untrained(
    answering: Mapping[str, Source], trained: Mapping[str, ToolsetAssets], sources: Sequence[Source]
) -> list[tuple[Source, Toolset]]:
    """The tools that are to be served by the bare base, a toolset for each source."""
    found = []
    for source in sources:
        known = [trained[name].toolset for name, by in answering.items() if by is source]
        if known and not source.every_tool:
            continue
        tools = tuple(
            tool
            for tool in source.toolset.tools
            if not any(tool.public_name in toolset for toolset in known)
        )
        if tools:
            found.append((source, replace(source.toolset, tools=tools)))
    return found


def _assets(bundle: Bundle, toolset: Toolset) -> ToolsetAssets:
    from edgetune_export.assets import toolset_assets
    from edgetune_export.prompts.template import Template

    plainly = tuple(
        replace(tool, description=plain(tool.description), parameters=plain_schema(tool.parameters))
        for tool in toolset.tools
    )
    return toolset_assets(
        Template.read(bundle.path),
        bundle.assets.vocabulary,
        replace(toolset, tools=plainly),
        lazy=True,
    )


def _router(
    bundle: Bundle, toolsets: Mapping[str, ToolsetAssets], untrained: frozenset[str]
) -> RouterAssets | None:
    """What picks among `toolsets`: the bundle's router as far as it knows them all, else the base,
    which reads what they are for."""
    if len(toolsets) < 2:
        return None
    assets = bundle.assets
    router = assets.router
    if router is not None and not untrained:
        return replace(router, trie=name_trie(assets.tokenizer, assets.pieces, list(toolsets)))
    from edgetune_export.prompts.prefixes import router_prompts
    from edgetune_export.prompts.template import Template

    described = [_described(each.toolset) for each in toolsets.values()]
    return RouterAssets(
        router_prompts(Template.read(bundle.path), described),
        name_trie(assets.tokenizer, assets.pieces, list(toolsets)),
        None,
    )


def _described(toolset: Toolset) -> Toolset:
    """A toolset that says nothing of itself is described by its tools' names."""
    if toolset.description:
        return toolset
    return replace(toolset, description="Tools: " + ", ".join(tool.name for tool in toolset.tools))
