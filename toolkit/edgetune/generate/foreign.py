"""What tools are about, so that a request for one of them is never taught to be served by none.

Compares words alone: a request may speak of a subject without meaning its tool, and is left out all
the same.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from edgetune.generate.guess import split_words
from edgetune.generate.parameters import as_invented
from edgetune.invent.tools import Invented
from edgetune_runtime.calls import Toolset


def subjects(tools: Iterable[Invented]) -> set[str]:
    """The words of all objects that the tools' requests speak of."""
    return {word for tool in tools for each in tool.objects for word in words(each)}


def words(text: str) -> set[str]:
    """The words of a text that tell what it is about, in the singular."""
    return {word.removesuffix("s") for word in split_words(text).split() if len(word) > 2}


def without_subjects_of(
    others: Sequence[Toolset], records: Iterable[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """`records` but for those that no tool serves, though one of `others` might."""
    theirs = subjects(as_invented(tool) for toolset in others for tool in toolset.tools)
    return [record for record in records if _calls(record) or not theirs & words(_said(record))]


def _calls(record: Mapping[str, Any]) -> bool:
    return any(message.get("tool_calls") for message in record["messages"])


def _said(record: Mapping[str, Any]) -> str:
    return " ".join(m["content"] for m in record["messages"] if m["role"] == "user")
