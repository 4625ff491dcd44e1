"""Toolsets taken from MCP servers: each server's tools under safe names, with their annotations.

What a server says is made plain and checked as any tools file is; a tool that cannot be taught is
left out and told. Knows how to ask a server (`connection`), nothing of calls.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mcp.types

from edgetune.tools.connection import connect
from edgetune.tools.control_marks import has_mark, plain, plain_schema
from edgetune.tools.reader import tools_from_list
from edgetune.tools.servers import Server
from edgetune_export.tool_names import safe_names
from edgetune_runtime.calls import Toolset
from edgetune_runtime.errors import InputError
from edgetune_runtime.files import write_json
from edgetune_runtime.toolsets import dump_toolset

VERB = "tools pull"
_DESCRIPTION_CHARACTERS = 300
"""The most of a server's instructions that describe its toolset."""


@dataclass(frozen=True)
class Offer:
    """What a server offers: its toolset, and what it hints at."""

    toolset: Toolset
    annotations: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """By the server's name of a tool: `title`, `readOnlyHint`, `destructiveHint`, … as MCP has
    them. Hints, not proof."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Tools that cannot be taught or called, each with why."""
    neutralised: tuple[str, ...] = ()
    """Tools in whose words stood marks or characters that nobody sees; they were taken out."""

    def as_json(self) -> dict[str, Any]:
        """An entry of `toolsets` in a tools file, which `tools.reader` reads."""
        entry = dump_toolset(self.toolset)
        for tool, value in zip(self.toolset.tools, entry["tools"], strict=True):
            if found := self.annotations.get(tool.public_name):
                value["annotations"] = dict(found)
        return entry


def pull(server: Server) -> Offer:
    """Ask a server for its tools. Raises InputError where it cannot be reached or has none."""
    with connect(server) as connection:
        name = server.name or server.guessed_name
        return offer(connection.tools, name, plain(connection.instructions))


def offer(tools: Sequence[mcp.types.Tool], name: str, description: str = "") -> Offer:
    """The offer of a list of tools; `name` is made safe. Raises InputError where none is usable."""
    name = safe_names([name])[name]
    listed: list[Any] = []
    left_out: dict[str, str] = {}
    for tool in tools:
        entry = {
            "name": tool.name,
            "description": plain(tool.description or tool.title or ""),
            "inputSchema": plain_schema(tool.input_schema),
        }
        try:
            if has_mark([tool.name, entry["inputSchema"]]):
                raise InputError("marks of a chat template stand in its names or values.")
            tools_from_list([entry], name, name)
        except InputError as error:
            left_out[plain(tool.name)] = str(error).removeprefix(f"{name}: ")
        else:
            listed.append(entry)
    if not listed:
        why = "; ".join(f"{each}: {reason}" for each, reason in left_out.items())
        raise InputError(f"{name}: the server has no tool that can be taught ({why or 'none'}).")
    toolset = tools_from_list(listed, name, name, _first_words(description))
    kept = {entry["name"] for entry in listed}
    return Offer(
        toolset,
        {tool.name: _annotations(tool) for tool in tools if tool.name in kept},
        left_out,
        tuple(
            tool.name
            for tool in tools
            if tool.name in kept and has_mark([tool.description or "", tool.input_schema])
        ),
    )


def write_offers(path: Path, offers: Sequence[Offer]) -> None:
    """Write a tools file. Raises InputError for two toolsets of one name."""
    write_json(path, offers_json(offers))


def offers_json(offers: Sequence[Offer]) -> dict[str, Any]:
    """A tools file as a JSON value. Raises InputError for two toolsets of one name."""
    names = [each.toolset.name for each in offers]
    for name in names:
        if names.count(name) > 1:
            raise InputError(
                f"two servers are called '{name}'; name them in an mcpServers file, or pull them "
                "into two files."
            )
    return {"verb": VERB, "toolsets": [each.as_json() for each in offers]}


def is_pulled(path: Path) -> bool:
    """Whether `path` is a file that `write_offers` wrote."""
    try:
        found = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and found.get("verb") == VERB


def _annotations(tool: mcp.types.Tool) -> dict[str, Any]:
    found = (
        tool.annotations.model_dump(by_alias=True, exclude_none=True) if tool.annotations else {}
    )
    if tool.title:
        found["title"] = tool.title
    return {key: plain(value) if isinstance(value, str) else value for key, value in found.items()}


def _first_words(text: str) -> str:
    """The first paragraph, as far as it is short."""
    first = " ".join(text.strip().split("\n\n")[0].split())
    if len(first) <= _DESCRIPTION_CHARACTERS:
        return first
    return first[:_DESCRIPTION_CHARACTERS].rsplit(" ", 1)[0] + " …"
