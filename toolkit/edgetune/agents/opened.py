"""From a bundle and some tools to an agent that runs them: what `edgetune.load` gives.

Puts the parts together, for the command line and for programs alike; each of them is another
file's.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from edgetune.agents.functions import Functions
from edgetune.agents.guarded import GuardedAgent
from edgetune.agents.loop import Ask, Ended, Event, Limits, Observed, Proposed, ToolAgent, nobody
from edgetune.agents.policy import Approve, Policy, policy_of
from edgetune.agents.served import serve
from edgetune.agents.sources import Source
from edgetune.agents.transcript import Transcript
from edgetune.tools.servers import Server, parse_servers
from edgetune_runtime.bundle import Bundle, open_bundle
from edgetune_runtime.conversation import Words
from edgetune_runtime.engine import Engine
from edgetune_runtime.engines import open_engine
from edgetune_runtime.options import DEFAULTS, Options
from edgetune_runtime.prompt import Turn


@dataclass(frozen=True)
class Answered:
    """How a request was answered."""

    text: str
    """The reply in words; empty where there is none."""
    ended: Ended
    """Why it ended; its `turns` are the conversation, to go on from."""
    calls: tuple[tuple[Proposed, Observed | None], ...]
    """Each call and what came of it."""


class Runner:
    """A tool agent with all that it holds: servers end when it is closed, or left as a context."""

    def __init__(self, agent: ToolAgent, sources: Sequence[Source], stack: ExitStack) -> None:
        self.tools = agent
        self._sources = sources
        self._stack = stack

    def stream(
        self, request: str, before: Sequence[Turn] = (), options: Options = DEFAULTS
    ) -> Iterator[Event]:
        """What happens, event by event (`ToolAgent.answer`)."""
        return self.tools.answer(request, before, options)

    def run(
        self, request: str, before: Sequence[Turn] = (), options: Options = DEFAULTS
    ) -> Answered:
        """Answer a request, after the turns `before`. Raises InputError as `Agent.step` does."""
        text, calls, ended = "", list[tuple[Proposed, Observed | None]](), None
        for event in self.stream(request, before, options):
            match event:
                case Proposed():
                    calls.append((event, None))
                case Observed():
                    calls[-1] = (calls[-1][0], event)
                case Words(piece):
                    text += piece
                case Ended():
                    ended = event
        assert ended is not None  # every answer ends
        return Answered(text, ended, tuple(calls))

    async def arun(
        self, request: str, before: Sequence[Turn] = (), options: Options = DEFAULTS
    ) -> Answered:
        """As `run`, in a thread; tools that are `async` run in the caller's event loop."""
        for source in self._sources:
            if isinstance(source, Functions):
                source.loop = asyncio.get_running_loop()
        try:
            return await asyncio.to_thread(self.run, request, before, options)
        finally:
            for source in self._sources:
                if isinstance(source, Functions):
                    source.loop = None

    def close(self) -> None:
        """End the servers and close the transcript."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Loaded:
    """A bundle with its engine; made by `load`."""

    def __init__(self, bundle: Bundle, engine: Engine) -> None:
        self.bundle = bundle
        self.engine = engine

    def agent(
        self,
        tools: Sequence[Callable[..., Any]] = (),
        *,
        mcp: Sequence[str | Server] = (),
        approve: Approve | None = None,
        policy: Policy | Path | str | None = None,
        ask: Ask = nobody,
        limits: Limits | None = None,
        transcript: Path | str | None = None,
        max_resident: int | None = None,
    ) -> Runner:
        """An agent on Python functions (`edgetune.tool`), MCP servers, or both.

        `mcp` are commands, addresses or `mcpServers` files; `approve` takes the place of the
        policy's own; `ask` is asked where a call needs a yes, which without it is a no. Raises
        InputError for a server that cannot be reached, and where no tools are given.
        """
        with ExitStack() as stack:
            sources = [*_functions(tools), *_servers(mcp, stack)]
            served = serve(self.bundle, sources)
            agent = GuardedAgent(
                served.assets, self.engine, untrained=served.untrained, max_resident=max_resident
            )
            secrets = {key: text for each in sources for key, text in each.secrets.items()}
            kept = (
                stack.enter_context(Transcript(Path(transcript), secrets)) if transcript else None
            )
            runner = ToolAgent(
                agent,
                served,
                policy=policy_of(policy, approve),
                ask=ask,
                limits=limits,
                transcript=kept,
            )
            return Runner(runner, sources, stack.pop_all())


def load(
    bundle: Path | str,
    *,
    engine: str | None = None,
    threads: int | None = None,
    context_length: int | None = None,
) -> Loaded:
    """Open a bundle and an engine on it. Raises InputError and BundleError as these do."""
    opened = open_bundle(Path(bundle))
    return Loaded(opened, open_engine(opened, engine, threads, context_length))


def _functions(tools: Sequence[Callable[..., Any]]) -> Iterator[Source]:
    if tools:
        yield Functions(tools)


def _servers(mcp: Sequence[str | Server], stack: ExitStack) -> Iterator[Source]:
    for given in mcp:
        for server in parse_servers(given) if isinstance(given, str) else [given]:
            # The library takes a while to import, and functions need it not.
            from edgetune.agents.mcp_source import McpSource
            from edgetune.tools.connection import connect

            yield McpSource(stack.enter_context(connect(server)))
