"""`edgetune data generate`: writes a toolset's records, with its tools beside them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgetune.data.parts import says_tools, write_parts
from edgetune.generate import any_tools, phone_actions
from edgetune.generate.phone_values import SPLITS, Split
from edgetune.generate.trajectories import finish_records, join_records
from edgetune.tools.reader import builtin_tools, read_tools
from edgetune_runtime.calls import Toolset
from edgetune_runtime.toolsets import dump_toolset

Generator = Callable[[int, int, Split], list[dict[str, Any]]]
"""Takes a count, a seed and a split, and returns records."""


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
    source: str | Path,
    output: Path,
    counts: Mapping[str, int],
    seed: int = 0,
    trajectories: float = 0.0,
    *,
    force: bool = False,
) -> GenerateReport:
    """Write `tools.json` and one JSONL file a split into `output`.

    `source` is a `tools.json` or a built-in toolset. `counts` says how many records each of
    `train`, `dev` and `test` gets; a split that it leaves out is not written. `trajectories` is the
    share of them with several steps.
    Raises InputError for tools that cannot be read or do not yield that many records, and where
    `output` holds other records or tools and there is no `force`.
    """
    toolset = read_tools(source)
    says_tools(output, toolset, force=force)  # a place that will not do is better told now
    generate = generator_of(toolset, trajectories)
    # Everything is made before anything is written, so that an error leaves no mixture.
    parts: dict[str, list[dict[str, Any]]] = {
        split: generate(counts[split], seed, split) for split in SPLITS if split in counts
    }
    write_parts(output, toolset, dump_toolset(toolset)["tools"], parts, force=force)
    return GenerateReport(output, len(toolset.tools), dict(counts))


def generator_of(toolset: Toolset, trajectories: float = 0.0) -> Generator:
    """What writes records for `toolset`: a built-in one has phrases of its own.

    `trajectories` is the share of the records that ask for two things in turn, and of the others
    that go on after their one call.
    """
    single = _single_steps(toolset)
    if not trajectories:
        return single

    def generate(count: int, seed: int, split: Split) -> list[dict[str, Any]]:
        joined = round(trajectories * count)
        records = join_records(single(count + joined, seed, split), joined, split, seed)
        return finish_records(records, trajectories, split, seed)

    return generate


def _single_steps(toolset: Toolset) -> Generator:
    if toolset == builtin_tools(phone_actions.TOOLSET):
        return phone_actions.generate
    return lambda count, seed, split: any_tools.generate(toolset, count, seed, split)
