"""The recipe of a training run: one YAML file, checked whole before anything is done.

Unknown keys are refused, and so are keys that contradict each other, in one sentence that names
both. What the settings do is `train`'s; this module reads no data and loads no model.
"""

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any, Literal, Self, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, model_validator

from edgetune_runtime.errors import InputError
from edgetune_runtime.manifest import AdapterKind, Role
from edgetune_runtime.prompt import ToolsShown

Projection = Literal["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
PROJECTIONS: tuple[Projection, ...] = get_args(Projection)

_ALTERNATIVES = (("epochs", "steps"), ("batch_size", "batch_tokens"))
"""Keys of `train` of which at most one may be set."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class BaseSettings(_Section):
    """`base`: the model that all adapters share."""

    model: str = "nano"
    """`nano` (embedded), a directory (quantized base or Hugging Face checkpoint), or a hub id."""
    revision: str | None = None
    """Commit, tag or branch of a hub id."""
    quantization: Literal["mse", "rtn", "gptq", "float"] | None = None
    """How a float checkpoint is made int4, by default mse; float leaves it, to compare with."""


class ToolsetSettings(_Section):
    """`toolset`: the tools that one selector chooses among."""

    tools: str
    """Path of a tools.json, or the name of a built-in toolset (`phone_actions`)."""
    name: str | None = None
    """What the toolset is called; by default after its file."""
    description: str = ""
    """One line on what these tools are for."""


class GenerateSettings(_Section):
    """`data.generate`: how many records are written from the tools' schemas."""

    train: int = Field(ge=1)
    """Records to train on."""
    dev: int = Field(ge=0)
    """Records that measure progress; other phrasings and values than `train`."""
    test: int = Field(default=0, ge=0)
    """Records kept for the evaluation of the bundle."""
    trajectories: float = Field(default=0.0, ge=0, le=0.5)
    """Share of the records that ask for two things: two calls, their results, then `respond`."""
    seed: int = 0
    """Seed of the generator."""


class DataSettings(_Section):
    """`data`: records as JSONL files, or generated."""

    train: str | None = None
    """JSONL file of records to train on."""
    dev: str | None = None
    """JSONL file of records that measure progress."""
    generate: GenerateSettings | None = None
    """Have the records generated."""
    swap_values: int = Field(default=0, ge=0)
    """Variants of each training record, with other records' values in place of its own."""
    negatives: float = Field(default=0.0, ge=0, lt=1)
    """Share of the selector's examples that no tool serves; what lacks of it is generated."""
    mask_names: float = Field(default=0.0, ge=0, le=1)
    """Share of the training examples whose tools and parameters have random names."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        for key in ("train", "dev"):
            if self.generate is not None and getattr(self, key) is not None:
                raise ValueError(
                    f"'data.{key}' and 'data.generate' contradict each other; keep one of them."
                )
        if self.generate is None and self.train is None:
            raise ValueError("neither 'data.train' nor 'data.generate' is set; set one of them.")
        return self


class ListedToolset(ToolsetSettings):
    """An entry of `toolsets`: tools with data of their own."""

    data: DataSettings
    """The records of these tools."""


class PromptSettings(_Section):
    """`prompt`: what stands before the request, in training as on the phone."""

    tools: ToolsShown = "full"
    """How much of the tools a trained adapter reads: full, compact, names or none."""


class AdapterSettings(_Section):
    """`adapter`: the shape of a LoRA."""

    kind: AdapterKind = "lora"
    """lora, or alora: activated, acts from its invocation on; the base reads what is before."""
    invocation: Literal["call", "turn"] = "call"
    """Where an alora begins to act: at the opening of the call, or of the user's last turn."""
    rank: int = Field(default=16, ge=1)
    """Inner dimension r of A and B."""
    alpha: float = Field(default=32.0, gt=0)
    """Scale: alpha / sqrt(r) with rsLoRA, alpha / r without."""
    rslora: bool = True
    """Rank-stabilised scale (arXiv:2312.03732)."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Share of a LoRA's inputs that are dropped in training."""
    targets: tuple[Projection, ...] = Field(default=PROJECTIONS, min_length=1)
    """Projections of every layer that get a LoRA."""


class TrainSettings(_Section):
    """`train`: how an adapter is optimised (AdamW)."""

    epochs: float | None = Field(default=None, gt=0)
    """Passes over an adapter's examples; a fraction is allowed. Without `steps`: 3."""
    steps: int | None = Field(default=None, ge=1)
    """Optimizer steps of each adapter, instead of epochs."""
    batch_size: int | None = Field(default=None, ge=1)
    """Examples a step. Without `batch_tokens`: 16."""
    batch_tokens: int | None = Field(default=None, ge=1)
    """The most tokens a step, with padding, instead of a number of examples."""
    learning_rate: float = Field(default=2e-4, gt=0)
    """The highest learning rate."""
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    """How the learning rate falls (to zero) after the warm-up."""
    warmup: float = Field(default=0.05, ge=0, lt=1)
    """Share of the steps in which the learning rate rises."""
    weight_decay: float = Field(default=0.0, ge=0)
    """AdamW's decoupled weight decay."""
    gradient_clip: float = Field(default=1.0, gt=0)
    """The largest norm of a step's gradient."""
    seed: int = 0
    """Seed of initial weights, order and dropout."""
    evaluations: int = Field(default=4, ge=1)
    """How often an adapter is measured on the dev records, evenly spread, the last at its end."""
    keep: Literal["last", "best"] = "last"
    """Which weights stay: the last, or those of the evaluation with the most exact matches."""

    @model_validator(mode="after")
    def _no_contradiction(self) -> Self:
        for one, other in _ALTERNATIVES:
            if getattr(self, one) is not None and getattr(self, other) is not None:
                raise ValueError(
                    f"'train.{one}' and 'train.{other}' contradict each other; keep one of them."
                )
        return self


class RoleSettings(_Section):
    """`selector` or `arguments`: what differs from `adapter` and `train` for this role."""

    adapter: dict[str, Any] = {}
    """Keys of `adapter` with other values."""
    train: dict[str, Any] = {}
    """Keys of `train` with other values."""


class HardNegatives(_Section):
    """`selector.hard_negatives`: the last part of its training is on what it confuses."""

    epochs: float = Field(default=0.2, gt=0)
    """How long that part is, in passes; of the selector's training, not in addition to it."""
    share: float = Field(default=0.3, gt=0, le=1)
    """Share of that part's examples which are confused ones and their counterparts."""


class SelectorSettings(RoleSettings):
    """`selector`: what differs for the selector."""

    hard_negatives: HardNegatives | None = None
    """Have its own confusions mined from the training examples, and train on more of them."""


class RouterSettings(RoleSettings):
    """`router`: the adapter that picks the toolset where there are several."""

    enabled: bool | None = None
    """Whether it is trained, else the bare base picks; by default where there are several."""

    @model_validator(mode="after")
    def _needs_itself(self) -> Self:
        for section in ("adapter", "train"):
            if getattr(self, section) and self.enabled is False:
                raise ValueError(
                    f"'router.{section}' and 'router.enabled: false' contradict each other; keep "
                    "one of them."
                )
        return self


class ArgumentsSettings(RoleSettings):
    """`arguments`: what differs for the arguments adapters, and what they start from."""

    common_epochs: float = Field(default=0.0, ge=0)
    """Passes of one adapter, not exported, over all tools' arguments: where each tool's starts."""
    tools: dict[str, dict[str, Any]] = {}
    """By tool, keys of `train` with other values for its adapter: hard tools may take longer."""
    hold_copied: bool = True
    """Hold a value to the words of the request where all the parameter's training values are."""


class MonolithicSettings(RoleSettings):
    """`monolithic`: the baseline, one adapter for whole calls, as many examples as all others."""

    enabled: bool = True
    """Whether it is trained."""

    @model_validator(mode="after")
    def _stays_comparable(self) -> Self:
        for section, key in (
            ("adapter", "rank"),
            ("adapter", "targets"),
            ("train", "epochs"),
            ("train", "steps"),
        ):
            if key in getattr(self, section):
                raise ValueError(
                    f"'monolithic.{section}.{key}' contradicts what the baseline is: it has the "
                    "largest rank of the other adapters and as many examples as all of them "
                    "together; remove it."
                )
        for section in ("adapter", "train"):
            if getattr(self, section) and not self.enabled:
                raise ValueError(
                    f"'monolithic.{section}' and 'monolithic.enabled: false' contradict each "
                    "other; keep one of them."
                )
        return self


class MachineSettings(_Section):
    """`machine`: what the run uses of the computer."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to train; auto takes a GPU where there is one."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Of the matrix products; auto takes bfloat16 where the hardware has it. Weights: float32."""
    threads: int | None = Field(default=None, ge=1)
    """CPU threads; by default one for each core."""
    compile: bool = False
    """Compile the base's layers first, in two minutes: steps of a small base then take less."""
    state_every: float = Field(default=60.0, ge=0)
    """Seconds between two states that an interrupted run resumes from."""


class TrainConfig(_Section):
    """A whole recipe."""

    base: BaseSettings = BaseSettings()
    """The model that all adapters share."""
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
        self._check_toolsets()
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
        no_dev = any(
            each.data.dev is None and not (each.data.generate and each.data.generate.dev)
            for each in self.listed
        )
        settings = [self.train_of("arguments", tool) for tool in self.arguments.tools]
        for role in ("selector", "router", "arguments", "monolithic"):
            settings.append(self.train_of(role))
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
        if no_dev and any(of.keep == "best" for of in settings):
            raise ValueError(
                "'train.keep: best' contradicts 'data' without dev records: nothing says which "
                "weights are best; add dev records or set 'keep: last'."
            )
        return self

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
            others = [self.adapter_of(other).rank for other in ("selector", "arguments")]
            changes = {**changes, "rank": max(others)}
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

        Raises InputError, which says where it was looked for.
        """
        tried = [Path(given).absolute()]
        if self._source is not None and not Path(given).is_absolute():
            tried.append((self._source.parent / given).absolute())
        directory_too = field == "base.model"
        for path in tried:
            if path.is_file() or (directory_too and path.is_dir()):
                return path
        raise InputError(
            f"{field}: '{given}' is no {'directory' if directory_too else 'file'}; looked for "
            f"{' and '.join(str(path) for path in dict.fromkeys(tried))}."
        )


def read_config(path: Path) -> TrainConfig:
    """Read a recipe. Raises InputError for a missing file, bad YAML, or a key that is not right."""
    try:
        value = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error}); give a recipe as in configs/.") from (
            error
        )
    except (yaml.YAMLError, ValueError, TypeError) as error:  # TypeError: a mapping as a key
        raise InputError(f"{path}: is not valid YAML ({' '.join(str(error).split())}).") from error
    if not isinstance(value, dict):
        raise InputError(f"{path}: expected the sections of a recipe, as in configs/; found none.")
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
    for one, other in (*_ALTERNATIVES, *((b, a) for a, b in _ALTERNATIVES)):
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
