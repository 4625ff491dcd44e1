"""The static prefixes of a prompt: the system message with the tools, as much of them as is shown.

Made of the base's own chat template (`template`). This module knows nothing of training or bundles.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from edgetune_export.prompts.cut import ASK, Uncuttable, stripped
from edgetune_export.prompts.messages import user_message
from edgetune_export.prompts.template import Template
from edgetune_runtime.calls import RESPOND_TOOL, Tool, Toolset
from edgetune_runtime.errors import InputError
from edgetune_runtime.prompt import (
    RouterPrompts,
    ToolsetPrompts,
    ToolsShown,
    User,
    render_prompt,
)


def toolset_prompts(
    template: Template, toolset: Toolset, tools_shown: ToolsShown = "full", *, shared: bool = False
) -> ToolsetPrompts:
    """The static prefixes of a toolset: for the base, the selector and each arguments adapter.

    Lists hold the toolset's tools and `respond`; an arguments adapter sees its own tool alone, or
    what the selector sees where the prompt is `shared`. The base always sees the tools in full.
    Raises InputError for a template that shows tools in another place.
    """
    every = (*toolset.tools, RESPOND_TOOL)
    selector = _prefix(template, every, tools_shown)
    return ToolsetPrompts(
        tools_shown=tools_shown,
        shared=shared,
        base=_prefix(template, every, "full"),
        selector=selector,
        arguments={
            tool.name: selector if shared else _prefix(template, [tool], tools_shown)
            for tool in toolset.tools
        },
    )


def router_prompts(
    template: Template, toolsets: Iterable[Toolset], tools_shown: ToolsShown = "full"
) -> RouterPrompts:
    """The static prefixes that list toolsets: for the base and for the router adapter.

    The base always sees their descriptions. Raises InputError as `toolset_prompts` does.
    """
    tools = as_tools(toolsets)
    return RouterPrompts(
        base=_prefix(template, tools, "full"), adapter=_prefix(template, tools, tools_shown)
    )


def reply_prefix(template: Template) -> str:
    """The static prefix where the base answers in words: the template's own, without any tools."""
    return _own_prefix(template, None)


def bare_prefix(template: Template) -> str:
    """The static prefix that shows nothing: the mark that begins every text, where a base has one.

    The system message that some templates put in by themselves is left out: it tells a trained
    adapter nothing, and has to be read with every request.
    """
    mark = template.special_tokens.get("bos_token", "")
    if template.pieces.user[0].startswith(mark) or not reply_prefix(template).startswith(mark):
        return ""
    return mark


def as_tools(toolsets: Iterable[Toolset]) -> tuple[Tool, ...]:
    """Each toolset as the tool that a router sees: its name and description."""
    return tuple(Tool(toolset.name, toolset.description) for toolset in toolsets)


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


def _prefix(template: Template, tools: Sequence[Tool], shown: ToolsShown) -> str:
    """What stands before the first user turn, with as much of `tools` as is `shown`."""
    if shown == "none":
        return bare_prefix(template)
    return _own_prefix(template, [show_tool(tool, shown) for tool in tools])


def _own_prefix(template: Template, listed: Sequence[Mapping[str, Any]] | None) -> str:
    """What the template puts before the first user turn, checked to be tokenized, and prefilled, by
    itself."""
    text = template.render([user_message(ASK)], listed)
    try:
        prefix = stripped(text.split(ASK)[0], after=template.pieces.user[0])
    except Uncuttable as reason:
        raise InputError(
            f"{template.name}: the chat template puts the tools inside the user's turn "
            f"({reason}); use a template that puts them in the system message."
        ) from reason
    turn = render_prompt(template.pieces, "", [User("Hello there.")])
    if template.ids(prefix) + template.ids(turn) != template.ids(prefix + turn):
        raise InputError(
            f"{template.name}: the tokenizer joins the system message with the user's turn; use a "
            "chat template whose turns begin with a special token."
        )
    return prefix
