"""What a run starts from, put into its directory: quantized base, tools, records.

A run holds all that it was made of, so that it can be exported when the sources are gone. What is
already there is used again if it came from the same recipe and the same data, and refused if not.
Nothing is trained here.
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from edgetune.config import TrainConfig
from edgetune.data.copied import copied_parameters
from edgetune.data.generate import generator_of
from edgetune.data.records import Example, read_records, write_jsonl
from edgetune.tools.reader import BUILT_IN, read_tools
from edgetune.train.quantizer_calibration import calibration_ids
from edgetune_export.base import Base, load_base
from edgetune_export.schema import arguments_language
from edgetune_runtime.calls import Toolset
from edgetune_runtime.errors import InputError
from edgetune_runtime.files import sha256_file, write_json
from edgetune_runtime.toolsets import dump_toolsets, toolset_sha256


class OtherRun(InputError):
    """The output holds a run of another recipe, of other data or of another base."""


@dataclass(frozen=True)
class Prepared:
    """A run's directory, ready to be trained in."""

    directory: Path
    base: Base
    toolset: Toolset
    train: list[Example]
    dev: list[Example]


def prepare(config: TrainConfig, output: Path) -> Prepared:
    """Make or reopen the run at `output`.

    Raises InputError where `output` is something else or another recipe's run, and whatever is
    wrong with base, tools or records.
    """
    toolset = _toolset(config)
    _check_tools(config, toolset)
    for tool in toolset.tools:
        arguments_language(tool)  # a schema that no grammar can hold to is better refused now
    base_source = _base_source(config)
    _check_quantization(config, Path(base_source))
    sources = _sources(config, toolset, base_source)
    started = _reopen(output, config, sources)
    if not started:
        write_json(output / "run.json", _run(config, sources))

    if not started:
        write_json(output / "tools.json", dump_toolsets([toolset]))
        _write_records(config, toolset, output / "data")
    train = _examples(output / "data" / "train.jsonl", toolset)
    dev = output / "data" / "dev.jsonl"
    base_directory = output / "base"
    if (base_directory / "base.json").is_file():
        base = load_base(base_directory)
    else:
        base = load_base(
            base_source,
            base_directory,
            name=config.base.model,
            revision=config.base.revision,
            method=config.base.quantization or "mse",
            calibration=lambda tokenizer: calibration_ids(
                tokenizer, toolset, train, config.prompt.tools, config.max_length
            ),
        )
    prepared = Prepared(
        output, base, toolset, train, _examples(dev, toolset) if dev.exists() else []
    )
    if not started:
        # Written last: a run with a base in its run.json has all that it starts from.
        about = {
            "name": base.name,
            "revision": base.revision,
            "weights_sha256": base.weights_sha256,
        }
        copied = copied_parameters(toolset, train) if config.arguments.hold_copied else {}
        write_json(output / "run.json", _run(config, sources) | {"base": about, "copied": copied})
    return prepared


def _check_tools(config: TrainConfig, toolset: Toolset) -> None:
    known = [tool.name for tool in toolset.tools if tool.has_parameters]
    for tool in config.arguments.tools:
        if tool not in known:
            raise InputError(
                f"arguments.tools.{tool}: toolset '{toolset.name}' has no such tool that takes "
                f"parameters (it has {', '.join(known)}); correct its name or remove it."
            )


def _check_quantization(config: TrainConfig, source: Path) -> None:
    wanted = config.base.quantization
    if wanted is None or not (source / "base.json").is_file():
        return
    found = Base(source).method
    if wanted != found:
        raise InputError(
            f"'base.quantization: {wanted}' contradicts 'base.model: {config.base.model}', a base "
            f"that is made already, by {found}; give the float checkpoint that it was made of, or "
            "remove 'base.quantization'."
        )


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object that a run wrote. Raises InputError where it is missing or damaged."""
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, TypeError, ValueError) as error:
        raise InputError(
            f"{path}: cannot be read as JSON ({error}); choose another --output, or remove that "
            "run to train afresh."
        ) from error


def _run(config: TrainConfig, sources: Mapping[str, str]) -> dict[str, Any]:
    return {
        "edgetune": version("edgetune"),
        "config": config.model_dump(mode="json"),
        "sources": dict(sources),
        "base": None,
        "copied": {},
        "adapters": [],
        "complete": False,
    }


def _reopen(output: Path, config: TrainConfig, sources: Mapping[str, str]) -> bool:
    """Whether `output` holds this very run, with all it starts from; InputError for another's."""
    if not output.exists() or (output.is_dir() and not any(output.iterdir())):
        return False
    if not (output / "run.json").is_file():
        raise InputError(
            f"{output}: exists and is no training run (it has no run.json); choose another "
            "--output or remove it."
        )
    found = read_json(output / "run.json")
    if not {"config", "sources", "adapters"} <= found.keys():
        raise InputError(
            f"{output}: its run.json is none of edgetune's; choose another --output or remove it."
        )
    for what, ours, theirs in (
        ("recipe", config.model_dump(mode="json"), _as_today(found["config"])),
        ("data", dict(sources), found["sources"]),
    ):
        if ours != theirs and not found["adapters"] and not (output / "state").exists():
            # It stopped before anything was trained, over a mistake in a record for instance.
            shutil.rmtree(output)
            return False
        if ours != theirs:
            raise OtherRun(
                f"{output}: holds a run of another {what} ({_difference(ours, theirs)}); choose "
                "another --output, or remove it to train afresh."
            )
    return found.get("base") is not None


def _as_today(recipe: Any) -> Any:
    """A recipe as an earlier version wrote it down, with the keys that are new since."""
    try:
        return TrainConfig.model_validate(recipe).model_dump(mode="json")
    except ValidationError:
        return recipe


def _difference(ours: Any, theirs: Any, place: str = "") -> str:
    """The first place where two JSON values differ."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in [*ours, *(key for key in theirs if key not in ours)]:
            if ours.get(key) != theirs.get(key):
                inner = f"{place}.{key}" if place else key
                return _difference(ours.get(key), theirs.get(key), inner)
    return f"'{place}' is {theirs!r:.80} there and {ours!r:.80} here"


def _toolset(config: TrainConfig) -> Toolset:
    settings = config.toolset
    if settings.tools in BUILT_IN:
        if settings.name is not None and settings.name != settings.tools:
            raise InputError(
                f"'toolset.name: {settings.name}' contradicts 'toolset.tools: {settings.tools}', "
                "whose name is given; remove 'toolset.name'."
            )
        return read_tools(settings.tools)
    path = config.locate(settings.tools, "toolset.tools")
    return read_tools(path, settings.name, settings.description)


def _base_source(config: TrainConfig) -> str:
    """What `load_base` opens: a directory, or a hub id."""
    model = config.base.model
    if model == "nano":
        embedded = Path(str(resources.files("edgetune.nano"))) / "base"
        if not (embedded / "base.json").is_file():
            raise InputError(
                f"{embedded} is missing: this installation has no embedded base; install edgetune "
                "again or give another 'base.model'."
            )
        return str(embedded)
    looks_like_hub_id = model.count("/") == 1 and model[0] not in "./~"
    try:
        path = config.locate(model, "base.model")
    except InputError:
        if looks_like_hub_id:
            return model
        raise
    if config.base.revision is not None:
        raise InputError(
            f"'base.revision' contradicts 'base.model: {model}', which is a directory; remove "
            "'base.revision'."
        )
    return str(path)


def _sources(config: TrainConfig, toolset: Toolset, base_source: str) -> dict[str, str]:
    """Hashes of what the run is made of, as far as they can be had before it is made."""
    sources = {"toolset": toolset_sha256(toolset)}
    for split in ("train", "dev"):
        given = getattr(config.data, split)
        if given is not None:
            sources[split] = sha256_file(config.locate(given, f"data.{split}"))
    if (Path(base_source) / "base.json").is_file():
        sources["base"] = Base(Path(base_source)).weights_sha256
    return sources


def _write_records(config: TrainConfig, toolset: Toolset, directory: Path) -> None:
    directory.mkdir(exist_ok=True)
    generated = config.data.generate
    if generated is not None:
        generate = generator_of(toolset)
        for split in ("train", "dev", "test"):
            count = getattr(generated, split)
            if count:
                records = generate(count, generated.seed, split)
                write_jsonl(directory / f"{split}.jsonl", records)
        return
    for split in ("train", "dev"):
        given = getattr(config.data, split)
        if given is not None:
            source = config.locate(given, f"data.{split}")
            shutil.copyfile(source, directory / f"{split}.jsonl")


def _examples(path: Path, toolset: Toolset) -> list[Example]:
    """Every step of every record."""
    return [step for record in read_records(path, toolset) for step in record.steps(toolset)]
