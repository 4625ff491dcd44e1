"""Records of how a scripted expert solves tasks, each call really executed on a server."""

from pathlib import Path
from typing import Any

from edgetune.agents.sources import Source
from edgetune.data.parts import says_tools, write_parts
from edgetune.file_tasks import SERVER
from edgetune.file_tasks.score import score
from edgetune.file_tasks.server import served_directory
from edgetune.file_tasks.tasks import Task, make_task
from edgetune.file_tasks.workspace import lay_out, read_back
from edgetune.generate.trajectories import DONE
from edgetune_export.progress import track
from edgetune_runtime.errors import InputError
from edgetune_runtime.toolsets import dump_toolset

CALL_SECONDS = 60.0


def solve(task: Task, source: Source, root: Path) -> dict[str, Any]:
    """The record of the expert's calls on `source`, which serves the directory `root`.

    Raises InputError where a call fails, or the outputs are not there in the end: the server is
    another one than the tasks are made for.
    """
    lay_out(task.workspace, root)
    messages: list[dict[str, Any]] = [{"role": "user", "content": task.request}]
    results = []
    for call in task.calls:
        outcome = source.call(call.tool, call.arguments, CALL_SECONDS)
        if outcome.how != "ok":
            raise InputError(
                f"--mcp: {call.tool} gave '{outcome.text:.200}' for {dict(call.arguments)}; the "
                "tasks are made for npm's @modelcontextprotocol/server-filesystem."
            )
        results.append(outcome.text)
        function = {"name": call.tool, "arguments": dict(call.arguments)}
        called = [{"type": "function", "function": function}]
        messages.append({"role": "assistant", "content": None, "tool_calls": called})
        messages.append({"role": "tool", "content": outcome.text})
    done = score(task, results, read_back(root))
    if not all(done.outputs) or done.spoilt:
        missing = [o for o, there in zip(task.outputs, done.outputs, strict=True) if not there]
        raise InputError(
            f"--mcp: after the expert's calls for '{task.request}' these are missing: {missing}, "
            f"and these have changed: {list(done.spoilt)}; the tasks are made for npm's "
            "@modelcontextprotocol/server-filesystem."
        )
    return {"messages": [*messages, {"role": "assistant", "content": DONE}]}


def write_records(
    output: Path, counts: dict[str, int], seed: int, command: str = SERVER, *, force: bool = False
) -> int:
    """Write `tools.json`, and for each part of `counts` the expert's trajectories; how many tools.

    All are of the phrases and words to train on. Raises InputError as `solve` and `write_parts` do.
    """
    with served_directory(command) as (source, root):
        says_tools(output, source.toolset, force=force)  # a place that will not do is told now
        first, parts = 0, {}
        for part, count in counts.items():
            indices = track(range(first, first + count), f"Solving tasks for {part}", total=count)
            parts[part] = [
                solve(make_task(index, seed, "train", root), source, root) for index in indices
            ]
            first += count
        tools = dump_toolset(source.toolset)["tools"]
        write_parts(output, source.toolset, tools, parts, force=force)
        return len(source.toolset.tools)
