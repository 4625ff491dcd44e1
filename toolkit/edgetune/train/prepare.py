"""What a run starts from, put into its directory: quantized base, tools, records.

A run holds all that it was made of, so that it can be exported when the sources are gone. What is
there already is `reopen`'s. The base, its template and the tools are looked at whole before
anything is written. Nothing is trained here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from edgetune.bases.fetch import embedded_base, open_name
from edgetune.bases.table import EMBEDDED, KNOWN
from edgetune.config import ROLES, TrainConfig
from edgetune.data.copied import copied_parameters
from edgetune.tools.reader import BUILT_IN, read_tools
from edgetune.train.earlier import Earlier, base_of, open_earlier
from edgetune.train.records import (
    ToolsetRecords,
    read_run_records,
    require_records,
    write_records,
)
from edgetune.train.reopen import clear, reopen
from edgetune.train.start import Start, check_starts, find_starts, keep_starts
from edgetune.train.taken_skill import check_skill, find_skill
from edgetune_export.grammar.arguments import narrowing
from edgetune_export.lowering.requirements import Described
from edgetune_export.lowering.targets import refusals
from edgetune_export.progress import console
from edgetune_export.prompts.invocation import invocation_tokens
from edgetune_export.prompts.prefixes import reply_prefix, router_prompts, toolset_prompts
from edgetune_export.run import WEIGHTS
from edgetune_export.run_record import BaseRecord, RunRecord, write_run_record
from edgetune_export.weights.base import Base, load_base, open_source
from edgetune_export.weights.checkpoint import Checkpoint, is_gguf
from edgetune_runtime.calls import Toolset
from edgetune_runtime.errors import InputError
from edgetune_runtime.files import sha256_file, write_json
from edgetune_runtime.manifest import SKILL
from edgetune_runtime.toolsets import dump_toolsets, toolset_sha256


@dataclass(frozen=True)
class Prepared:
    """A run's directory, ready to be trained in."""

    directory: Path
    base: Base
    toolsets: list[ToolsetRecords]
    """In the order of the recipe."""
    starts: dict[str, Start]
    """By name, what adapters start from, of those that do not start anew."""
    earlier: Earlier | None = None
    """The run that this one grows from."""
    skill: Path | None = None
    """The skill that the run takes with it."""


def prepare(config: TrainConfig, output: Path, grown_from: Path | None = None) -> Prepared:
    """Make or reopen the run at `output`, which grows from the one at `grown_from`.

    Raises InputError where `output` is something else or another recipe's run, and whatever is
    wrong with base, tools, records or the earlier run.
    """
    toolsets = _toolsets(config)
    _check_tools(config, toolsets)
    for toolset in toolsets:
        for tool in toolset.tools:
            # A schema that no grammar can hold to is better refused now.
            if held := narrowing(tool):
                console.print(held, highlight=False, soft_wrap=True)
    base_source = _base_source(config)
    _check_quantization(config, Path(base_source))
    starts = find_starts(config, toolsets)
    skill = find_skill(config)
    sources = _sources(config, toolsets, base_source)
    for name, start in starts.items():
        sources[f"start.{name}"] = sha256_file(start.directory / WEIGHTS)
    if skill is not None:
        sources["skill"] = sha256_file(skill / "adapters" / SKILL / WEIGHTS)
    earlier = None if grown_from is None else open_earlier(grown_from, config, toolsets, output)
    if earlier is not None:
        sources["from"] = earlier.sha256
    found = reopen(output, config, sources, [Path(base_source), *_paths(config)])
    started = found == "started"
    base_directory = output / "base"
    made = found != "stale" and (base_directory / "base.json").is_file()
    if made:
        opened: Base | Checkpoint = load_base(base_directory)
    else:
        opened = open_source(*open_name(base_source, config.base.revision))
        if earlier is not None:
            opened = base_of(earlier, opened, config)
    _check_targets(opened)
    _check_layers(config, opened)
    check_starts(starts, opened, config.base.model)
    if skill is not None:
        check_skill(skill, opened, config.base.model)
    _check_prompts(config, opened, toolsets)
    if found == "stale":
        clear(output)
    if not started:
        begun = RunRecord(
            edgetune=version("edgetune"),
            config=config.model_dump(mode="json"),
            grown_from=None if earlier is None else str(earlier.path.absolute()),
            sources=sources,
            base=None,
            adapters=(),
            complete=False,
        )
        require_records(config, toolsets)
        write_run_record(output, begun)
        write_json(output / "tools.json", dump_toolsets(toolsets))
        write_records(config, toolsets, output, earlier)
        keep_starts(starts, output)
    records = read_run_records(config, toolsets, output)

    if made and isinstance(opened, Base):
        base = opened
    else:
        base = load_base(
            opened,
            base_directory,
            name=config.base.model,
            method=config.base.quantization,
            embedding_bits=config.base.embedding_bits,
        )
    prepared = Prepared(output, base, records, starts, earlier, skill)
    if not started:
        # Written last: a run with a base in its run.json has all that it starts from.
        about = BaseRecord(
            name=base.name,
            revision=base.revision,
            weights_sha256=base.weights_sha256,
            checkpoint_sha256=base.checkpoint_sha256,
        )
        copied = {
            each.toolset.name: {
                tool: tuple(keys)
                for tool, keys in copied_parameters(each.toolset, each.train).items()
            }
            for each in prepared.toolsets
            if config.arguments.hold_copied
        }
        write_run_record(output, begun.model_copy(update={"base": about, "copied": copied}))
    return prepared


def _check_tools(config: TrainConfig, toolsets: Sequence[Toolset]) -> None:
    known = [tool.name for each in toolsets for tool in each.tools if tool.has_parameters]
    names = " and ".join(f"'{toolset.name}'" for toolset in toolsets)
    for tool in config.arguments.tools:
        if tool not in known:
            raise InputError(
                f"arguments.tools.{tool}: toolset {names} has no such tool that takes "
                f"parameters (it has {', '.join(known)}); correct its name or remove it."
            )


def _check_quantization(config: TrainConfig, source: Path) -> None:
    if not (source / "base.json").is_file():
        return
    made, asked = Base(source), config.base
    for key, wanted, found in (
        ("quantization", asked.quantization, made.method),
        ("embedding_bits", asked.embedding_bits, made.embedding_bits),
    ):
        if wanted is not None and wanted != found:
            raise InputError(
                f"'base.{key}: {wanted}' contradicts 'base.model: {config.base.model}', a base "
                f"that is made already, with {found}; give the float checkpoint that it was made "
                f"of, or remove 'base.{key}'."
            )


def _check_targets(base: Described) -> None:
    """Say which targets would refuse what others take. Raises InputError where all would."""
    where = base.directory / "config.json"
    for target, why in refusals(base).items():
        console.print(f"{where}: --target {target} will refuse this base: {why}", soft_wrap=True)


def _check_layers(config: TrainConfig, base: Base | Checkpoint) -> None:
    layers = base.config.num_hidden_layers
    for role in ROLES:
        wanted = config.adapter_of(role).layers
        if wanted is not None and wanted > layers:
            raise InputError(
                f"'adapter.layers: {wanted}' contradicts 'base.model: {config.base.model}', which "
                f"has {layers} layers; lower it, or remove it to adapt all."
            )


def _check_prompts(
    config: TrainConfig, base: Base | Checkpoint, toolsets: Sequence[Toolset]
) -> None:
    """Raise InputError where the base's template cannot tell these tools, or begin a call."""
    template, shown = base.template, config.prompt.tools
    activated = config.adapter.kind == "alora"
    for toolset in toolsets:
        toolset_prompts(template, toolset, shown, shared=activated)
    if config.routed:
        router_prompts(template, toolsets, shown)
    reply_prefix(template)
    if activated:
        invocation_tokens(template, config.adapter.invocation)


def _toolsets(config: TrainConfig) -> list[Toolset]:
    toolsets = [_toolset(config, index) for index in range(len(config.listed))]
    seen: dict[str, int] = {}
    for index, toolset in enumerate(toolsets):
        # Each toolset has a folder of its name, and some file systems ignore case.
        first = seen.setdefault(toolset.name.casefold(), index)
        if first != index:
            raise InputError(
                f"toolsets.{index}.name: '{toolset.name}' is the name of toolsets.{first}, too; "
                "give one of them another name."
            )
    return toolsets


def _toolset(config: TrainConfig, index: int) -> Toolset:
    settings = config.listed[index]
    tools, name = config.field(index, "tools"), config.field(index, "name")
    if settings.tools in BUILT_IN:
        if settings.name is not None and settings.name != settings.tools:
            raise InputError(
                f"'{name}: {settings.name}' contradicts '{tools}: {settings.tools}', whose name is "
                f"given; remove '{name}'."
            )
        return read_tools(settings.tools, description=settings.description)
    return read_tools(config.locate(settings.tools, tools), settings.name, settings.description)


def _base_source(config: TrainConfig) -> str:
    """What is opened: a directory, a GGUF file, a hub id, or a short name of one that is not here
    yet, perhaps."""
    model = config.base.model
    if model == EMBEDDED:
        return str(embedded_base())
    looks_like_hub_id = model.count("/") == 1 and model[0] not in "./~"
    if model not in KNOWN:
        try:
            path = config.locate(model, "base.model")
        except InputError:
            if looks_like_hub_id and not model.lower().endswith(".gguf"):
                return model
            raise
    if config.base.revision is not None:
        what = "a name that edgetune knows" if model in KNOWN else "a directory or a file"
        raise InputError(
            f"'base.revision' contradicts 'base.model: {model}', which is {what}; remove "
            "'base.revision'."
        )
    return model if model in KNOWN else str(path)


def _paths(config: TrainConfig) -> list[Path]:
    """The files of tools and records that the recipe names."""
    found = []
    for index, listed in enumerate(config.listed):
        data = listed.data
        named = {"tools": listed.tools, "data.train": data.train, "data.dev": data.dev}
        for key, given in named.items():
            if given is not None and given not in BUILT_IN:
                found.append(config.locate(given, config.field(index, key)))
    return found


def _sources(config: TrainConfig, toolsets: Sequence[Toolset], base_source: str) -> dict[str, str]:
    """Hashes of what the run is made of, as far as they can be had before it is made."""
    sources = {}
    for index, toolset in enumerate(toolsets):
        prefix = "" if len(toolsets) == 1 else f"{toolset.name}."
        sources[f"{prefix}toolset"] = toolset_sha256(toolset)
        for split in ("train", "dev"):
            given = getattr(config.listed[index].data, split)
            if given is not None:
                path = config.locate(given, config.field(index, f"data.{split}"))
                sources[prefix + split] = sha256_file(path)
    if (Path(base_source) / "base.json").is_file():
        sources["base"] = Base(Path(base_source)).weights_sha256
    elif is_gguf(Path(base_source)):
        sources["base"] = sha256_file(Path(base_source))
    return sources
