"""`manifest.json`: what a bundle holds, for whom it was made and how to check it.

Data only: reading files and comparing hashes is `bundle`'s. The format is described in
`docs/bundle.md`; a change that an older reader cannot understand raises `SCHEMA_VERSION`.
"""

from typing import Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from edgetune_runtime.blob_types import BLOB_TYPES, DEFAULT_BLOB_TYPE

SCHEMA_VERSION = 3

ANY, VERIFY, GENAI = "any", "verify", "genai"
"""Who needs a file, where that is not the one engine of a target: every engine, `edgetune verify`
alone, or stock onnxruntime-genai, beside the files of the target `onnx`."""

_NAME = r"^[a-z][a-z0-9_]*$"

Role = Literal["selector", "arguments", "monolithic", "router", "skill"]

SKILL: Literal["skill"] = "skill"
"""Role and name of the adapter that serves tools which nobody trained."""

AdapterKind = Literal["lora", "alora"]
"""`lora` acts on every token, `alora` from the invocation of the call on (arXiv:2504.12397)."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FileEntry(_Strict):
    """One file of the bundle: its path inside it, its size, its SHA-256 (hex), and its use."""

    path: str
    bytes: int
    sha256: str
    needed_by: str = Field(pattern=_NAME)
    """`any`, `verify`, `genai`, or the name of a target: a reader demands what every engine and its
    own one need, so that a part of a bundle is whole for it."""


class Base(_Strict):
    """The one int4 base: where it came from, its shape, and the hash of its codes and scales."""

    name: str
    revision: str | None = None
    family: str
    """`model_type` of the base's config: `llama`, `qwen2`, `qwen3`."""
    weights_sha256: str
    """Hash of the canonical quantized weights; every blob carries the one it was trained on."""
    bits: int = 4
    embedding_bits: int = 4
    """Of the embedding table and the output head; of 8 bits, a row shares one scale."""
    group_size: int = 32
    vocab_size: int
    hidden_size: int
    layers: int
    attention_heads: int
    kv_heads: int
    head_dim: int
    context_length: int
    end_tokens: tuple[int, ...]
    """Token ids that end a generation."""


class Slot(_Strict):
    """A projection that takes LoRA: A is `[in_features, r]`, B is `[r, out_features]`."""

    name: str
    """`layers.{l}.{attn|mlp}.{projection}` (`slots`)."""
    in_features: int
    out_features: int


class Adapter(_Strict):
    """One delta blob."""

    name: str
    """Unique in the bundle: `<toolset>.selector`, `.monolithic`, `<toolset>.arguments.<tool>`,
    `router` and `skill`."""
    role: Role
    toolset: str | None
    """None for the router, which picks among them, and for the skill, which serves any."""
    tool: str | None = None
    kind: AdapterKind = "lora"
    invocation: tuple[int, ...] = ()
    """Of an `alora`: it acts from the last occurrence of these token ids on."""
    rank: int
    scale: float
    """What was folded into B: alpha / sqrt(rank) with rsLoRA, alpha / rank without."""
    rslora: bool
    file: str
    dtype: str = DEFAULT_BLOB_TYPE
    base_sha256: str
    data_sha256: str
    """Hash of the rendered records that it was trained on."""
    onnx_adapter: str | None = None
    selection_temperature: float = Field(1.0, gt=0, allow_inf_nan=False)
    """What the logits of a selection are divided by for its probabilities (Guo et al. 2017)."""
    start_base_sha256: str | None = None
    """The base that it was begun on, another quantization of the same checkpoint perhaps; left out
    where its first weights were random."""

    @field_validator("dtype")
    @classmethod
    def _known(cls, dtype: str) -> str:
        if dtype not in BLOB_TYPES:
            raise ValueError(f"found '{dtype}', expected one of {', '.join(BLOB_TYPES)}")
        return dtype

    @model_serializer(mode="wrap")
    def _written(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = write(self)
        if self.start_base_sha256 is None:
            del written["start_base_sha256"]
        return written

    @model_validator(mode="after")
    def _invoked(self) -> Self:
        if (self.kind == "alora") != bool(self.invocation):
            raise ValueError("'kind' and 'invocation' contradict each other")
        return self


class ToolsetEntry(_Strict):
    """A toolset and the adapters that serve it; tools and prompts stand in their own files."""

    name: str
    description: str
    tools_sha256: str
    selector: str | None
    arguments: dict[str, str]
    """Tool name to adapter name; a tool without parameters has none."""
    monolithic: str | None = None
    grammars: dict[str, str]
    """Tool name to the path of its automaton."""
    copied: dict[str, tuple[str, ...]] = {}
    """Tool name to the parameters whose values are spans of the conversation."""


class Target(_Strict):
    """One lowered form of the base."""

    name: str = Field(pattern=_NAME)
    """Any that `edgetune export` has had: a reader leaves those alone that it has no engine for."""
    model: str
    """Path of the graph or program inside the bundle."""
    context_length: int = Field(ge=1)
    """The most tokens that it reads: the base's own, or fewer where lowering fixed that."""
    kv_type: str = "float32"
    """What its keys and values are kept in, as NumPy calls it."""
    options: dict[str, str | int | float | bool] = {}


class Manifest(_Strict):
    """The whole of `manifest.json`."""

    schema_version: int = SCHEMA_VERSION
    edgetune: str
    """Version of edgetune that wrote the bundle."""
    name: str
    base: Base
    tokenizer_sha256: str
    template_sha256: str
    slots: tuple[Slot, ...]
    toolsets: tuple[ToolsetEntry, ...]
    router: str | None = None
    """The adapter that picks the toolset; None where the bare base does, or there is only one."""
    adapters: tuple[Adapter, ...]
    targets: tuple[Target, ...] = Field(min_length=1)
    files: tuple[FileEntry, ...]
