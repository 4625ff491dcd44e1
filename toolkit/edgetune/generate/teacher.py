"""Requests and calls written by a larger model, behind any OpenAI-compatible endpoint.

The teacher is asked for a few requests at a time, for the least served split and tool, so that the
records are balanced. What breaks a schema is thrown away; what is kept is written at once
(`unfinished`), so that a stopped run goes on where it was.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgetune.data.parts import require_no_parts, says_tools, write_parts
from edgetune.data.records import as_source, parse_record, record_problem
from edgetune.generate.endpoint import Teacher, Usage
from edgetune.generate.unfinished import UNFINISHED, Kept, open_kept, quotas
from edgetune_export.progress import Bar
from edgetune_runtime.calls import RESPOND, RESPOND_CALL, Call, Toolset
from edgetune_runtime.errors import InputError
from edgetune_runtime.toolsets import dump_toolset

AT_ONCE = 10
"""Requests that the teacher is asked for at a time."""
FRUITLESS = 5
"""Answers in a row without a usable record after which a tool is given up."""

Ask = Callable[[str, int, Kept], Iterator[Mapping[str, Any] | None]]
"""Records, one by one, for a tool, so many at the most, beside those that are kept; None for one
that is of no use. They may belong to the tool by their request alone."""

_ASK = """Write {count} different requests that a person could say or type to an assistant, and \
for each the call of the tool "{tool}" that serves it.
{about}
Vary wording, length, politeness and register; some are terse, some are questions. Leave optional \
parameters out where a request does not mention them. Copy names, titles and times into the \
arguments as the request has them. Values must be new: {avoid}
Answer with a JSON object {{"records": [{{"request": "...", "arguments": {{...}}}}]}} and nothing \
else.
"""
_ASK_RESPOND = """Write {count} different requests or remarks that a person could say or type to \
an assistant and that none of these tools serves: {about}. Half of them are close to what a tool \
does, but not quite; half are talk or general knowledge. Not these: {avoid}
Answer with a JSON object {{"records": [{{"request": "..."}}]}} and nothing else.
"""


def generate_with_teacher(
    toolset: Toolset,
    output: Path,
    counts: Mapping[str, int],
    url: str,
    model: str,
    *,
    force: bool = False,
) -> Usage:
    """Write `tools.json` and a JSONL file for each split of `counts` into `output`.

    Raises InputError where the endpoint cannot be used, gives nothing that fits a tool, or
    `output` holds the unfinished work of other tools or another model, or finished records and
    there is no `force`: the teacher is not asked then.
    """
    teacher = Teacher(url, model)

    def ask(tool: str, count: int, kept: Kept) -> Iterator[Mapping[str, Any] | None]:
        content = teacher.ask(_prompt(toolset, tool, count, kept))
        for entry in entries(content):
            yield _record(toolset, tool, entry)

    fill(toolset, output, counts, teacher, toolset.names, ask, force=force)
    return teacher.usage


def fill(
    toolset: Toolset,
    output: Path,
    counts: Mapping[str, int],
    teacher: Teacher,
    names: Sequence[str],
    ask: Ask,
    *,
    about: Mapping[str, Any] | None = None,
    force: bool = False,
) -> None:
    """Fill `counts` with records of the tools `names` that `ask` gives, and write them.

    `about` is what makes unfinished work another's, beside tools and model. Raises InputError as
    `generate_with_teacher` does.
    """
    says_tools(output, toolset, force=force)
    require_no_parts(output, counts, force=force)
    wanted = quotas(names, counts)
    kept = open_kept(output / UNFINISHED, toolset, {"model": teacher.model, **(about or {})})
    usage, fruitless = teacher.usage, 0
    with Bar() as bar:
        task = bar.add_task(
            f"Asking {teacher.model}",
            total=wanted.total(),
            completed=(wanted & kept.counts).total(),
        )
        while missing := wanted - kept.counts:
            (split, tool), left = max(missing.items(), key=lambda item: item[1])
            said = {text.casefold() for text in kept.requests()}
            found = 0
            for record in ask(tool, min(AT_ONCE, left), kept):
                request = record["messages"][0]["content"].casefold() if record else ""
                if record is None or request in said:
                    usage.refused += 1
                else:
                    said.add(request)
                    kept.add(split, tool, record)
                    found += 1
                    bar.update(task, advance=1)
                if found == left:
                    break
            fruitless = 0 if found else fruitless + 1
            if fruitless == FRUITLESS:
                raise InputError(
                    f"{teacher.url}: {FRUITLESS} answers of '{teacher.model}' in a row hold no "
                    f"usable record for '{tool}'; try a larger model, or simplify the tool. The "
                    f"{len(kept.records)} records so far are kept, the same command goes on."
                )
            bar.update(task, description=f"{teacher.model}, {usage.tokens:,} tokens")
    tools = dump_toolset(toolset)["tools"]
    write_parts(output, toolset, tools, kept.parts(counts), force=force)
    kept.path.unlink()


def entries(content: str) -> list[Any]:
    """The `records` of the JSON object in what a teacher wrote; none where there is no such."""
    try:
        found = json.loads(content[content.index("{") : content.rindex("}") + 1])["records"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []
    return found if isinstance(found, list) else []


def request_of(entry: Any) -> str | None:
    """What a person says in an entry, None where that is no text."""
    text = entry.get("request") if isinstance(entry, dict) else None
    return text.strip() or None if isinstance(text, str) else None


def checked(record: Mapping[str, Any], toolset: Toolset) -> Mapping[str, Any] | None:
    """The record, None where it cannot be read or a call breaks its schema."""
    try:
        problem = record_problem(parse_record(1, json.dumps(record)), toolset)
    except InputError:
        return None
    return None if problem else record


def _record(toolset: Toolset, tool: str, entry: Any) -> Mapping[str, Any] | None:
    text = request_of(entry)
    arguments = entry.get("arguments", {}) if text else None
    if text is None or not isinstance(arguments, dict):
        return None
    call = RESPOND_CALL if tool == RESPOND else Call(toolset.public_name(tool), arguments)
    return checked(as_source(text, call), toolset)


def _prompt(toolset: Toolset, name: str, count: int, kept: Kept) -> str:
    avoid = "; ".join(kept.requests(name)[-8:]) or "there are none yet"
    if name == RESPOND:
        about = "; ".join(f"{tool.public_name} ({tool.description})" for tool in toolset.tools)
        return _ASK_RESPOND.format(count=count, about=about, avoid=avoid)
    tool = toolset[name]
    about = json.dumps(tool.as_openai()["function"], ensure_ascii=False)
    return _ASK.format(count=count, tool=name, about=about, avoid=avoid)
