"""Requests and calls written by a larger model, behind any OpenAI-compatible endpoint.

The teacher is asked for a few requests at a time, for the least served split and tool, so that the
records are balanced. What breaks a schema is thrown away; what is kept is written at once, so that
a stopped run goes on where it was. The key comes from OPENAI_API_KEY and is written nowhere.
"""

import json
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import openai
from openai.types.chat import ChatCompletion

from edgetune.data.parts import require_no_parts, says_tools, write_parts
from edgetune.data.records import as_source, parse_record, record_problem
from edgetune_export.progress import Bar
from edgetune_runtime.calls import RESPOND, RESPOND_CALL, Call, Toolset
from edgetune_runtime.errors import InputError
from edgetune_runtime.files import sha256_bytes
from edgetune_runtime.toolsets import dump_toolset

AT_ONCE = 10
"""Requests that the teacher is asked for at a time."""
FRUITLESS = 5
"""Answers in a row without a usable record after which a tool is given up."""
RETRIES = 4
"""Of a call that fails in a way that may pass, with pauses that double."""
UNFINISHED = "teacher.jsonl"
"""What is kept while records are missing: a line that says for what, then one a record."""

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


@dataclass
class Usage:
    """What the teacher was asked and how much of it was of use."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    requests: int = 0
    refused: int = 0
    """Records that broke a schema, or were there already."""

    def add(self, answer: Any) -> None:
        """Count an answer of the endpoint."""
        self.requests += 1
        if answer.usage is not None:
            self.prompt_tokens += answer.usage.prompt_tokens or 0
            self.completion_tokens += answer.usage.completion_tokens or 0


@dataclass
class _Kept:
    """Records so far: on disk, a line each."""

    path: Path
    records: list[dict[str, Any]] = field(default_factory=list)

    def add(self, split: str, tool: str, record: dict[str, Any]) -> None:
        line = {"split": split, "tool": tool, "record": record}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
        self.records.append(line)

    @property
    def counts(self) -> Counter[tuple[str, str]]:
        return Counter((line["split"], line["tool"]) for line in self.records)


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
    says_tools(output, toolset, force=force)
    require_no_parts(output, counts, force=force)
    key = os.environ.get("OPENAI_API_KEY") or "none"
    try:
        client = openai.OpenAI(base_url=url, api_key=key, max_retries=RETRIES)
    except Exception as error:  # whatever the client's library makes of an address
        raise InputError(f"{url}: is no address ({error}); check --teacher.") from error
    wanted = _quotas(toolset, counts)
    kept = _open(output / UNFINISHED, toolset, model)
    usage, fruitless = Usage(), 0
    with Bar() as bar:
        task = bar.add_task(
            f"Asking {model}",
            total=wanted.total(),
            completed=(wanted & kept.counts).total(),
        )
        while missing := wanted - kept.counts:
            (split, tool), left = max(missing.items(), key=lambda item: item[1])
            before = len(kept.records)
            content = _ask(client, model, _prompt(toolset, tool, min(AT_ONCE, left), kept), usage)
            _keep(toolset, split, tool, content, left, kept, usage)
            found = len(kept.records) - before
            fruitless = 0 if found else fruitless + 1
            if fruitless == FRUITLESS:
                raise InputError(
                    f"{url}: {FRUITLESS} answers of '{model}' in a row hold no usable record for "
                    f"'{tool}'; try a larger model, or simplify the tool. The {len(kept.records)} "
                    "records so far are kept, the same command goes on."
                )
            bar.update(
                task,
                advance=found,
                description=f"{model}, {usage.prompt_tokens + usage.completion_tokens:,} tokens",
            )
    parts = {
        split: [line["record"] for line in kept.records if line["split"] == split]
        for split in counts
    }
    write_parts(output, toolset, dump_toolset(toolset)["tools"], parts, force=force)
    kept.path.unlink()
    return usage


def _quotas(toolset: Toolset, counts: Mapping[str, int]) -> Counter[tuple[str, str]]:
    """How many records of each split and tool are wanted: as evenly as it goes."""
    names = toolset.names
    return Counter(
        {
            (split, name): count // len(names) + (index < count % len(names))
            for split, count in counts.items()
            for index, name in enumerate(names)
        }
    )


def _open(path: Path, toolset: Toolset, model: str) -> _Kept:
    tools = json.dumps([tool.as_openai() for tool in toolset.tools], sort_keys=True)
    header = {"tools_sha256": sha256_bytes(tools.encode()), "model": model}
    kept = _Kept(path)
    found = None
    if path.exists():
        # A line that was being written when the run was killed is asked for again.
        whole, ended, _ = path.read_bytes().rpartition(b"\n")
        path.write_bytes(whole + ended)
        try:
            lines = [json.loads(line) for line in whole.split(b"\n") if line]
            found = lines[0] if lines else None
            kept.records = [
                line for line in lines[1:] if {"split", "tool", "record"} <= line.keys()
            ]
        except (ValueError, AttributeError) as error:
            raise InputError(f"{path}: is damaged ({error}); remove it to start anew.") from error
    if kept.records and found != header:
        raise InputError(
            f"{path}: holds unfinished work for other tools or another model "
            f"({found and found.get('model')}); finish that, or choose another --output."
        )
    if not kept.records:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(header) + "\n", encoding="utf-8")
    return kept


def _prompt(toolset: Toolset, name: str, count: int, kept: _Kept) -> str:
    said = [
        line["record"]["messages"][0]["content"] for line in kept.records if line["tool"] == name
    ]
    avoid = "; ".join(said[-8:]) or "there are none yet"
    if name == RESPOND:
        about = "; ".join(f"{tool.public_name} ({tool.description})" for tool in toolset.tools)
        return _ASK_RESPOND.format(count=count, about=about, avoid=avoid)
    tool = toolset[name]
    about = json.dumps(tool.as_openai()["function"], ensure_ascii=False)
    return _ASK.format(count=count, tool=name, about=about, avoid=avoid)


def _ask(client: openai.OpenAI, model: str, prompt: str, usage: Usage) -> str:
    try:
        answer = client.chat.completions.create(
            model=model,
            messages=[{"role": "user", "content": prompt}],
            temperature=1.0,
            response_format={"type": "json_object"},
        )
    except openai.APIConnectionError as error:
        raise InputError(
            f"{client.base_url}: cannot be reached ({error}); check --teacher."
        ) from error
    except openai.APIStatusError as error:
        raise InputError(
            f"{client.base_url}: refuses with status {error.status_code} "
            f"({_short(error.message)}); check --teacher, --model and OPENAI_API_KEY."
        ) from error
    if not isinstance(answer, ChatCompletion):
        raise InputError(
            f"{client.base_url}: answers with something else than the protocol's JSON "
            f"({_short(str(answer))}); check --teacher, which mostly ends in /v1."
        )
    usage.add(answer)
    return (answer.choices[0].message.content or "") if answer.choices else ""


def _short(message: str) -> str:
    return message if len(message) < 120 else message[:117] + "..."


def _keep(
    toolset: Toolset, split: str, tool: str, content: str, most: int, kept: _Kept, usage: Usage
) -> None:
    """Keep what of an answer is a valid record and new."""
    said = {line["record"]["messages"][0]["content"].casefold() for line in kept.records}
    try:
        entries = json.loads(content[content.index("{") : content.rindex("}") + 1])["records"]
    except (ValueError, KeyError, TypeError, RecursionError):
        entries = []
    for entry in entries if isinstance(entries, list) else []:
        if most == 0:
            return
        text = entry.get("request") if isinstance(entry, dict) else None
        arguments = entry.get("arguments", {}) if isinstance(entry, dict) else None
        if isinstance(text, str) and text.strip() and isinstance(arguments, dict):
            call = RESPOND_CALL if tool == RESPOND else Call(toolset.public_name(tool), arguments)
            record = as_source(text.strip(), call)
            try:
                problem = record_problem(parse_record(1, json.dumps(record)), toolset)
            except InputError as error:
                problem = str(error)
            if problem is None and text.strip().casefold() not in said:
                said.add(text.strip().casefold())
                kept.add(split, tool, record)
                most -= 1
                continue
        usage.refused += 1
