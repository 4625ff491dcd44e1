"""The static prefixes of a prompt: the system message with the tools, as much of them as is shown.

Made of the base's own chat template (`template`). This module knows nothing of training or bundles.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from edgetune_export.prompts.template import (
    ASK,
    Uncuttable,
    cut_pieces,
    is_native,
    render,
    stripped,
    token_ids,
    user_message,
)
from edgetune_runtime.calls import RESPOND_TOOL, Tool, Toolset
from edgetune_runtime.errors import InputError
from edgetune_runtime.prompt import (
    Pieces,
    RouterPrompts,
    ToolsetPrompts,
    ToolsShown,
    User,
    render_prompt,
)
from edgetune_runtime.routing import as_tools


def toolset_prompts(
    tokenizer: Any, toolset: Toolset, tools_shown: ToolsShown = "full", *, shared: bool = False
) -> ToolsetPrompts:
    """The static prefixes of a toolset: for the base, the selector and each arguments adapter.

    Lists hold the toolset's tools and `respond`; an arguments adapter sees its own tool alone, or
    what the selector sees where the prompt is `shared`. The base always sees the tools in full.
    Raises InputError as `cut_pieces` does.
    """
    prefix = _prefixes(tokenizer)
    every = (*toolset.tools, RESPOND_TOOL)
    selector = prefix(every, tools_shown)
    return ToolsetPrompts(
        tools_shown=tools_shown,
        shared=shared,
        base=prefix(every, "full"),
        selector=selector,
        arguments={
            tool.name: selector if shared else prefix([tool], tools_shown) for tool in toolset.tools
        },
    )


def router_prompts(
    tokenizer: Any, toolsets: Iterable[Toolset], tools_shown: ToolsShown = "full"
) -> RouterPrompts:
    """The static prefixes that list toolsets: for the base and for the router adapter.

    The base always sees their descriptions. Raises InputError as `cut_pieces` does.
    """
    prefix = _prefixes(tokenizer)
    tools = as_tools(toolsets)
    return RouterPrompts(base=prefix(tools, "full"), adapter=prefix(tools, tools_shown))


def _prefixes(tokenizer: Any) -> Callable[[Sequence[Tool], ToolsShown], str]:
    """Makes checked static prefixes of tools and how much of them is shown."""
    native = is_native(tokenizer)
    pieces = cut_pieces(tokenizer)

    def prefix(tools: Sequence[Tool], shown: ToolsShown) -> str:
        text = _prefix(tokenizer, native, pieces, [show_tool(tool, shown) for tool in tools], shown)
        _check_prefix(tokenizer, pieces, text)
        return text

    return prefix


def show_tool(tool: Tool, shown: ToolsShown) -> dict[str, Any]:
    """A tool in the OpenAI format with as much of it as `shown` says."""
    if shown == "names":
        return {"type": "function", "function": {"name": tool.name}}
    full = tool.as_openai()
    if shown == "compact" and "parameters" in full["function"]:
        full["function"]["parameters"] = _without_descriptions(tool.parameters)
    return full


def _without_descriptions(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The schema without the description of any parameter; names of parameters stay."""

    def strip(schema: Any) -> Any:
        if isinstance(schema, list):
            return [strip(item) for item in schema]
        if not isinstance(schema, Mapping):
            return schema
        kept: dict[str, Any] = {}
        for key, value in schema.items():
            if key in ("properties", "$defs", "definitions") and isinstance(value, Mapping):
                kept[key] = {name: strip(child) for name, child in value.items()}
            elif key in ("enum", "const", "default", "required"):
                kept[key] = value
            elif key != "description":
                kept[key] = strip(value)
        return kept

    return strip(parameters)


def _prefix(
    tokenizer: Any,
    native: bool,
    pieces: Pieces,
    tools: Sequence[Mapping[str, Any]],
    shown: ToolsShown,
) -> str:
    """What stands before the first user turn."""
    text = render(tokenizer, native, [user_message(ASK)], None if shown == "none" else tools)
    try:
        return stripped(text.split(ASK)[0], after=pieces.user[0])
    except Uncuttable as reason:
        raise InputError(
            f"{tokenizer.name_or_path}: the chat template puts the tools inside the user's turn "
            f"({reason}); use a template that puts them in the system message."
        ) from reason


def _check_prefix(tokenizer: Any, pieces: Pieces, prefix: str) -> None:
    """Raise InputError unless the static prefix can be tokenized, and prefilled, by itself."""
    turn = render_prompt(pieces, "", [User("Hello there.")])
    if token_ids(tokenizer, prefix) + token_ids(tokenizer, turn) != token_ids(
        tokenizer, prefix + turn
    ):
        raise InputError(
            f"{tokenizer.name_or_path}: the tokenizer joins the system message with the user's "
            "turn; use a chat template whose turns begin with a special token."
        )
