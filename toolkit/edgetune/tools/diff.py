"""What changed between the tools that a bundle was made for and those that are offered now.

An adapter is to be trained anew where what it reads of the tools in its prompt, or what it may
write, is no longer what it was trained on. Knows toolsets and how prompts show them, no server.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from edgetune_export.prompts.prefixes import show_tool
from edgetune_runtime.assets import ToolsetAssets
from edgetune_runtime.calls import Tool, Toolset
from edgetune_runtime.prompt import ToolsShown


@dataclass(frozen=True)
class ToolsetDiff:
    """One toolset of a bundle beside what is offered in its place; tools by their public names."""

    toolset: str
    offered: str | None
    """The name of what is offered; None where nothing is that has one of its tools."""
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: Mapping[str, tuple[str, ...]]
    """What changed of a tool: its `description`, its `parameters`, or `words` in those alone."""
    train: tuple[str, ...]
    """Adapters of the bundle that are to be trained anew, and those that it lacks."""

    @property
    def same(self) -> bool:
        """Whether nothing changed."""
        return self.offered is not None and not (self.added or self.removed or self.changed)

    def as_json(self) -> dict[str, Any]:
        """The fields as a JSON value, with `same`."""
        return {**asdict(self), "same": self.same}


def pair(toolsets: Iterable[Toolset], offered: Sequence[Toolset]) -> dict[str, Toolset]:
    """By name, each of `toolsets` that has tools in common with some of `offered`, and the one with
    which it has the most; of several that have as many, the one of its own name or the first."""
    pairs = {}
    for toolset in toolsets:
        names = set(toolset.public.names[:-1])
        shared = [len(names & set(other.public.names[:-1])) for other in offered]
        if any(shared):
            best = [other for other, n in zip(offered, shared, strict=True) if n == max(shared)]
            pairs[toolset.name] = next((x for x in best if x.name == toolset.name), best[0])
    return pairs


def compare(served: Mapping[str, ToolsetAssets], offered: Sequence[Toolset]) -> list[ToolsetDiff]:
    """Each toolset of a bundle beside the one of `offered` that has the most of its tools."""
    pairs = pair((each.toolset for each in served.values()), offered)
    return [_compare(assets, pairs.get(name)) for name, assets in served.items()]


def _compare(assets: ToolsetAssets, offered: Toolset | None) -> ToolsetDiff:
    old = {tool.public_name: tool for tool in assets.toolset.tools}
    if offered is None:
        return ToolsetDiff(assets.toolset.name, None, (), tuple(old), {}, ())
    new = {tool.public_name: tool for tool in offered.tools}
    both = [name for name in old if name in new]
    found = ToolsetDiff(
        assets.toolset.name,
        offered.name,
        tuple(name for name in new if name not in old),
        tuple(name for name in old if name not in new),
        {name: what for name in both if (what := tuple(_changes(old[name], new[name])))},
        (),
    )
    return ToolsetDiff(**{**asdict(found), "train": tuple(_stale(assets, old, new))})


def _changes(old: Tool, new: Tool) -> Iterator[str]:
    if old.description != new.description:
        yield "description"
    if _grammar(old) != _grammar(new):
        yield "parameters"
    elif old.parameters != new.parameters:
        yield "words"


def _stale(
    assets: ToolsetAssets, old: Mapping[str, Tool], new: Mapping[str, Tool]
) -> Iterator[str]:
    """The adapters whose prompt or grammar is another one."""
    prompts, name = assets.prompts, assets.toolset.name
    moved = {each for each in old.keys() & new.keys() if _seen(old[each], new[each], prompts)}
    listed = old.keys() != new.keys() or bool(moved)
    arguments = []
    for tool in new.values():
        known = old.get(tool.public_name)
        if known is None:
            again = True
        elif prompts.shared:
            again = listed and prompts.tools_shown != "none"
        else:
            again = tool.public_name in moved
        again = again or (known is not None and _grammar(known) != _grammar(tool))
        if again and tool.has_parameters:
            adapter = assets.arguments.get(known.name) if known else None
            arguments.append(adapter or f"{name}.arguments.{tool.name}")
    if listed and assets.selector:
        yield assets.selector
    if (listed or arguments) and assets.monolithic:
        yield assets.monolithic
    if assets.selector:
        yield from arguments


def _seen(old: Tool, new: Tool, prompts: Any) -> bool:
    """Whether the prompt shows another tool."""
    shown: ToolsShown = prompts.tools_shown
    if shown == "none":
        return False
    return show_tool(old, shown) != show_tool(new, shown)


def _grammar(tool: Tool) -> dict[str, Any]:
    """What may be written: the schema without its words."""
    return show_tool(tool, "compact")["function"].get("parameters", {})
