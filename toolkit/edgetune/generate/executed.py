"""Trajectories of a larger model whose calls are really executed, on an MCP server.

The teacher writes requests, shown what earlier calls found, then serves each with the server's
tools, one call at a time, until it answers in words. A trajectory is kept where every call was
valid, allowed and done. Only tools that may run without a yes are asked for.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from edgetune.agents.execution import carry_out
from edgetune.agents.grounding import ungrounded
from edgetune.agents.mcp_source import McpSource
from edgetune.agents.observation import shortened
from edgetune.agents.policy import Policy
from edgetune.agents.sources import Source, SourceGone
from edgetune.generate.endpoint import Teacher, Usage
from edgetune.generate.teacher import checked, entries, fill, request_of
from edgetune.generate.unfinished import Kept
from edgetune.tools.connection import connect
from edgetune.tools.servers import Server
from edgetune_runtime.calls import RESPOND
from edgetune_runtime.errors import InputError
from edgetune_runtime.prompt import Result, Turn, User

STEPS = 5
"""The most calls of a trajectory."""
CALL_SECONDS = 60.0
"""How long a call may take."""
RESULT = 2000
"""Characters of a result that are kept, some 500 tokens: as much as an agent reads by default."""
SHOWN = 3
"""Results that the teacher is shown when it writes requests, and how many characters of each."""
SHOWN_CHARACTERS = 400

_ASK = """Write {count} different requests that a person could say or type to an assistant that \
has these tools:
{tools}
Each needs one to {steps} calls, the first of them of "{tool}"; a third need two or more, where a \
later call uses what an earlier one found. A request says what is wanted, not which tools serve \
it, and holds every value that they need and that no call finds out. Vary wording and length.
{seen}Not these: {avoid}
Answer with a JSON object {{"records": [{{"request": "..."}}]}} and nothing else.
"""
_SEEN = "What exists, as earlier calls found: {found}\n"
_SERVE = (
    "Serve the user's request with the tools, one call at a time. Copy names, titles and times as "
    "the user has them. When you know what was asked for, or everything is done, answer in a "
    "sentence or two, with what the calls found and nothing else."
)


def generate_executed(
    server: Server,
    output: Path,
    counts: Mapping[str, int],
    url: str,
    model: str,
    policy: Policy,
    *,
    force: bool = False,
) -> Usage:
    """Write `tools.json` and a JSONL file of trajectories for each split of `counts`.

    Raises InputError where the server or the endpoint cannot be used, where `policy` lets no tool
    run without a yes, and as `generate_with_teacher` does.
    """
    teacher = Teacher(url, model)
    with connect(server) as connection:
        source = McpSource(connection)
        toolset = source.toolset
        names = [
            name for name in toolset.names if name != RESPOND and _may_run(source, name, policy)
        ]
        if not names:
            raise InputError(
                f"{server.title}: none of its {len(toolset.tools)} tools may run without a yes, "
                "and nobody is asked here; give --approve never, or a --policy that allows some."
            )

        def ask(tool: str, count: int, kept: Kept) -> Iterator[Mapping[str, Any] | None]:
            content = teacher.ask(_prompt(source, names, tool, count, kept))
            for entry in entries(content):
                request = request_of(entry)
                yield _trajectory(teacher, source, names, policy, request) if request else None

        about = {"executed": names}
        try:
            fill(toolset, output, counts, teacher, names, ask, about=about, force=force)
        except SourceGone as gone:
            raise InputError(
                f"{server.title}: {gone} The records so far are kept, the same command goes on."
            ) from gone
    return teacher.usage


def _may_run(source: Source, tool: str, policy: Policy) -> bool:
    """Whether a grounded call of `tool` needs no yes."""
    name = source.toolset.name
    read_only = source.read_only(source.toolset.public_name(tool))
    rule = policy.decide(name, source.toolset.public_name(tool), read_only=read_only, grounded=True)
    return rule == "allow"


def _trajectory(
    teacher: Teacher, source: Source, names: list[str], policy: Policy, request: str
) -> Mapping[str, Any] | None:
    """The record of how the teacher served `request`; None where a call was not done, or it gave
    no answer."""
    toolset = source.toolset
    offered = [toolset[name].as_openai() for name in names]
    user = {"role": "user", "content": request}
    said: list[dict[str, Any]] = [{"role": "system", "content": _SERVE}, user]
    record: list[dict[str, Any]] = [user]
    heard: list[Turn] = [User(request)]
    for step in range(STEPS + 1):
        answer = teacher.answer(said, tools=offered, parallel_tool_calls=False)
        if not answer.tool_calls:
            text = (answer.content or "").strip()
            if not text or not step:
                return None
            record.append({"role": "assistant", "content": text})
            return checked({"messages": record}, toolset)
        call = answer.tool_calls[0]
        if call.type != "function" or call.function.name not in toolset or step == STEPS:
            return None
        name = toolset.public_name(call.function.name)
        try:
            arguments = json.loads(call.function.arguments or "{}")
        except ValueError:
            return None
        outcome = carry_out(
            source,
            toolset.name,
            name,
            arguments,
            policy=policy,
            grounded=not ungrounded(toolset[name], arguments, heard),
            allow=lambda: False,
            seconds=CALL_SECONDS,
        )
        if outcome.how != "ok":
            return None
        result = shortened(outcome.text, RESULT)
        heard.append(Result(result))
        said += [
            {"role": "assistant", "content": None, "tool_calls": [call.model_dump()]},
            {"role": "tool", "tool_call_id": call.id, "content": result},
        ]
        function = {"name": name, "arguments": arguments}
        record += [
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"type": "function", "function": function}],
            },
            {"role": "tool", "content": result},
        ]
    raise AssertionError("the last step returns")


def _prompt(source: Source, names: list[str], tool: str, count: int, kept: Kept) -> str:
    toolset = source.toolset
    tools = "\n".join(
        json.dumps(toolset[name].as_openai()["function"], ensure_ascii=False) for name in names
    )
    results = {
        message["content"][:SHOWN_CHARACTERS]: None
        for line in kept.records[-SHOWN:]
        for message in line["record"]["messages"]
        if message["role"] == "tool"
    }
    found = json.dumps([*results][-SHOWN:], ensure_ascii=False)
    seen = _SEEN.format(found=found) if results else ""
    return _ASK.format(
        count=count,
        tools=tools,
        steps=STEPS,
        tool=toolset.public_name(tool),
        seen=seen,
        avoid="; ".join(kept.requests(tool)[-8:]) or "there are none yet",
    )
