"""Generated records of a toolset that has changed: those of the tools that stayed are kept.

What a generator draws depends on all the tools that it is given. So a tool that is as it was keeps
the very records that it has, and only those of new and changed tools are taken from the generator.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from edgetune.generate.foreign import without_subjects_of
from edgetune.generate.negatives import request_key
from edgetune_runtime.calls import Toolset

Source = Mapping[str, Any]
"""A record in the conversational format."""


def grown_records(
    earlier: Toolset, records: Sequence[Source], toolset: Toolset, made: Sequence[Source]
) -> list[Source]:
    """The records of `toolset`, which was `earlier` when it had `records`.

    Of those the ones that call tools which stayed, or none, unless a new tool might serve them;
    then of `made`, generated for `toolset`, those that call new or changed tools alone and ask for
    nothing that was asked for before.
    """
    before = {tool.public_name: tool.as_openai() for tool in earlier.tools}
    new = tuple(tool for tool in toolset.tools if before.get(tool.public_name) != tool.as_openai())
    named = {tool.public_name for tool in new}
    stayed = {tool.public_name for tool in toolset.tools} - named
    old = [record for record in records if _called(record) <= stayed]
    kept = without_subjects_of([Toolset(toolset.name, "", new)], old)
    asked = {_request(record) for record in kept}
    return [
        *kept,
        *(
            record
            for record in made
            if set() < _called(record) <= named and _request(record) not in asked
        ),
    ]


def _called(record: Source) -> set[str]:
    """The public names of the tools that it calls."""
    return {
        call["function"]["name"]
        for message in record["messages"]
        for call in message.get("tool_calls") or ()
    }


def _request(record: Source) -> str:
    return request_key(" ".join(m["content"] for m in record["messages"] if m["role"] == "user"))
