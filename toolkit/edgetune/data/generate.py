"""`edgetune data generate`: writes a built-in toolset's records, with its tools beside them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgetune.data import phone_actions
from edgetune.data.phone_values import SPLITS
from edgetune.data.records import write_jsonl
from edgetune.tools.reader import builtin_tools
from edgetune_runtime.errors import InputError
from edgetune_runtime.files import write_json

GENERATORS = {phone_actions.TOOLSET: phone_actions.generate}
"""Each takes a count, a seed and a split, and returns records."""


@dataclass(frozen=True)
class GenerateReport:
    """What was written, and how many records each part has."""

    output: Path
    tools: int
    records: Mapping[str, int]

    def as_json(self) -> dict[str, Any]:
        """The report as a JSON value."""
        return {
            "output": str(self.output),
            "tools": self.tools,
            "records": dict(self.records),
        }


def generate_records(
    toolset: str, output: Path, counts: Mapping[str, int], seed: int = 0
) -> GenerateReport:
    """Write `tools.json` and one JSONL file a split into `output`.

    `counts` says how many records each of `train`, `dev` and `test` gets; a split that it leaves
    out is not written.
    Raises InputError where there is no generator for `toolset` or it cannot yield that many.
    """
    if toolset not in GENERATORS:
        raise InputError(
            f"'{toolset}' is no toolset with a generator, expected one of {', '.join(GENERATORS)}."
        )
    # Everything is made before anything is written, so that an error leaves no mixture.
    parts = {
        split: GENERATORS[toolset](counts[split], seed, split)
        for split in SPLITS
        if split in counts
    }
    tools = builtin_tools(toolset).tools
    write_json(output / "tools.json", [tool.as_openai() for tool in tools])
    for split, records in parts.items():
        write_jsonl(output / f"{split}.jsonl", records)
    return GenerateReport(output, len(tools), dict(counts))
