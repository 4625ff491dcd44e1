"""Which parameters are copied: their values in the records are spans of what was said.

Decoding holds such values to spans (`edgetune_runtime.spans`). A parameter whose values are ever
worded otherwise ("half past seven" for `07:30`) is not copied. It knows records, not models.
"""

from collections import Counter
from collections.abc import Sequence

from edgetune.data.records import Example
from edgetune_runtime.calls import Toolset
from edgetune_runtime.spans import Spans

ENOUGH = 20
"""Values, all of them spans, that make a parameter a copied one."""


def copied_parameters(toolset: Toolset, examples: Sequence[Example]) -> dict[str, list[str]]:
    """For each tool the string parameters without an enum all of whose values are spans."""
    seen: Counter[tuple[str, str]] = Counter()
    worded: set[tuple[str, str]] = set()
    for example in examples:
        spans = Spans(example.turns, ())
        for key, value in example.call.arguments.items():
            seen[example.call.tool, key] += 1
            if not (isinstance(value, str) and spans.holds(value)):
                worded.add((example.call.tool, key))
    return {
        tool.name: keys
        for tool in toolset.tools
        if (
            keys := [
                key
                for key, schema in tool.properties.items()
                if seen[tool.name, key] >= ENOUGH
                and (tool.name, key) not in worded
                and not {"enum", "const"} & schema.keys()
            ]
        )
    }
