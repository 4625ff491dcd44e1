"""`edgetune run`: one step of the two-stage loop on a bundle, or with servers all of an answer."""

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgetune.cli.agent_options import (
    ApproveOption,
    CallSecondsOption,
    Collected,
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
    ForceOption,
    JsonOption,
    JsonTarget,
    MaxTokensOption,
    ResidentOption,
    System,
    SystemOption,
    ThreadsOption,
    give,
    stdout,
)
from edgetune.cli.tools import EnvOption, McpOption, servers_of
from edgetune_runtime.errors import InputError

if TYPE_CHECKING:
    from edgetune.agents.opened import Runner
    from edgetune_runtime.agent import Step
    from edgetune_runtime.options import Options


def run(
    bundle: BundleArgument,
    request: Annotated[str, typer.Argument(metavar='"REQUEST"', help="What the user says.")],
    toolset: Annotated[
        str | None,
        typer.Option(help="One of several toolsets; without it, the step picks it first."),
    ] = None,
    system: SystemOption = System.decoupled,
    engine: EngineOption = None,
    threads: ThreadsOption = None,
    context: ContextOption = None,
    max_resident: ResidentOption = None,
    temperature: Annotated[float, typer.Option(min=0.0, help="0 takes the likeliest token.")] = 0.0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the sampling above temperature 0.")] = 0,
    max_tokens: MaxTokensOption = 256,
    exact: Annotated[
        bool, typer.Option("--exact", help="Probabilities of every tool, not the likely ones.")
    ] = False,
    abstain_below: AbstainOption = 0.0,
    reply: Annotated[
        bool,
        typer.Option(
            "--reply",
            help="Where no tool is needed, let the bare base answer in words (nano knows none).",
        ),
    ] = False,
    mcp: McpOption = [],  # noqa: B006 - typer copies it
    env: EnvOption = [],  # noqa: B006
    approve: ApproveOption = None,
    policy: PolicyOption = None,
    transcript: TranscriptOption = None,
    max_steps: MaxStepsOption = 8,
    call_seconds: CallSecondsOption = 60.0,
    result_tokens: ResultTokensOption = 512,
    json_target: JsonOption = None,
    force: ForceOption = False,
) -> None:
    """Answer a request with a tool call, which is shown, not executed; or run it on MCP servers.

    With `--mcp` calls are executed until the bare base answers in words from what was observed;
    those that may change something need a yes. Exit code 1 where that came to no answer.

    Example: `edgetune run bundles/phone "wake me at 7:30 tomorrow" --abstain-below 0.7`

    Example: `edgetune run bundles/files "what is in notes.txt?" --mcp "npx -y
    @modelcontextprotocol/server-filesystem DIR"`
    """
    from edgetune_runtime.agent import Agent
    from edgetune_runtime.bundle import open_bundle
    from edgetune_runtime.calls import RESPOND
    from edgetune_runtime.engines import open_engine
    from edgetune_runtime.options import Options
    from edgetune_runtime.prompt import User

    try:
        request.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"REQUEST: found bytes that are no UTF-8 ({error.reason}); set the terminal to UTF-8."
        ) from error
    if not request.strip():
        raise InputError("REQUEST: found nothing, expected what the user says; give it in quotes.")
    options = Options(
        system=system.value,
        max_tokens=max_tokens,
        temperature=temperature,
        seed=seed,
        exact=exact,
        abstain_below=abstain_below,
    )
    if mcp:
        if toolset is not None:
            raise InputError(
                f"--toolset {toolset}: found --mcp, too, and an answer routes at each step; name "
                "the servers that it may use alone."
            )
        from edgetune.agents.loop import Limits
        from edgetune.agents.opened import load

        loaded = load(bundle, engine=engine, threads=threads, context_length=context)
        with loaded.agent(
            mcp=servers_of(mcp, env),
            approve=approve,  # type: ignore[arg-type]
            policy=policy,
            ask=ask_people,
            limits=Limits(max_steps, call_seconds=call_seconds, result_tokens=result_tokens),
            transcript=transcript,
            max_resident=max_resident,
        ) as runner:
            _run_all(runner, request, options, json_target)
        return
    for name, given in (("approve", approve), ("policy", policy), ("transcript", transcript)):
        if given is not None:
            raise InputError(f"--{name}: without --mcp nothing is executed; name a server by it.")
    opened = open_bundle(bundle)
    agent = Agent(
        opened.assets, open_engine(opened, engine, threads, context), max_resident=max_resident
    )
    step = agent.step([User(request)], toolset, options)
    result: dict[str, Any] = {"request": request, "steps": [step.as_json()]}
    if not reply or step.tool != RESPOND:
        give(result, json_target, lambda: _show(step))
        return
    words = agent.reply([User(request)], options)
    if json_target is not None:
        words = iter([result.setdefault("reply", "".join(words))])
    give(result, json_target, lambda: _show(step, words))


def _run_all(
    runner: "Runner", request: str, options: "Options", json_target: JsonTarget | None
) -> None:
    """Execute calls until there is an answer, shown as it comes."""
    seen = Collected(request)
    events = runner.stream(request, (), options)
    if json_target is None or json_target.place != "-":
        show(events, seen.see)
    else:
        for event in events:
            seen.see(event)
    give(seen.result, json_target, lambda: None)
    if seen.result["ended"] != "replied":
        raise typer.Exit(1)


def _show(step: "Step", words: Iterable[str] = ()) -> None:
    call = {"name": step.tool, "arguments": dict(step.arguments)}
    stdout.print_json(json.dumps(call, ensure_ascii=False))
    likeliest = step.abstained_from or step.tool
    others = [(name, share) for name, share in step.probabilities.items() if name != likeliest][:3]
    rivals = ", ".join(f"{name} {share:.3f}" for name, share in others)
    withheld = f"abstained from {likeliest}, " if step.abstained_from else ""
    stdout.print(
        f"[dim]toolset {step.toolset}, {withheld}probability {step.probability:.3f} ({rivals})[/]"
    )
    times = ", ".join(f"{key} {value:g}" for key, value in step.timing.items())
    stdout.print(f"[dim]{times}[/]")
    for piece in words:
        stdout.print(piece, end="", markup=False, highlight=False, soft_wrap=True)
    if words:
        stdout.print()
