"""The recipe of a training run: one YAML file, checked whole before anything is done.

Unknown keys are refused, and so are keys that contradict each other, in one sentence that names
both. What the settings do is `train`'s; this module reads no data and loads no model.
"""

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any, Self, get_args

import yaml
from pydantic import Field, PrivateAttr, ValidationError, model_validator

from edgetune.bases.table import KNOWN
from edgetune.settings import (
    ALTERNATIVES,
    AdapterSettings,
    ArgumentsSettings,
    BaseSettings,
    DataSettings,
    ListedToolset,
    MachineSettings,
    MonolithicSettings,
    PromptSettings,
    RouterSettings,
    Section,
    SelectorSettings,
    ToolsetSettings,
    TrainSettings,
)
from edgetune_runtime.errors import InputError
from edgetune_runtime.manifest import SKILL, Role

ROLES: tuple[Role, ...] = tuple(role for role in get_args(Role) if role != SKILL)
"""Of the adapters that a recipe trains; the skill is taken as it is."""


class TrainConfig(Section):
    """A whole recipe."""

    base: BaseSettings = BaseSettings()
    """The model that all adapters share."""
    skill: str | None = None
    """What `edgetune skill make` wrote, or a base's name: the bundle serves other tools, too."""
    toolset: ToolsetSettings | None = None
    """The tools, where one selector chooses among all of them."""
    data: DataSettings | None = None
    """The records of `toolset`."""
    toolsets: tuple[ListedToolset, ...] | None = Field(default=None, min_length=1)
    """Instead of both: several toolsets, each with its own selector and its own data."""
    prompt: PromptSettings = PromptSettings()
    """What stands before the request."""
    adapter: AdapterSettings = AdapterSettings()
    """The shape of every adapter."""
    train: TrainSettings = TrainSettings()
    """How every adapter is optimised."""
    selector: SelectorSettings = SelectorSettings()
    """What differs for the selector."""
    router: RouterSettings = RouterSettings()
    """What differs for the router, which picks the toolset."""
    arguments: ArgumentsSettings = ArgumentsSettings()
    """The arguments adapters."""
    monolithic: MonolithicSettings = MonolithicSettings()
    """The baseline."""
    machine: MachineSettings = MachineSettings()
    """Device, precision, threads."""
    max_length: int = Field(default=2048, ge=16)
    """The most tokens of an example; longer ones are left out and counted."""

    _source: Path | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        self._check_base()
        self._check_toolsets()
        self._check_masking()
        self._check_adapters()
        self._check_training()
        return self

    def _check_base(self) -> None:
        """What the embedded base is already."""
        if self.base.revision is not None and self.base.model == "nano":
            raise ValueError(
                "'base.revision' and 'base.model: nano' contradict each other: the embedded base "
                "has no revisions; remove 'base.revision'."
            )
        if self.base.quantization not in (None, "mse") and self.base.model == "nano":
            raise ValueError(
                f"'base.quantization: {self.base.quantization}' and 'base.model: nano' contradict "
                "each other: the embedded base is quantized already, by mse; give a float "
                "checkpoint such as checkpoints/nano, or remove 'base.quantization'."
            )

    def _check_masking(self) -> None:
        """Masked names want descriptions, and names that stay are wanted for confusions."""
        masked = any(each.data.mask_names for each in self.listed)
        if masked and self.prompt.tools in ("names", "none"):
            raise ValueError(
                f"'data.mask_names' and 'prompt.tools: {self.prompt.tools}' contradict each other: "
                "masked names can only be told apart by descriptions; set 'prompt.tools' to full "
                "or compact, or remove 'data.mask_names'."
            )
        if masked and self.selector.hard_negatives is not None:
            raise ValueError(
                "'data.mask_names' and 'selector.hard_negatives' contradict each other: confusions "
                "are between names, and masked names differ from example to example; keep one."
            )

    def _check_adapters(self) -> None:
        """All adapters are of one kind, and act where their kind does."""
        for role in ROLES:
            for key in ("kind", "invocation"):
                common = getattr(self.adapter, key)
                if getattr(self.adapter_of(role), key) != common:
                    raise ValueError(
                        f"'{role}.adapter.{key}' contradicts 'adapter.{key}: {common}': all "
                        "adapters of a run read the same prompt, or each its own; remove it."
                    )
        if self.adapter.kind == "lora" and self.adapter.invocation != "call":
            raise ValueError(
                f"'adapter.invocation: {self.adapter.invocation}' and 'adapter.kind: lora' "
                "contradict each other: a plain LoRA acts everywhere; set 'adapter.kind: alora'."
            )
        if self.machine.compile and self.adapter.kind == "alora":
            raise ValueError(
                "'machine.compile' and 'adapter.kind: alora' contradict each other: the two passes "
                "of an activated LoRA are not compiled; remove 'machine.compile'."
            )

    def _check_training(self) -> None:
        """Every adapter's own keys, and dev records for those that want the best weights."""
        no_dev = any(
            each.data.dev is None and not (each.data.generate and each.data.generate.dev)
            for each in self.listed
        )
        settings = [self.train_of("arguments", tool) for tool in self.arguments.tools]
        settings += [self.train_of(role) for role in ROLES]
        arguments = [self.train_of("arguments", tool) for tool in (None, *self.arguments.tools)]
        if self.arguments.common_epochs and any(of.start for of in (self.train, *arguments)):
            raise ValueError(
                "'train.start' and 'arguments.common_epochs' contradict each other: both say what "
                "arguments adapters start from; keep one of them, or give 'selector.train.start'."
            )
        if no_dev and any(of.keep == "best" for of in settings):
            raise ValueError(
                "'train.keep: best' contradicts 'data' without dev records: nothing says which "
                "weights are best; add dev records or set 'keep: last'."
            )

    def _check_toolsets(self) -> None:
        """Either `toolset` with `data`, or `toolsets`; a router only where there are several."""
        for key in ("toolset", "data"):
            given = getattr(self, key) is not None
            if given and self.toolsets is not None:
                raise ValueError(
                    f"'{key}' and 'toolsets' contradict each other: each entry of 'toolsets' has "
                    "its own tools and data; keep one of them."
                )
            if not given and self.toolsets is None:
                raise ValueError(f"'{key}' is missing; add it.")
        router = self.router
        if len(self.listed) == 1 and (router.enabled or router.train or router.adapter):
            key = "toolset" if self.toolsets is None else "toolsets"
            raise ValueError(
                f"'router' contradicts '{key}' with a single toolset: there is nothing to pick; "
                "remove 'router' or list several 'toolsets'."
            )

    @property
    def listed(self) -> tuple[ListedToolset, ...]:
        """Every toolset with its data; of a recipe with `toolset` and `data` the only one."""
        if self.toolsets is not None:
            return self.toolsets
        assert self.toolset is not None
        assert self.data is not None
        return (ListedToolset(**self.toolset.model_dump(), data=self.data),)

    def field(self, index: int, key: str) -> str:
        """How the recipe calls `tools`, `name` or `data.…` of toolset `index`."""
        if self.toolsets is not None:
            return f"toolsets.{index}.{key}"
        return key if key.startswith("data.") else f"toolset.{key}"

    @property
    def routed(self) -> bool:
        """Whether a router adapter is trained."""
        return len(self.listed) > 1 and self.router.enabled is not False

    @property
    def source(self) -> Path | None:
        """The file that the recipe was read from."""
        return self._source

    def adapter_of(self, role: Role) -> AdapterSettings:
        """The shape of this role's adapters: `adapter` with the role's own keys."""
        changes: Mapping[str, Any] = getattr(self, role).adapter
        if role == "monolithic":
            others = [self.adapter_of(other) for other in ("selector", "arguments")]
            layers = [other.layers for other in others if other.layers is not None]
            changes = {
                **changes,
                "rank": max(other.rank for other in others),
                "layers": max(layers) if len(layers) == len(others) else None,
            }
        return _changed(self.adapter, changes, f"{role}.adapter")

    def train_of(self, role: Role, tool: str | None = None) -> TrainSettings:
        """How an adapter is optimised: `train` with the role's own keys, and the tool's."""
        settings = _trained(self.train, getattr(self, role).train, f"{role}.train")
        if role == "arguments" and tool in self.arguments.tools:
            place = f"arguments.tools.{tool}"
            settings = _trained(settings, self.arguments.tools[tool], place)
        return settings

    def locate(self, given: str, field: str) -> Path:
        """A path of the recipe: as seen from the current directory, else from the recipe's folder.

        `base.model`, `train.start` and `skill` may be directories.

        Raises InputError, which says where it was looked for.
        """
        tried = [Path(given).absolute()]
        if self._source is not None and not Path(given).is_absolute():
            tried.append((self._source.parent / given).absolute())
        directory_too = field in ("base.model", "train.start", SKILL)
        for path in tried:
            if path.is_file() or (directory_too and path.is_dir()):
                return path
        looked_for = " and ".join(str(path) for path in dict.fromkeys(tried))
        if field == "base.model":
            raise InputError(
                f"{field}: '{given}' is no directory and no GGUF file (looked for {looked_for}), "
                f"no hub id, and none of the names {', '.join(KNOWN)}; correct it."
            )
        what = "directory" if directory_too else "file"
        raise InputError(f"{field}: '{given}' is no {what}; looked for {looked_for}.")


def read_config(path: Path) -> TrainConfig:
    """Read a recipe. Raises InputError for a missing file, bad YAML, or a key that is not right."""
    try:
        value = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path}: cannot be read ({error}); give a recipe (`edgetune init` writes one)."
        ) from error
    # TypeError: a mapping as a key
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise InputError(f"{path}: is not valid YAML ({' '.join(str(error).split())}).") from error
    if not isinstance(value, dict):
        raise InputError(
            f"{path}: expected the sections of a recipe, found none; `edgetune init` writes one."
        )
    try:
        config = TrainConfig.model_validate(value)
    except ValidationError as error:
        raise InputError(f"{path}: {_sentence(error)}") from error
    config._source = path
    return config


class _Loader(yaml.SafeLoader):
    """YAML without tags that make objects, and without two values for one key."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key '{key.value}' stands twice", key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _trained(settings: TrainSettings, changes: Mapping[str, Any], where: str) -> TrainSettings:
    """`settings` with `changes`, each of which takes the place of its alternative, too."""
    changed = dict(changes)
    for one, other in (*ALTERNATIVES, *((b, a) for a, b in ALTERNATIVES)):
        if one in changes and other not in changes:
            changed[other] = None
    found: TrainSettings = _changed(settings, changed, where)
    return found


def _changed(section: Any, changes: Mapping[str, Any], where: str) -> Any:
    try:
        return type(section).model_validate({**section.model_dump(), **changes})
    except ValidationError as error:
        raise ValueError(_sentence(error, where)) from error


def _sentence(error: ValidationError, where: str = "") -> str:
    """The first thing that is wrong, as one sentence."""
    first = error.errors(include_url=False)[0]
    if first["type"] == "value_error":
        message = str(first["ctx"]["error"])
        if first["loc"][:1] == ("toolsets",):
            entry = ".".join(str(part) for part in first["loc"][:2])
            message = message.replace("'data.", f"'{entry}.data.")
        return message.replace("'train.", f"'{where}.") if where else message
    place = ".".join([*([where] if where else []), *(str(part) for part in first["loc"])])
    if first["type"] == "extra_forbidden":
        return f"'{place}' is no key of a recipe; check its spelling and its section."
    if first["type"] == "missing":
        return f"'{place}' is missing; add it."
    expected = first["msg"].removeprefix("Input should be ")
    return f"'{place}' is {first['input']!r:.80}, expected {expected}; correct it."
