"""An MCP server as a source of an agent's tools: answers made text, secrets taken out.

What a server offers is read once, when it is connected: a list that it changes later adds nothing.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

import mcp.types

from edgetune.agents.secrets import Secrets
from edgetune.agents.sources import Outcome, SourceGone
from edgetune.tools.connection import Answer, Connection, ConnectionLost
from edgetune.tools.control_marks import plain
from edgetune.tools.pull import offer
from edgetune_runtime.calls import Toolset

_WRITING = re.compile(
    r"add|append|assign|cancel|clear|close|commit|copy|create|delete|deploy|drop|edit|exec|execute"
    r"|forget|format|insert|install|kill|merge|modify|move|overwrite|patch|pay|post|publish|purge"
    r"|push|put|rebase|remove|rename|replace|reset|restart|revert|run|save|send|set|share|start|stop"
    r"|submit|transfer|truncate|uninstall|update|upload|write"
)
"""Words of a name that contradict a hint that the tool changes nothing."""
_NAME_PARTS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


class McpSource:
    """A connected server."""

    every_tool = False

    def __init__(self, connection: Connection) -> None:
        server = connection.server
        found = offer(
            connection.tools,
            server.name or server.guessed_name,
            plain(connection.instructions),
        )
        self.toolset: Toolset = found.toolset
        self.secrets: Mapping[str, str] = server.secrets
        self._hidden = Secrets(server.secrets)
        self._connection = connection
        self._hints = found.annotations

    def read_only(self, tool: str) -> bool:
        """Its hint, unless another hint or the tool's own name contradicts it."""
        hints = self._hints.get(tool, {})
        parts = _NAME_PARTS.findall(tool)
        return (
            hints.get("readOnlyHint") is True
            and hints.get("destructiveHint") is not True
            and not any(_WRITING.fullmatch(part.lower()) for part in parts)
        )

    def call(self, tool: str, arguments: Mapping[str, Any], seconds: float) -> Outcome:
        """As `Source.call` has it."""
        try:
            answer = self._connection.call(tool, arguments, seconds)
        except ConnectionLost as error:
            raise SourceGone(str(error)) from error
        text = self._hidden.hide(as_text(answer))
        return Outcome(text, "error") if answer.is_error else Outcome(text)


def as_text(answer: Answer) -> str:
    """An answer's texts, a word on what is none, or its structure where there is nothing else."""
    texts = [_block(block) for block in answer.content]
    if not texts and answer.structured is not None:
        return json.dumps(answer.structured, ensure_ascii=False)
    return "\n".join(texts)


def _block(block: mcp.types.ContentBlock) -> str:
    match block:
        case mcp.types.TextContent():
            return block.text
        case mcp.types.EmbeddedResource(resource=mcp.types.TextResourceContents() as resource):
            return resource.text
        case mcp.types.ResourceLink():
            return f"[link: {block.uri}]"
        case mcp.types.ImageContent() | mcp.types.AudioContent():
            return f"[{block.mime_type}, which cannot be shown]"
        case _:
            return "[data, which cannot be shown]"
