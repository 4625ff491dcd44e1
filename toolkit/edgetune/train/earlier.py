"""The earlier run that one grows from (`--from`): opened, held against the new recipe, its records.

Both have one base, byte for byte, since an adapter fits its own base alone. Which adapters stay as
they are is `grow`'s.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pydantic import ValidationError

from edgetune.config import TrainConfig
from edgetune.data.records import Record, read_records
from edgetune.settings import GenerateSettings
from edgetune.train.start import adapter_names
from edgetune_export.run import WEIGHTS, data_directory
from edgetune_export.run_record import RUN, AdapterRecord, RunRecord, read_run_record
from edgetune_export.weights.base import Base
from edgetune_export.weights.checkpoint import Checkpoint
from edgetune_runtime.calls import Toolset
from edgetune_runtime.errors import InputError
from edgetune_runtime.files import sha256_bytes, sha256_file
from edgetune_runtime.toolsets import read_toolsets


@dataclass(frozen=True)
class Earlier:
    """A finished run that another one grows from. Nothing is ever written into it."""

    path: Path
    record: RunRecord
    config: TrainConfig
    toolsets: Mapping[str, Toolset]

    @cached_property
    def adapters(self) -> Mapping[str, AdapterRecord]:
        """Its adapters by name."""
        return {entry.name: entry for entry in self.record.adapters}

    @cached_property
    def base(self) -> Base:
        """What they were trained on."""
        return Base(self.path / "base")

    @cached_property
    def sha256(self) -> str:
        """Hash of its adapters' weights and of what each was trained on."""
        parts = [
            [entry.name, entry.data_sha256, sha256_file(self.path / entry.directory / WEIGHTS)]
            for entry in self.record.adapters
        ]
        return sha256_bytes(json.dumps(parts).encode())

    def generated(self, toolset: str, settings: GenerateSettings) -> Toolset | None:
        """The toolset of that name, if its records were generated as `settings` say."""
        for index, name in enumerate(self.toolsets):
            if name == toolset and self.config.listed[index].data.generate == settings:
                return self.toolsets[name]
        return None

    def records(self, toolset: str, split: str) -> list[Record]:
        """The records of `split` that it has of one of its toolsets; none where it has no file."""
        path = data_directory(self.path, toolset, self.toolsets) / f"{split}.jsonl"
        return read_records(path, self.toolsets[toolset]) if path.is_file() else []


def open_earlier(
    path: Path, config: TrainConfig, toolsets: Sequence[Toolset], output: Path
) -> Earlier:
    """The run at `path`, from which the run of `config` at `output` is to grow.

    Raises InputError where it is no finished run, has none of the adapters of `toolsets` or is
    `output` itself, and where `config` says otherwise what adapters start from.
    """
    if not (path / RUN).is_file():
        raise InputError(
            f"--from: {path} is no training run ({RUN} is missing); give the directory that "
            "`edgetune train` wrote."
        )
    if path.resolve() == output.resolve():
        raise InputError(
            f"--from: {path} is --output, too, and a run never changes the one that it grows from; "
            "choose another --output."
        )
    record = read_run_record(path)
    if not record.complete or record.base is None:
        raise InputError(
            f"--from: {path} is not finished; run its `edgetune train` command again, or give "
            "another run."
        )
    try:
        before = TrainConfig.model_validate(record.config)
    except ValidationError as error:
        raise InputError(
            f"--from: the recipe in {path / RUN} is none of this edgetune's "
            f"({error.errors()[0]['msg']}); give a run that it made."
        ) from error
    names = adapter_names(config, toolsets)
    if any(config.train_of(role, tool).start for role, tool in names.values()):
        raise InputError(
            "'train.start' and --from contradict each other: both say what adapters start from; "
            "remove 'train.start', or train without --from."
        )
    known = [entry.name for entry in record.adapters]
    if not names.keys() & set(known):
        raise InputError(
            f"--from: {path} has none of the adapters {', '.join(names)} (it has "
            f"{', '.join(known)}); give another run, or the toolset its name there."
        )
    for entry in record.adapters:
        if not (path / entry.directory / WEIGHTS).is_file():
            raise InputError(f"--from: {path / entry.directory / WEIGHTS} is missing; put it back.")
    return Earlier(path, record, before, read_toolsets(path / "tools.json"))


def base_of(earlier: Earlier, opened: Base | Checkpoint, config: TrainConfig) -> Base:
    """The earlier run's base, if it is what the recipe asks for; `opened` is what that names.

    Raises InputError where it is another base, of another checkpoint, or quantized otherwise.
    """
    base = earlier.base
    if isinstance(opened, Base):
        what, ours, theirs = "the base", opened.weights_sha256, base.weights_sha256
    else:
        what, theirs = "a base of the float checkpoint", base.checkpoint_sha256 or "unknown"
        ours = opened.sha256
    if ours != theirs:
        raise InputError(
            f"--from: {earlier.path} was trained on {what} {theirs[:12]} ('{base.name}'), but "
            f"'base.model: {config.base.model}' is {ours[:12]}, and an adapter fits its own base "
            "alone; give a run on the same base, or train without --from."
        )
    if isinstance(opened, Checkpoint):
        for key, made in (("quantization", base.method), ("embedding_bits", base.embedding_bits)):
            wanted = getattr(config.base, key)
            if wanted not in (made, getattr(earlier.config.base, key)):
                raise InputError(
                    f"'base.{key}' is {wanted or 'not set'}, but --from {earlier.path} was trained "
                    f"on a base made with {made}; make them alike, or train without --from."
                )
    return base
