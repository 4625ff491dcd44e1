"""Reading a training run: its base, tools, adapters and records, and what an agent needs of them.

    RUN/run.json  base/  tools.json  data/*.jsonl (of several toolsets: data/<toolset>/*.jsonl)
    adapters/<name>/

Writing one is training's. A run gives the same `Assets` as a bundle, so that one agent drives both.
Nothing is lowered here.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from edgetune_export.assets import make_assets
from edgetune_export.run_record import RUN, AdapterRecord, read_run_record
from edgetune_export.slots import PeftAdapter, read_peft
from edgetune_export.weights.base import Base, load_base
from edgetune_runtime.assets import AdapterSource, Assets, Tensors
from edgetune_runtime.calls import RESPOND_CALL, RESPOND_TOOL, Call, Tool, Toolset
from edgetune_runtime.errors import InputError
from edgetune_runtime.files import sha256_file
from edgetune_runtime.manifest import SKILL, AdapterKind, Role
from edgetune_runtime.prompt import ToolsShown
from edgetune_runtime.toolsets import read_toolsets

WEIGHTS = "adapter_model.safetensors"


@dataclass(frozen=True)
class RunAdapter:
    """One trained adapter, as PEFT saved it."""

    name: str
    role: Role
    toolset: str | None
    """None for the router and the skill."""
    tool: str | None
    directory: Path
    data_sha256: str
    selection_temperature: float = 1.0
    """What training fitted on the dev records; 1 for a run that has none."""
    start_base_sha256: str | None = None
    """The base that its initial weights were trained on; None where they were random."""


@dataclass(frozen=True)
class Run:
    """A finished training run."""

    path: Path
    config: Mapping[str, Any]
    """The resolved recipe, as training wrote it."""
    base: Base
    toolsets: Mapping[str, Toolset]
    adapters: tuple[RunAdapter, ...]
    copied: Mapping[str, Mapping[str, tuple[str, ...]]]
    """By toolset and tool, the parameters whose values are copied from the request."""

    @property
    def tools_shown(self) -> ToolsShown:
        """How much of the tools the adapters were trained with."""
        return self.config.get("prompt", {}).get("tools", "full")

    @property
    def kind(self) -> AdapterKind:
        """Of all its adapters."""
        return self.config.get("adapter", {}).get("kind", "lora")

    def adapter(self, name: str) -> RunAdapter:
        """The adapter of that name. Raises InputError naming those that are there."""
        for adapter in self.adapters:
            if adapter.name == name:
                return adapter
        names = sorted(adapter.name for adapter in self.adapters)
        raise InputError(f"{self.path}: has no adapter '{name}'; choose one of {names}.")


def data_directory(run: Path, toolset: str, toolsets: Collection[str]) -> Path:
    """Where the run at `run` keeps the records of `toolset`: a folder of its own among several."""
    return run / "data" if len(toolsets) == 1 else run / "data" / toolset


@dataclass(frozen=True)
class Sample:
    """The first step of a record: a request and the call that answers it."""

    request: str
    tool: Tool
    call: Call


def open_run(path: Path) -> Run:
    """The run in directory `path`.

    Raises InputError where it is no run, is unfinished, or its adapters were trained on another
    base than lies in it.
    """
    if not (path / RUN).is_file():
        raise InputError(
            f"{path}: no training run is here ({RUN} is missing); give the directory that "
            "'edgetune train' wrote."
        )
    record = read_run_record(path)
    if not record.complete or record.base is None:
        raise InputError(
            f"{path}: the run is not finished; run the same 'edgetune train' command again, it "
            "resumes where it stopped."
        )
    base = load_base(path / "base")
    if record.base.weights_sha256 != base.weights_sha256:
        raise InputError(
            f"{path / 'base'}: is base {base.weights_sha256[:12]}…, but the run was trained on "
            f"{record.base.weights_sha256[:12]}…; train again or put the run's own base back."
        )
    adapters = tuple(
        _adapter(path, entry)
        for entry in record.adapters
        if entry.role != "arguments" or entry.tool is not None  # not the common start
    )
    toolsets = read_toolsets(path / "tools.json")
    copied = record.copied_by_toolset(toolsets)
    return Run(path, record.config, base, toolsets, adapters, copied)


def run_assets(run: Run, *, grammars: bool = True) -> Assets:
    """Everything but the engine that an agent needs to run `run`'s adapters.

    Compiles every tool's grammar; without `grammars` each is compiled when it is asked for. Raises
    GrammarError for a schema that no grammar can hold to.
    """
    bare = make_assets(
        run.base.template,
        run.toolsets.values(),
        end_tokens=run.base.end_tokens,
        tools_shown=run.tools_shown,
        shared=run.kind == "alora",
        lazy=not grammars,
    )
    toolsets = {
        name: replace(
            toolset,
            selector=_named(run, name, "selector"),
            arguments={a.tool: a.name for a in _of_role(run, name, "arguments") if a.tool},
            monolithic=_named(run, name, "monolithic"),
            copied=run.copied.get(name, {}),
        )
        for name, toolset in bare.toolsets.items()
    }
    adapters = {adapter.name: _source(run, adapter) for adapter in run.adapters}
    router = bare.router and replace(bare.router, adapter=_named(run, None, "router"))
    skill = _named(run, None, SKILL)
    return replace(bare, toolsets=toolsets, adapters=adapters, router=router, skill=skill)


def samples(run: Run, toolset: Toolset) -> Iterator[Sample]:
    """The first steps of the run's records for `toolset`, held-out ones first."""
    for split in ("test", "dev", "train"):
        path = data_directory(run.path, toolset.name, run.toolsets) / f"{split}.jsonl"
        if path.is_file():
            with path.open(encoding="utf-8") as lines:
                for line in lines:
                    sample = _sample(json.loads(line), toolset) if line.strip() else None
                    if sample is not None:
                        yield sample


def _sample(record: Mapping[str, Any], toolset: Toolset) -> Sample | None:
    """A request and its call, None for a record that does not begin with plain ones."""
    messages = [m for m in record["messages"] if m["role"] not in ("system", "developer")]
    if len(messages) < 2 or not isinstance(messages[0].get("content"), str):
        return None
    calls = messages[1].get("tool_calls")
    if not calls:
        return Sample(messages[0]["content"], RESPOND_TOOL, RESPOND_CALL)
    function = calls[0].get("function", calls[0])
    arguments = function["arguments"]
    if isinstance(arguments, str):
        arguments = json.loads(arguments)
    if function["name"] not in toolset:
        return None
    tool = toolset[function["name"]]
    return Sample(messages[0]["content"], tool, Call(tool.name, arguments))


def _adapter(path: Path, entry: AdapterRecord) -> RunAdapter:
    return RunAdapter(
        entry.name,
        entry.role,
        entry.toolset,
        entry.tool,
        path / entry.directory,
        entry.data_sha256,
        entry.selection_temperature or 1.0,
        entry.start_base_sha256,
    )


def _of_role(run: Run, toolset: str | None, role: Role) -> list[RunAdapter]:
    return [a for a in run.adapters if a.toolset == toolset and a.role == role]


def _named(run: Run, toolset: str | None, role: Role) -> str | None:
    found = _of_role(run, toolset, role)
    return found[0].name if found else None


def _source(run: Run, adapter: RunAdapter) -> AdapterSource:
    weights = adapter.directory / WEIGHTS
    if not weights.is_file():
        raise InputError(f"{weights}: missing; run 'edgetune train' again, it trains it anew.")
    peft = read_adapter(run, adapter)
    return AdapterSource(
        adapter.name,
        peft.rank,
        sha256_file(weights),
        weights.stat().st_size,
        partial(_tensors, run, adapter),
        peft.invocation,
        adapter.selection_temperature,
    )


def read_adapter(run: Run, adapter: RunAdapter) -> PeftAdapter:
    """The slot tensors of one of the run's adapters, scale folded in."""
    return read_peft(adapter.directory, run.base)


def _tensors(run: Run, adapter: RunAdapter) -> Tensors:
    return read_adapter(run, adapter).tensors
