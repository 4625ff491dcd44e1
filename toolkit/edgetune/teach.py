"""From a server's tools to a bundle that is verified: pull, generate, train, export, verify, eval.

    WORK/tools.json   what the servers offer, or the file that was given
    WORK/recipe.yaml  how it is trained; may be changed by hand
    WORK/run/         the training run
    BUNDLE/

Only joins the verbs together: each can be had alone. The same command goes on where it stopped.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from edgetune.config import TrainConfig, read_config
from edgetune.data.records import read_records
from edgetune.evaluate.evaluate import EvalResult, evaluate
from edgetune.evaluate.system import open_system
from edgetune.settings import DataSettings
from edgetune.tools.reader import read_all_tools
from edgetune.train.run import train
from edgetune.train.start import shipped_skill
from edgetune_export.bundle import write_bundle
from edgetune_export.run import data_directory, open_run
from edgetune_export.verify.checks import Verification
from edgetune_export.verify.ladder import climb
from edgetune_runtime.calls import Toolset
from edgetune_runtime.errors import InputError
from edgetune_runtime.files import write_bytes

PER_TOOL = 300
"""Generated requests to train on, for each tool."""
LEAST = 800
"""And for a toolset at the least."""
TRAJECTORIES = 0.15
"""Share of the requests for two things; as many others end after their one call."""
TEST = 100
DEV = 20

_HEAD = """\
# edgetune train {recipe} --output {run}
# Written by `edgetune teach`. Change what you like, remove {run}, and say the same again.

"""


@dataclass(frozen=True)
class Taught:
    """What came of it."""

    bundle: Path
    verification: Verification
    results: tuple[EvalResult, ...]
    """Of each toolset, on generated requests that were kept back."""

    def as_json(self) -> dict[str, Any]:
        """The figures as a JSON value."""
        return {
            "bundle": str(self.bundle),
            "verify": self.verification.ok,
            "toolsets": {each.toolset: each.score.as_json() for each in self.results},
        }


def teach(
    work: Path,
    bundle: Path,
    *,
    base: str,
    skill: str | None = None,
    per_tool: int | None = None,
    target: str = "onnx",
    force: bool = False,
) -> Taught:
    """Teach `base` the tools of `WORK/tools.json` and write the bundle.

    Raises InputError for tools that cannot be taught, where `bundle` is something else, and
    whatever the steps raise.
    """
    config = _recipe(work, base, skill, per_tool)
    train(config, work / "run")
    run = open_run(work / "run")
    write_bundle(run, bundle, [target], force=force)
    verification = climb(bundle, target)
    agent = open_system(bundle, target)
    results = []
    for name, toolset in run.toolsets.items():
        path = data_directory(run.path, name, run.toolsets) / "test.jsonl"
        steps = [record.steps(toolset) for record in read_records(path, toolset)]
        examples, lengths = [each for step in steps for each in step], [len(each) for each in steps]
        results.append(evaluate(agent, name, examples, lengths=lengths))
    return Taught(bundle, verification, tuple(results))


def _recipe(work: Path, base: str, skill: str | None, per_tool: int | None) -> TrainConfig:
    """The recipe in `work`, written if it is not there."""
    path, tools = work / "recipe.yaml", work / "tools.json"
    if not path.exists():
        toolsets = read_all_tools(tools)
        if len({toolset.name for toolset in toolsets}) < len(toolsets):
            raise InputError(f"{tools}: two toolsets have one name; rename one.")
        recipe = _settings(toolsets, tools, base, skill, per_tool or PER_TOOL)
        head = _HEAD.format(recipe=path, run=work / "run")
        write_bytes(path, (head + yaml.safe_dump(recipe, sort_keys=False)).encode())
    config = read_config(path)
    for option, given, there in (
        ("--base", base, config.base.model),
        ("--skill", skill and _absolute(skill), config.skill),
    ):
        if given != there:
            raise InputError(
                f"{path}: was written with {option} {there or 'left out'}, now it is "
                f"{given or 'left out'}; say the same, change that file, or choose another --work."
            )
    if per_tool is not None:
        wanted = [_count(per_tool, toolset) for toolset in read_all_tools(tools)]
        found = [each.generate.train if each and each.generate else 0 for each in _data(config)]
        if wanted != found:
            raise InputError(
                f"{path}: generates {_listed(found)} requests, --per-tool {per_tool} are "
                f"{_listed(wanted)}; leave it out, change that file, or choose another --work."
            )
    return config


def _count(per_tool: int, toolset: Toolset) -> int:
    return max(LEAST, per_tool * len(toolset.tools))


def _data(config: TrainConfig) -> list[DataSettings | None]:
    return [each.data for each in config.toolsets] if config.toolsets else [config.data]


def _listed(counts: Sequence[int]) -> str:
    return ", ".join(map(str, counts))


def _settings(
    toolsets: Sequence[Toolset], tools: Path, base: str, skill: str | None, per_tool: int
) -> dict[str, Any]:
    """A recipe for tools without records, as a mapping.

    Adapters start from the given tool skill, or from the one that ships for the base.
    """
    listed = [
        {
            "tools": tools.name,
            "name": toolset.name,
            "data": {
                "generate": {
                    "train": _count(per_tool, toolset),
                    "dev": DEV,
                    "test": TEST,
                    "trajectories": TRAJECTORIES,
                }
            },
        }
        for toolset in toolsets
    ]
    first = dict(listed[0])
    data = first.pop("data")
    kept = skill and _absolute(skill)
    start = kept or (base if shipped_skill(base) else None)
    return {
        "base": {"model": base},
        **({"skill": kept} if kept else {}),
        **({"toolset": first, "data": data} if len(listed) == 1 else {"toolsets": listed}),
        "prompt": {"tools": "none"},
        "adapter": {"rank": 16, "alpha": 16},
        "train": {
            **({"start": start} if start else {}),
            "epochs": 3,
            "batch_size": 8,
            "learning_rate": 1e-3,
        },
        "selector": {"train": {"epochs": 1.5, "batch_size": 16, "learning_rate": 5e-4}},
        "monolithic": {"enabled": False},
    }


def _absolute(skill: str) -> str:
    """A path as it is seen from anywhere; the name of one that ships stays a name."""
    return str(Path(skill).absolute()) if Path(skill).exists() else skill
