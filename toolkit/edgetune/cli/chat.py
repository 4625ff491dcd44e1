"""`edgetune chat`: a conversation with an agent that runs the tools of MCP servers."""

import sys
from collections.abc import Iterator

from edgetune.cli.agent_options import (
    ApproveOption,
    CallSecondsOption,
    MaxStepsOption,
    PolicyOption,
    ResultTokensOption,
    TranscriptOption,
    ask_people,
    show,
)
from edgetune.cli.options import (
    AbstainOption,
    BundleArgument,
    ContextOption,
    EngineOption,
    MaxTokensOption,
    ResidentOption,
    System,
    SystemOption,
    ThreadsOption,
    stdout,
)
from edgetune.cli.tools import EnvOption, McpOption, servers_of


def chat(
    bundle: BundleArgument,
    mcp: McpOption,
    env: EnvOption = [],  # noqa: B006 - typer copies it
    approve: ApproveOption = None,
    policy: PolicyOption = None,
    transcript: TranscriptOption = None,
    max_steps: MaxStepsOption = 8,
    call_seconds: CallSecondsOption = 60.0,
    result_tokens: ResultTokensOption = 512,
    system: SystemOption = System.decoupled,
    engine: EngineOption = None,
    threads: ThreadsOption = None,
    context: ContextOption = None,
    max_resident: ResidentOption = None,
    max_tokens: MaxTokensOption = 256,
    abstain_below: AbstainOption = 0.0,
) -> None:
    """Talk with an agent that runs the tools of MCP servers; `/new` begins anew, Ctrl-D ends.

    Calls that may change something need a yes (`--approve`, `--policy`). Needs `edgetune[mcp]`.

    Example: `edgetune chat bundles/files --mcp "npx -y
    @modelcontextprotocol/server-filesystem DIR" --transcript chat.jsonl`
    """
    from edgetune.agents.loop import Limits
    from edgetune.agents.opened import load
    from edgetune_runtime.options import Options
    from edgetune_runtime.prompt import Turn

    options = Options(system=system.value, max_tokens=max_tokens, abstain_below=abstain_below)
    loaded = load(bundle, engine=engine, threads=threads, context_length=context)
    with loaded.agent(
        mcp=servers_of(mcp, env),
        approve=approve,  # type: ignore[arg-type]
        policy=policy,
        ask=ask_people,
        limits=Limits(max_steps, call_seconds=call_seconds, result_tokens=result_tokens),
        transcript=transcript,
        max_resident=max_resident,
    ) as agent:
        turns: tuple[Turn, ...] = ()
        for request in _requests():
            if request == "/new":
                turns = ()
            elif request:
                turns = show(agent.stream(request, turns, options)).turns


def _requests() -> Iterator[str]:
    """What the user says, line by line, until the end of the input."""
    while True:
        if sys.stdin.isatty():
            stdout.print("[bold]>[/] ", end="")
        line = sys.stdin.readline()
        if not line:
            return
        yield line.strip()
