"""`run.json`: what a training run was made of, and which of its adapters are done.

Data only, with the variants that earlier versions wrote: training writes it, export reads it. Keys
that this version does not know are kept as they are, since a newer one may have written them. What
the recipe in it means is training's; the run's other files are `run`'s.
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
)

from edgetune_runtime.errors import InputError
from edgetune_runtime.files import write_json
from edgetune_runtime.manifest import Role

RUN = "run.json"

_CopiedByTool = dict[str, tuple[str, ...]]


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow")


class BaseRecord(_Kept):
    """The base that the adapters were trained on."""

    name: str | None = None
    revision: str | None = None
    weights_sha256: str
    checkpoint_sha256: str | None = None
    """Of the float checkpoint that it was made of (`Base.checkpoint_sha256`)."""


class AdapterRecord(_Kept):
    """An adapter that is done."""

    name: str
    role: Role
    toolset: str | None
    """None for the router and the skill."""
    tool: str | None = None
    """None among arguments adapters for the common one, from which the others start."""
    directory: str
    """As PEFT saved it; a path inside the run."""
    rank: int
    data_sha256: str
    """Hash of the rendered examples that it was trained on."""
    examples: int
    steps: int
    selection_temperature: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """What was fitted on the dev records; left out until then, and of one that selects nothing."""
    origin: Literal["kept", "continued"] | None = None
    """What it is of the run that this one grew from (`RunRecord.grown_from`): the same, or trained
    on from there; left out where it is trained anew."""
    start_base_sha256: str | None = None
    """The base that its initial weights were trained on; left out where they are random."""

    @model_serializer(mode="wrap")
    def _written(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = write(self)
        for key in ("selection_temperature", "origin", "start_base_sha256"):
            if written[key] is None:
                del written[key]
        return written


class RunRecord(_Kept):
    """The whole of `run.json`."""

    edgetune: str = "unknown"
    """Version of edgetune that began the run."""
    config: dict[str, Any]
    """The resolved recipe."""
    grown_from: str | None = None
    """The run that it grew from, where that was; left out where it was made of nothing."""
    sources: dict[str, str] = {}
    """Hashes of tools, records, base and earlier run that it was made of."""
    base: BaseRecord | None
    """None until all is there that training starts from."""
    copied: _CopiedByTool | dict[str, _CopiedByTool] = {}
    """By toolset and tool, the parameters whose values are copied from the request; by tool alone
    in runs that are older than several toolsets."""
    adapters: tuple[AdapterRecord, ...]
    complete: bool

    @model_serializer(mode="wrap")
    def _written(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = write(self)
        if self.grown_from is None:
            del written["grown_from"]
        return written

    def copied_by_toolset(
        self, toolsets: Collection[str]
    ) -> Mapping[str, Mapping[str, tuple[str, ...]]]:
        """The copied parameters by toolset and tool; `toolsets` are the run's."""
        found: Any = self.copied
        if any(isinstance(keys, tuple) for keys in found.values()):
            found = {next(iter(toolsets)): found}
        copied: Mapping[str, Mapping[str, tuple[str, ...]]] = found
        return copied


def read_run_record(run: Path) -> RunRecord:
    """The record of the run in directory `run`.

    Raises InputError, naming the field, where it is damaged or another program's.
    """
    path = run / RUN
    try:
        return RunRecord.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        place = "".join(f"{part}." for part in first["loc"]).removesuffix(".")
        what = f"{place}: {first['msg']}" if place else first["msg"]
        raise InputError(
            f"{path}: {what}; it is damaged or none of edgetune's, train into another directory."
        ) from error


def write_run_record(run: Path, record: RunRecord) -> None:
    """Write `run.json` into the directory `run`, whole or not at all."""
    write_json(run / RUN, record.model_dump(mode="json"))
