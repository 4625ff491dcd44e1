"""What a tool more costs: a run that grows, against the baseline, which is trained anew.

    python benchmarks/growing.py /tmp/growing [--tool set_timer] [--records N] [--json FILE]

Trains `configs/nano/phone_actions.yaml` without one of its tools, grows that run by the tool
(`edgetune train --from`), and trains all of it anew for comparison. Then both bundles (int4, ONNX
Runtime) are asked for the old tools' calls, on held-out requests. What was trained before is used
again.
"""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from edgetune.config import TrainConfig, read_config
from edgetune.data.records import Example, read_records, write_jsonl
from edgetune.evaluate.evaluate import evaluate
from edgetune.evaluate.score import Outcome
from edgetune.generate.phone_values import SPLITS
from edgetune.generate.write import generator_of
from edgetune.settings import DataSettings, MonolithicSettings, ToolsetSettings
from edgetune.tools.reader import builtin_tools
from edgetune.train.run import train
from edgetune.train.summary import RunSummary, is_kept
from edgetune_export.bundle import write_bundle
from edgetune_export.run import open_run
from edgetune_runtime.agent import Agent
from edgetune_runtime.bundle import open_bundle
from edgetune_runtime.calls import RESPOND, Toolset
from edgetune_runtime.engines import open_engine
from edgetune_runtime.errors import unknown
from edgetune_runtime.files import write_json
from edgetune_runtime.options import Options, System
from edgetune_runtime.toolsets import dump_toolsets

RECIPE = Path(__file__).parents[1] / "configs/nano/phone_actions.yaml"
SYSTEMS: tuple[System, ...] = ("decoupled", "monolithic")


def main(
    output: Annotated[Path, typer.Argument(help="Where records, runs and bundles are kept.")],
    tool: Annotated[str, typer.Option(help="The tool that is added.")] = "set_timer",
    records: Annotated[int | None, typer.Option(help="Train on so many [the recipe's].")] = None,
    limit: Annotated[int, typer.Option(help="Ask so many held-out requests.")] = 1000,
    json_target: Annotated[Path | None, typer.Option("--json", help="Also write JSON.")] = None,
) -> None:
    """Train what is missing, ask both bundles, print the table."""
    toolset = builtin_tools("phone_actions")
    if tool not in toolset:
        raise unknown("--tool", tool, toolset.names[:-1])
    recipe = read_config(RECIPE)
    assert recipe.data is not None
    assert recipe.data.generate is not None
    counts = {"train": records or recipe.data.generate.train, "dev": recipe.data.generate.dev}
    before, after = (
        write_data(toolset, counts | {"test": limit}, output / name, without=without)
        for name, without in (("before", tool), ("after", None))
    )
    first = train(over(recipe, before), output / "first")
    grown = train(over(recipe, after), output / "grown", output / "first")
    anew = train(over(recipe, after, monolithic=False), output / "anew")
    examples = [
        step
        for record in read_records(after / "test.jsonl", toolset)
        for step in record.steps(toolset)
    ]
    asked = {
        (run, system): ask(output, run, system, toolset, examples)
        for run in ("first", "grown", "anew")
        for system in SYSTEMS
        if (run, system) != ("anew", "monolithic")
    }
    found = {
        "tool": tool,
        "records": counts["train"],
        "date": time.strftime("%Y-%m-%d"),
        "whole": spent(anew, "decoupled"),
        "systems": {
            system: spent(grown, system)
            | compared(asked["first", system], asked["grown", system], tool)
            for system in SYSTEMS
        },
        "decoupled_anew": spent(anew, "decoupled")
        | compared(asked["first", "decoupled"], asked["anew", "decoupled"], tool),
        "first_seconds": round(first.seconds, 1),
    }
    show(found, Console())
    if json_target is not None:
        write_json(json_target, found)


def write_data(
    toolset: Toolset, counts: Mapping[str, int], folder: Path, *, without: str | None
) -> Path:
    """The tools and records of `toolset` as files in `folder`, without those of a tool."""
    tools = tuple(tool for tool in toolset.tools if tool.name != without)
    write_json(
        folder / "tools.json", dump_toolsets([Toolset(toolset.name, toolset.description, tools)])
    )
    for split in SPLITS:
        made = generator_of(toolset)(counts[split], 0, split)
        write_jsonl(
            folder / f"{split}.jsonl", (record for record in made if without not in called(record))
        )
    return folder


def called(record: Mapping[str, Any]) -> set[str]:
    """The tools that a generated record calls."""
    return {
        call["function"]["name"]
        for message in record["messages"]
        for call in message.get("tool_calls") or ()
    }


def over(recipe: TrainConfig, folder: Path, *, monolithic: bool = True) -> TrainConfig:
    """The same recipe over the files in `folder`."""
    data = DataSettings(train=str(folder / "train.jsonl"), dev=str(folder / "dev.jsonl"))
    changes: dict[str, Any] = {
        "toolset": ToolsetSettings(tools=str(folder / "tools.json"), name="phone_actions"),
        "data": data,
    }
    if not monolithic:
        changes["monolithic"] = MonolithicSettings(enabled=False)
    return recipe.model_copy(update=changes)


def ask(
    output: Path, run: str, system: System, toolset: Toolset, examples: Sequence[Example]
) -> Sequence[Outcome]:
    """What the bundle of a run makes of the examples whose tools it has."""
    path = output / f"{run}-bundle"
    if not path.exists():
        write_bundle(open_run(output / run), path, ["onnx"])
    bundle = open_bundle(path)
    known = bundle.assets.toolsets[toolset.name].toolset.names
    agent = Agent(bundle.assets, open_engine(bundle, "onnx"))
    mine = [each for each in examples if each.call.tool in known]
    return evaluate(agent, toolset.name, mine, options=Options(system=system)).outcomes


def spent(summary: RunSummary, system: System) -> dict[str, Any]:
    """What training the adapters of `system` took in that run."""
    mine = [
        each
        for each in summary.adapters.values()
        if (each["role"] == "monolithic") == (system == "monolithic")
    ]
    trained = [each for each in mine if not is_kept(each)]
    return {
        "adapters": len(mine),
        "trained": len(trained),
        **{key: sum(each[key] for each in trained) for key in ("steps", "tokens", "seconds")},
    }


def compared(before: Sequence[Outcome], after: Sequence[Outcome], tool: str) -> dict[str, Any]:
    """How the calls of the old tools have moved, and how many are right."""
    new = [outcome for outcome in after if outcome.expected.tool == tool]
    pairs = [
        (one, other)
        for one, other in zip(
            before, (each for each in after if each.expected.tool != tool), strict=True
        )
        if one.expected.tool != RESPOND
    ]
    return {
        "old_n": len(pairs),
        "old_selection_changed": sum(one.selected != other.selected for one, other in pairs),
        "old_arguments_changed": sum(one.given != other.given for one, other in pairs),
        "old_calls_changed": sum(
            (one.selected, one.called) != (other.selected, other.called) for one, other in pairs
        ),
        "old_calls_right_before": sum(bool(one.call_right) for one, _ in pairs),
        "old_calls_right_after": sum(bool(other.call_right) for _, other in pairs),
        "new_n": len(new),
        "new_selection_right": sum(bool(each.selection_right) for each in new),
        "new_calls_right": sum(bool(each.call_right) for each in new),
    }


def show(found: dict[str, Any], console: Console) -> None:
    """Print the table."""
    arms = {
        "decoupled, grown": found["systems"]["decoupled"],
        "decoupled, anew": found["decoupled_anew"],
        "monolithic, anew": found["systems"]["monolithic"],
    }
    table = Table(title=f"phone_actions and {found['tool']}, {found['records']} records")
    table.add_column("")
    for name in arms:
        table.add_column(name, justify="right")
    for title, key in (
        ("adapters trained", "trained"),
        ("tokens", "tokens"),
        ("seconds", "seconds"),
        ("old tools: requests", "old_n"),
        ("other calls than before", "old_calls_changed"),
        ("other tools selected", "old_selection_changed"),
        ("other arguments, given the tool", "old_arguments_changed"),
        ("calls right before", "old_calls_right_before"),
        ("calls right now", "old_calls_right_after"),
        ("new tool: requests", "new_n"),
        ("tool right", "new_selection_right"),
        ("calls right", "new_calls_right"),
    ):
        table.add_row(title, *(f"{round(arm[key]):,}" for arm in arms.values()))
    console.print(table)
    share = arms["decoupled, grown"]["tokens"] / found["whole"]["tokens"]
    console.print(f"grown: {share:.3f} of the tokens of a whole run; {found['date']}")


if __name__ == "__main__":
    typer.run(main)
