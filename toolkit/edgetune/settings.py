"""The sections of a recipe: what each key means, its default, and which keys contradict each other.

Each section is checked by itself; what spans several is `config`'s.
"""

from typing import Any, Literal, Self, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from edgetune_export.weights.quantizers import methods
from edgetune_runtime.manifest import AdapterKind
from edgetune_runtime.prompt import ToolsShown

Projection = Literal["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
PROJECTIONS: tuple[Projection, ...] = get_args(Projection)

ALTERNATIVES = (("epochs", "steps"), ("batch_size", "batch_tokens"))
"""Keys of `train` of which at most one may be set."""


class Section(BaseModel):
    """Keys that are not known are refused, and so is `yes`, which YAML reads as true, for 1."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False
    )

    @field_validator("*", mode="before")
    @classmethod
    def _numbers(cls, value: Any, info: ValidationInfo) -> Any:
        annotation = cls.model_fields[str(info.field_name)].annotation
        if isinstance(value, bool) and {int, float} & {annotation, *get_args(annotation)}:
            raise PydanticCustomError("number", "Input should be a number, not yes or no")
        return value


class BaseSettings(Section):
    """`base`: the model that all adapters share."""

    model: str = "nano"
    """`nano` (embedded), a name of `edgetune base list`, a directory, a GGUF file or a hub id."""
    revision: str | None = None
    """Commit, tag or branch of a hub id."""
    quantization: str | None = None
    """How a float checkpoint is made int4 [gptq beyond 50 million parameters, mse]; or float."""
    embedding_bits: Literal[4, 8] | None = None
    """Of the embedding table and the output head [8 beyond 50 million parameters, 4]."""

    @field_validator("quantization")
    @classmethod
    def _known(cls, method: str | None) -> str | None:
        if method is not None and method not in methods():
            raise ValueError(
                f"'base.quantization' is '{method}', expected one of {', '.join(methods())}; "
                "correct it."
            )
        return method


class ToolsetSettings(Section):
    """`toolset`: the tools that one selector chooses among."""

    tools: str
    """Path of a tools.json, or the name of a built-in toolset (`phone_actions`)."""
    name: str | None = None
    """What the toolset is called; by default after its file."""
    description: str = ""
    """One line on what these tools are for."""


class GenerateSettings(Section):
    """`data.generate`: how many records are written from the tools' schemas."""

    train: int = Field(ge=1)
    """Records to train on."""
    dev: int = Field(ge=0)
    """Records that measure progress; other phrasings and values than `train`."""
    test: int = Field(default=0, ge=0)
    """Records kept for the evaluation of the bundle."""
    trajectories: float = Field(default=0.0, ge=0, le=0.5)
    """Share of the records for two things in turn; as many of the others end after one."""
    seed: int = 0
    """Seed of the generator."""


class DataSettings(Section):
    """`data`: records as JSONL files, or generated."""

    train: str | None = None
    """JSONL file of records to train on."""
    dev: str | None = None
    """JSONL file of records that measure progress."""
    per_tool: int | None = Field(default=None, ge=1)
    """At most so many training records that first call the same tool, drawn by `train.seed`."""
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
        for key in ("train", "dev", "per_tool"):
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


class PromptSettings(Section):
    """`prompt`: what stands before the request, in training as on the phone."""

    tools: ToolsShown = "full"
    """How much of the tools a trained adapter reads: full, compact, names or none."""


class AdapterSettings(Section):
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
    layers: int | None = Field(default=None, ge=1)
    """Adapt so many of the upper layers alone [all]: those below are the bare base's."""


class TrainSettings(Section):
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
    seed: int = Field(default=0, ge=0)
    """Seed of initial weights, order and dropout."""
    evaluations: int = Field(default=4, ge=1)
    """How often an adapter is measured on the dev records, evenly spread, the last at its end."""
    start: str | None = None
    """Where adapters start: a run with some of the same names, one adapter of a run, or a skill."""
    keep: Literal["last", "best"] = "last"
    """Which weights stay: the last, or those of the evaluation with the most exact matches."""

    @model_validator(mode="after")
    def _no_contradiction(self) -> Self:
        for one, other in ALTERNATIVES:
            if getattr(self, one) is not None and getattr(self, other) is not None:
                raise ValueError(
                    f"'train.{one}' and 'train.{other}' contradict each other; keep one of them."
                )
        return self


class RoleSettings(Section):
    """`selector` or `arguments`: what differs from `adapter` and `train` for this role."""

    adapter: dict[str, Any] = {}
    """Keys of `adapter` with other values."""
    train: dict[str, Any] = {}
    """Keys of `train` with other values."""


class HardNegatives(Section):
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
    """Passes of one adapter, trained by `train`, over all tools' arguments: where each starts."""
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
            ("adapter", "layers"),
            ("train", "epochs"),
            ("train", "steps"),
        ):
            if key in getattr(self, section):
                raise ValueError(
                    f"'monolithic.{section}.{key}' contradicts what the baseline is: it has the "
                    "largest rank and the most layers of the other adapters and as many examples "
                    "as all of them together; remove it."
                )
        for section in ("adapter", "train"):
            if getattr(self, section) and not self.enabled:
                raise ValueError(
                    f"'monolithic.{section}' and 'monolithic.enabled: false' contradict each "
                    "other; keep one of them."
                )
        return self


class MachineSettings(Section):
    """`machine`: what the run uses of the computer."""

    engine: Literal["local", "ray"] = Field(default="local", exclude=True)
    """local trains adapters in turn, ray side by side on a cluster; a run does not keep which."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to train; auto takes a GPU where there is one."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Of the matrix products; auto takes bfloat16 where that is faster. Weights: float32."""
    threads: int | None = Field(default=None, ge=1)
    """CPU threads; by default one for each core, on a cluster one for each adapter."""
    compile: bool | None = None
    """Compile the layers first, for a minute or two [for a large base that is trained for long]."""
    state_every: float = Field(default=60.0, ge=0)
    """Seconds between two states that an interrupted run resumes from."""
