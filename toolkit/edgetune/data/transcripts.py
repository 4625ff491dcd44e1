"""Records made of what an agent did: the lines of a transcript, a conversation a record.

A call that was not executed, or failed, is history and teaches nothing (`weight: 0`). What was
right is not known here: read what comes out before it is trained on.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgetune.data.lines import numbered_lines, parse_json
from edgetune.data.records import write_jsonl
from edgetune_runtime.errors import InputError

_CONVERSATION = "conversation"
_KEPT = ("role", "content", "tool_calls")


@dataclass(frozen=True)
class TranscriptReport:
    """What an import wrote into `output`."""

    output: str
    records: int
    calls: int
    """Calls in these records."""
    untaught: int
    """Calls among them that teach nothing."""
    left_out: int
    """Conversations in which there is nothing to learn."""


def import_transcript(path: Path, output: Path) -> TranscriptReport:
    """Write the conversations of a transcript that hold something to learn as records.

    Raises InputError for a line that is of no transcript, and where nothing is left.
    """
    conversations: dict[str, list[dict[str, Any]]] = {}
    for number, text in numbered_lines(path):
        line = parse_json(text, f"{path}:{number}: the line")
        if not isinstance(line, dict) or not isinstance(line.get(_CONVERSATION), str):
            raise InputError(
                f"{path}:{number}: has no '{_CONVERSATION}', which every line of a transcript has; "
                "give what --transcript wrote."
            )
        if "role" in line:
            conversations.setdefault(line[_CONVERSATION], []).append(line)
    records = [{"messages": list(_messages(lines))} for lines in conversations.values()]
    taught = [record for record in records if any(map(_teaches, record["messages"]))]
    if not taught:
        raise InputError(f"{path}: holds no answer that could be learnt; record some first.")
    write_jsonl(output, taught)
    called = [each for record in taught for each in record["messages"] if each.get("tool_calls")]
    untaught = sum(not _teaches(each) for each in called)
    left_out = len(records) - len(taught)
    return TranscriptReport(str(output), len(taught), len(called), untaught, left_out)


def _messages(lines: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """A conversation's messages; a call without a result, in mid-call interrupted, is left out."""
    for line, following in zip(lines, [*lines[1:], {}], strict=True):
        message = {key: line[key] for key in _KEPT if key in line}
        if "tool_calls" in message:
            if following.get("role") != "tool":
                continue
            if following.get("how") != "ok":
                message["weight"] = 0
        yield message


def _teaches(message: Mapping[str, Any]) -> bool:
    return message["role"] == "assistant" and message.get("weight") != 0
