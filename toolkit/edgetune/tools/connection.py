"""One MCP server while it is connected: its tools, and calls of them, from plain Python.

The library's client is asynchronous and wants to be entered and left in one task: it lives in the
event loop of a thread of its own. Whatever a server does (end, hang, talk nonsense) comes out as a
ConnectionLost or as an answer that is an error. Policy and prompts are not known here.
"""

import logging
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import (
    AbstractContextManager,
    ExitStack,
    asynccontextmanager,
    contextmanager,
    suppress,
)
from dataclasses import dataclass, field
from typing import Any, TextIO

import httpx2
import mcp.types
from anyio.from_thread import BlockingPortal, start_blocking_portal
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from pydantic import ValidationError

from edgetune.tools.processes import ended_group
from edgetune.tools.servers import Server
from edgetune_runtime.errors import InputError

START_SECONDS = 120.0
"""How long a server may take to answer while it starts: it may be fetched first."""
_PAGES = 100
"""The most pages of a list of tools."""
_TOLD_CHARACTERS = 300
"""The most of what a server said last that an error tells."""

# Lines of a server that are no messages are logged with tracebacks; the call that waits tells it.
for chatty in ("mcp", "httpx2", "httpcore2"):
    logging.getLogger(chatty).setLevel(logging.CRITICAL)


class ConnectionLost(Exception):
    """The server has ended, or what connects to it has; one sentence."""


@dataclass(frozen=True)
class Answer:
    """What a call gave."""

    content: tuple[mcp.types.ContentBlock, ...] = ()
    structured: Any = None
    is_error: bool = False


@dataclass
class Connection:
    """A server that is connected; made by `connect`."""

    server: Server
    tools: tuple[mcp.types.Tool, ...]
    instructions: str
    """What the server says of its tools."""
    _portal: BlockingPortal = field(repr=False)
    _client: Client = field(repr=False)

    def call(self, tool: str, arguments: Mapping[str, Any], seconds: float) -> Answer:
        """Call a tool by the server's own name for it.

        Raises TimeoutError after `seconds` without an answer, ConnectionLost where the server has
        ended. A refusal, or an answer that is none, is an Answer that is an error.
        """
        try:
            result = self._portal.call(self._call, tool, dict(arguments), seconds)
        except TimeoutError:
            raise
        except MCPError as error:
            if error.code == mcp.types.REQUEST_TIMEOUT:
                raise TimeoutError from error
            # Servers use the same number for errors of their own.
            if error.code == mcp.types.CONNECTION_CLOSED and str(error) == "Connection closed":
                raise ConnectionLost(f"the server '{self.server.title}' has ended.") from error
            return _refused(str(error))
        except ValidationError as error:
            return _refused(f"the server's answer is none that MCP knows ({error.error_count()}).")
        except Exception as error:  # transports raise what their libraries do
            lost = f"the server '{self.server.title}' cannot be reached ({_told(error)})."
            raise ConnectionLost(lost) from error
        return Answer(tuple(result.content), result.structured_content, result.is_error)

    async def _call(
        self, tool: str, arguments: dict[str, Any], seconds: float
    ) -> mcp.types.CallToolResult:
        return await self._client.call_tool(tool, arguments, read_timeout_seconds=seconds)


@contextmanager
def connect(server: Server, start_seconds: float = START_SECONDS) -> Iterator[Connection]:
    """Start or reach `server` and read its list of tools; leaving ends it, with its children.

    Raises InputError, with the last that the server said, where it cannot be reached or has no list
    of tools within `start_seconds` an answer.
    """
    if server.command and not server.folder and not shutil.which(server.command[0]):
        raise InputError(
            f"--mcp {server.title}: the command '{server.command[0]}' is not found; install it, or "
            "give its path."
        )
    with ExitStack() as stack:
        log = stack.enter_context(tempfile.TemporaryFile("w+", errors="replace"))
        command = stack.enter_context(ended_group(server.command))
        portal = stack.enter_context(start_blocking_portal())
        client = Client(_transport(server, command, log), read_timeout_seconds=start_seconds)
        try:
            entered = portal.wrap_async_context_manager(client)
            entered.__enter__()
            stack.callback(_leave, entered)
            tools = portal.call(_list, client)
        except Exception as error:
            raise InputError(
                f"--mcp {server.title}: gives no list of tools ({_told(error)}{_last(log, server)})"
                "; try its command by hand."
            ) from error
        yield Connection(server, tools, client.instructions or "", portal, client)


def _leave(entered: AbstractContextManager[Client]) -> None:
    """Leave the client, whatever ended what was done with it: the library would wrap that.

    Leaving one whose server is gone may fail, which is nobody's concern any more.
    """
    with suppress(Exception):
        entered.__exit__(None, None, None)


def _transport(server: Server, command: list[str], log: TextIO) -> Any:
    if server.url is not None:
        return _http(server.url, server.headers)
    first, *args = command
    parameters = StdioServerParameters(
        command=first,
        args=args,
        env=dict(server.env),
        cwd=server.folder,
        encoding_error_handler="replace",
    )
    return stdio_client(parameters, log)


@asynccontextmanager
async def _http(url: str, headers: Mapping[str, str]) -> AsyncIterator[Any]:
    patient = httpx2.Timeout(30, read=300)  # a server may hold a stream open
    async with (
        httpx2.AsyncClient(headers=headers, timeout=patient) as http,
        streamable_http_client(url, http_client=http) as streams,
    ):
        yield streams


async def _list(client: Client) -> tuple[mcp.types.Tool, ...]:
    tools: list[mcp.types.Tool] = []
    cursor: str | None = None
    for _ in range(_PAGES):
        page = await client.list_tools(cursor=cursor)
        tools += page.tools
        cursor = page.next_cursor
        if cursor is None:
            return tuple(tools)
    raise ValueError(f"its list of tools has more than {_PAGES} pages")


def _refused(why: str) -> Answer:
    return Answer((mcp.types.TextContent(type="text", text=why),), None, True)


def _told(error: BaseException) -> str:
    """What an error says, or the first of a group, on one line."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return " ".join((str(error) or type(error).__name__).split())[:_TOLD_CHARACTERS]


def _last(log: TextIO, server: Server) -> str:
    """What the server's process said last, without secrets."""
    text = ""
    with suppress(OSError, ValueError):
        log.seek(0)
        text = log.read()
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    said = lines[-1] if lines else ""
    for name, secret in server.secrets.items():
        said = said.replace(secret, f"[{name}]") if secret else said
    return f"; it said last: {said[:_TOLD_CHARACTERS]}" if said else ""
