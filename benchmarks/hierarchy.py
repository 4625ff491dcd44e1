"""Does it pay to pick a toolset first? Flat, base-routed and adapter-routed, over sixty tools.

    python benchmarks/hierarchy.py /tmp/hierarchy [--tools none] [--json FILE]

Trains `configs/nano/hierarchy.yaml` (five toolsets of twelve tools with their adapters, and a
router) and, on the same records, one selector over all sixty tools. All three arms run on the
exported int4 ONNX bundle and write arguments with the same adapters: they differ in how the tool is
found alone. What was trained before is used again.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from statistics import mean, median
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from edgetune.config import TrainConfig, read_config
from edgetune.data.routed import RoutedStep, read_routed
from edgetune.evaluate.evaluate import EvalResult, evaluate
from edgetune.evaluate.intervals import share_interval
from edgetune.evaluate.routed import RoutedResult, evaluate_routed
from edgetune.settings import ArgumentsSettings, DataSettings, RouterSettings, ToolsetSettings
from edgetune.train.run import train
from edgetune_export.bundle import write_bundle
from edgetune_export.prompts.prefixes import router_prompts, toolset_prompts
from edgetune_export.run import open_run, run_assets
from edgetune_export.weights.base import load_base
from edgetune_runtime.agent import Agent
from edgetune_runtime.assets import Assets, ToolsetAssets
from edgetune_runtime.bundle import open_bundle
from edgetune_runtime.calls import Toolset
from edgetune_runtime.engines import open_engine
from edgetune_runtime.files import write_bytes, write_json
from edgetune_runtime.prompt import ToolsShown, render_prompt
from edgetune_runtime.toolsets import dump_toolset, read_toolsets

RECIPE = Path(__file__).parents[1] / "configs/nano/hierarchy.yaml"
FLAT = "flat"
SHOWN: tuple[ToolsShown, ...] = ("none", "names", "compact", "full")


@dataclass(frozen=True)
class Arm:
    """One way to find the tool, and how it went."""

    name: str
    assets: Assets
    result: EvalResult
    routes: Sequence[str | None]
    """The toolset that was picked for each step; of the flat arm the one of the selected tool."""


def main(
    output: Annotated[Path, typer.Argument(help="Where runs and the bundle are kept.")],
    tools: Annotated[str, typer.Option(help="prompt.tools: none, names, compact.")] = "none",
    limit: Annotated[int | None, typer.Option(help="Only so many records a toolset.")] = None,
    json_target: Annotated[Path | None, typer.Option("--json", help="Also write JSON.")] = None,
) -> None:
    """Train what is missing, measure the three arms, print the table."""
    begin = time.monotonic()
    place = output / tools
    config = read_config(RECIPE)
    config = config.model_copy(update={"prompt": config.prompt.model_copy(update={"tools": tools})})
    train(config, place / "hierarchy")
    train(flat_config(config, place), place / FLAT)
    run = open_run(place / "hierarchy")
    if not (place / "bundle").exists():
        write_bundle(run, place / "bundle", ["onnx"])
    steps = held_out(place / "hierarchy", run.toolsets, limit)
    arms = measure(place, steps)
    found = {
        "n": len(steps),
        "prompt_tools": tools,
        "arms": {arm.name: figures(arm, steps) for arm in arms},
        "static_prefix_tokens": prefix_tokens(list(run.toolsets.values())),
        "date": time.strftime("%Y-%m-%d"),
        "seconds": round(time.monotonic() - begin),
    }
    show(found, Console())
    if json_target is not None:
        write_json(json_target, found)


def flat_config(config: TrainConfig, place: Path) -> TrainConfig:
    """The same recipe over one toolset that holds every tool, with the records of all.

    Its arguments adapters take one step: those of the other run are used.
    """
    toolsets = read_toolsets(place / "hierarchy/tools.json")
    flat = Toolset(FLAT, "", tuple(tool for each in toolsets.values() for tool in each.tools))
    folder = place / "flat_data"
    write_json(folder / "tools.json", dump_toolset(flat)["tools"])
    for split in ("train", "dev"):
        parts = [
            (place / "hierarchy/data" / name / f"{split}.jsonl").read_bytes() for name in toolsets
        ]
        write_bytes(folder / f"{split}.jsonl", b"".join(parts))
    return config.model_copy(
        update={
            "toolset": ToolsetSettings(tools=str(folder / "tools.json"), name=FLAT),
            "data": DataSettings(train=str(folder / "train.jsonl"), dev=str(folder / "dev.jsonl")),
            "toolsets": None,
            "router": RouterSettings(),
            "arguments": ArgumentsSettings(train={"steps": 1}),
        }
    )


def held_out(run: Path, toolsets: Any, limit: int | None) -> list[RoutedStep]:
    """The steps of the test records of every toolset."""
    return [
        step
        for name in toolsets
        for record in read_routed(run / "data" / name / "test.jsonl", toolsets)[:limit]
        for step in record
    ]


def measure(place: Path, steps: Sequence[RoutedStep]) -> list[Arm]:
    """Run the three arms on one engine."""
    bundle = open_bundle(place / "bundle")
    engine = open_engine(bundle, "onnx")
    routed = bundle.assets
    assert routed.router is not None
    by_base = replace(routed, router=replace(routed.router, adapter=None))
    flat = flat_assets(run_assets(open_run(place / FLAT)), routed)
    owners = {
        tool.name: name for name, each in routed.toolsets.items() for tool in each.toolset.tools
    }
    result = evaluate(Agent(flat, engine), FLAT, [step.example for step in steps])
    arms = [Arm(FLAT, flat, result, [owners.get(o.selected or "") for o in result.outcomes])]
    for name, assets in (("base-routed", by_base), ("adapter-routed", routed)):
        found: RoutedResult = evaluate_routed(Agent(assets, engine), steps)
        arms.append(Arm(name, assets, found, found.toolsets))
    return arms


def flat_assets(flat: Assets, routed: Assets) -> Assets:
    """The flat selector with the arguments adapters that were trained toolset by toolset."""
    own = flat.toolsets[FLAT]
    arguments = {
        tool: name for each in routed.toolsets.values() for tool, name in each.arguments.items()
    }
    copied = {tool: keys for each in routed.toolsets.values() for tool, keys in each.copied.items()}
    toolset = replace(own, arguments=arguments, copied=copied)
    selector = {str(own.selector): flat.adapters[str(own.selector)]}
    return replace(flat, toolsets={FLAT: toolset}, adapters={**routed.adapters, **selector})


def figures(arm: Arm, steps: Sequence[RoutedStep]) -> dict[str, Any]:
    """What the table shows of an arm."""
    calls = [
        route == step.toolset for route, step in zip(arm.routes, steps, strict=True) if step.toolset
    ]
    score = arm.result.score
    tokens = [prompt_tokens(arm, step, index) for index, step in enumerate(steps)]
    return {
        "routing_accuracy": mean(calls),
        "routed_n": len(calls),
        "selection_accuracy": score.selection_accuracy,
        "call_exact_match": score.call_exact_match,
        "prompt_tokens": mean(tokens),
        "prefill_tokens": mean(cost["prefill_tokens"] for cost in arm.result.costs),
        "ms": median(cost["ms"] for cost in arm.result.costs),
    }


def prompt_tokens(arm: Arm, step: RoutedStep, index: int) -> int:
    """Tokens of all prompts of a step, static prefixes included, whether or not they are kept."""
    assets, route = arm.assets, arm.routes[index]
    prefixes = []
    if assets.router is not None:
        prompts = assets.router.prompts
        prefixes.append(prompts.adapter if assets.router.adapter else prompts.base)
    served: ToolsetAssets = assets.toolsets[FLAT if assets.router is None else str(route)]
    prefixes.append(served.prompts.selector)
    tool = str(arm.result.outcomes[index].selected)
    if tool in served.automata:
        prefixes.append(served.prompts.arguments[tool])
    texts = [render_prompt(assets.pieces, prefix, step.example.turns) for prefix in prefixes]
    return sum(len(assets.tokenizer.encode(text, add_special_tokens=False).ids) for text in texts)


def prefix_tokens(toolsets: Sequence[Toolset]) -> dict[str, dict[str, float]]:
    """Tokens of the static prefixes before a tool is selected, for each `prompt.tools`."""
    template = load_base(Path(str(resources.files("edgetune.nano"))) / "base").template
    flat = Toolset(FLAT, "", tuple(tool for each in toolsets for tool in each.tools))

    def size(text: str) -> int:
        return len(template.ids(text))

    rows: dict[str, dict[str, float]] = {}
    for shown in SHOWN:
        router = router_prompts(template, toolsets, shown)
        own = mean(size(toolset_prompts(template, each, shown).selector) for each in toolsets)
        rows[shown] = {
            FLAT: size(toolset_prompts(template, flat, shown).selector),
            "base-routed": size(router.base) + own,
            "adapter-routed": size(router.adapter) + own,
        }
    return rows


def show(found: dict[str, Any], console: Console) -> None:
    """Print both tables."""
    table = Table(
        title=f"{found['n']} requests, 5 toolsets, 60 tools, prompt.tools: {found['prompt_tools']}",
        caption="in brackets: 95 % interval; tokens a step: mean; ms: median",
    )
    table.add_column("arm", no_wrap=True)
    heads = ("routing", "selection", "calls", "prompt tokens", "of these prefilled", "ms")
    for head in heads:
        table.add_column(head, justify="right")
    for name, arm in found["arms"].items():
        table.add_row(
            name,
            _share(arm["routing_accuracy"], arm["routed_n"]),
            _share(arm["selection_accuracy"], found["n"]),
            _share(arm["call_exact_match"], found["n"]),
            f"{arm['prompt_tokens']:.1f}",
            f"{arm['prefill_tokens']:.1f}",
            f"{arm['ms']:.0f}",
        )
    console.print(table)
    prefixes = Table("prompt.tools", title="Static prefix before a tool is selected, in tokens")
    arms = list(found["arms"])
    for name in arms:
        prefixes.add_column(name, justify="right")
    for shown, row in found["static_prefix_tokens"].items():
        prefixes.add_row(shown, *(f"{row[name]:.0f}" for name in arms))
    console.print(prefixes)
    console.print(f"{found['date']}, {found['seconds']} s")


def _share(share: float, n: int) -> str:
    low, high = share_interval(share, n)
    return f"{share:.3f} ({low:.2f} to {high:.2f})"


if __name__ == "__main__":
    typer.run(main)
