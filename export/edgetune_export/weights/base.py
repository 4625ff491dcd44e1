"""The canonical quantized base: one directory of codes that training and all targets share.

    config.json, tokenizer files     as the source has them
    quantized.safetensors            <weight>.codes uint8 [out, in/2], <weight>.scales bf16
                                     [out, in/32], or of 8 bits int8 [out, in] and [out, 1];
                                     norms and biases under their own names
    base.json                        name, revision, hashes of quantized.safetensors and of the
                                     float checkpoint's values, how it was made

A *float base* has the same files, but no codes: every tensor is as the checkpoint has it. It is
there to be trained and measured beside a quantized one; no target takes it.

Here a base is opened, or made from a float `checkpoint`; how its weights lie on disk is `stored`'s.
This module knows neither adapters (`slots`) nor targets.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from edgetune_export.base_size import is_large
from edgetune_export.prompts.template import Template
from edgetune_export.weights.calibration import calibration_ids
from edgetune_export.weights.checkpoint import (
    Checkpoint,
    build_model,
    check_vocabulary,
    open_checkpoint,
    read_config,
    read_json,
    read_tokenizer,
)
from edgetune_export.weights.quantize import Quantized, dequantize
from edgetune_export.weights.quantizers import (
    DEFAULT_QUANTIZER,
    FLOAT,
    LARGE_QUANTIZER,
    QUANTIZERS,
    methods,
)
from edgetune_export.weights.shape import Shape, read_shape
from edgetune_export.weights.stored import (
    FORMAT,
    WEIGHTS,
    QuantizedWeights,
    plain_weights,
    write_base,
)
from edgetune_runtime.errors import InputError, unknown
from edgetune_runtime.files import link, replaced_directory, sha256_file
from edgetune_runtime.manifest import Slot
from edgetune_runtime.slots import slot_name, split_slot_name

EMBEDDING_BITS = (4, 8)

WIDE = ("v_proj",)
"""Projections that have 8 bits in a large base: small ones whose rounding costs most."""

_ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
_MLP = ("gate_proj", "up_proj", "down_proj")


class Base:
    """A canonical quantized base on disk; `load_base` makes and opens them."""

    def __init__(self, directory: Path) -> None:
        about = read_json(directory / "base.json")
        keys = {"name", "revision", "weights_sha256"}
        whole = about.get("format") == FORMAT and keys <= about.keys()
        if not whole or not (directory / WEIGHTS).is_file():
            raise InputError(
                f"{directory} is no quantized base of format {FORMAT} with {WEIGHTS} "
                f"(found format {about.get('format')!r}); quantize the base again."
            )
        self.directory = directory
        self.name: str = about["name"]
        self.revision: str | None = about["revision"]
        self.weights_sha256: str = about["weights_sha256"]
        self.checkpoint_sha256: str | None = about.get("checkpoint_sha256")
        """Of the float checkpoint that it was made of (`Checkpoint.sha256`); None for a merged one,
        and for one that is older than this hash."""
        grid = about.get("quantization", {})
        self.method: str = grid.get("method", DEFAULT_QUANTIZER)
        """The quantizer that it was made by, or `float`."""
        self.embedding_bits: int = grid.get("embedding_bits", 4)
        """Of the codes of the embedding table and the output head."""
        self.wide: tuple[str, ...] = tuple(grid.get("wide", ()))
        """Projections whose codes have 8 bits."""

    @cached_property
    def config(self) -> Any:
        """transformers' configuration of the base."""
        return read_config(self.directory)

    @cached_property
    def tokenizer(self) -> Any:
        """transformers' fast tokenizer of the base, with its chat template."""
        return read_tokenizer(self.directory)

    @cached_property
    def template(self) -> Template:
        """The base's chat template with its tokenizer, as prompts are made with them."""
        return Template.read(self.directory)

    @cached_property
    def shape(self) -> Shape:
        """The base's dimensions."""
        return read_shape(self.config)

    @property
    def parameters(self) -> int:
        """How many numbers the matrices have."""
        shape = self.shape
        tables = (1 if shape.tied else 2) * shape.vocab_size * shape.hidden_size
        return tables + sum(slot.in_features * slot.out_features for slot in self.slots())

    @property
    def end_tokens(self) -> tuple[int, ...]:
        """Token ids that end a generation: the generation config's, else the config's."""
        path = self.directory / "generation_config.json"
        found = read_json(path).get("eos_token_id") if path.is_file() else None
        if found is None:
            found = self.config.eos_token_id
        if found is None:
            found = self.tokenizer.eos_token_id
        return tuple(found) if isinstance(found, list) else () if found is None else (found,)

    @cached_property
    def slot_modules(self) -> dict[str, str]:
        """Slot name to the module of the checkpoint that it stands on, layer by layer."""
        return {
            slot_name(layer, part, projection): f"model.layers.{layer}.{module}.{projection}"
            for layer in range(self.shape.layers)
            for part, module, projections in (
                ("attn", "self_attn", _ATTENTION),
                ("mlp", "mlp", _MLP),
            )
            for projection in projections
        }

    def slots(self) -> tuple[Slot, ...]:
        """Every projection that takes LoRA, layer by layer."""
        shape = self.shape
        queries, keys = shape.attention_heads * shape.head_dim, shape.kv_heads * shape.head_dim
        hidden, wide = shape.hidden_size, shape.intermediate_size
        sizes = {
            "q_proj": (hidden, queries),
            "k_proj": (hidden, keys),
            "v_proj": (hidden, keys),
            "o_proj": (queries, hidden),
            "gate_proj": (hidden, wide),
            "up_proj": (hidden, wide),
            "down_proj": (wide, hidden),
        }
        return tuple(
            Slot(name=name, in_features=sizes[projection][0], out_features=sizes[projection][1])
            for name in self.slot_modules
            for _, _, projection in (split_slot_name(name),)
        )

    def quantized(self) -> QuantizedWeights:
        """The int4 weights by checkpoint name, loaded one at a time."""
        return QuantizedWeights(self.directory / WEIGHTS)

    def unquantized(self, dtype: torch.dtype = torch.float32) -> dict[str, torch.Tensor]:
        """Norms and biases by checkpoint name; all tensors of a float base."""
        return dict(plain_weights(self.directory / WEIGHTS, dtype))

    def tensors(self, dtype: torch.dtype = torch.float32) -> Iterator[tuple[str, torch.Tensor]]:
        """The float checkpoint that the codes stand for, one tensor at a time."""
        quantized = self.quantized()
        for name in quantized:
            yield name, dequantize(quantized[name], dtype)
        yield from plain_weights(self.directory / WEIGHTS, dtype)

    def model(self, dtype: torch.dtype = torch.float32) -> Any:
        """transformers' model with the dequantized weights, in eval mode.

        Needs the model's own memory and one tensor more.
        """
        return build_model(self.config, self.tensors(dtype), dtype)

    def require_codes(self, what: str) -> None:
        """Raise InputError for a float base; `what` begins the sentence: what takes int4 alone."""
        if self.method == FLOAT:
            raise InputError(
                f"{what} takes int4 bases alone, but {self.directory} is a float base "
                "('base.quantization: float'); evaluate the run itself, or train on a quantized "
                "base."
            )


def open_source(source: str | Path, revision: str | None = None) -> Base | Checkpoint:
    """What a base is made of, looked at whole before anything is written.

    `source` is a canonical quantized directory, a Hugging Face directory, a GGUF file or a hub id.
    Raises InputError for whatever would end the making of a base of it, or the training on that.
    """
    if not (Path(source) / "base.json").is_file():
        return open_checkpoint(str(source), revision)
    base = load_base(source)
    check_vocabulary(base.directory, base.tokenizer, base.config)
    return base


def load_base(
    source: str | Path | Base | Checkpoint,
    output: Path | None = None,
    *,
    name: str | None = None,
    revision: str | None = None,
    method: str | None = None,
    embedding_bits: int | None = None,
) -> Base:
    """Open a base; where `output` is given, the base lies there afterwards.

    `source` is a canonical quantized directory (hard-linked into `output` where the disk allows),
    a Hugging Face directory, a GGUF file or a hub id, or what `open_source` opened of them: these
    are quantized into `output` by `method`, a quantizer or `float`. `embedding_bits` are 4 or 8.
    What is left out is chosen by the size of the base (`base_size`). Raises InputError for an
    unknown method, a family that is not supported, a checkpoint without safetensors, or a tensor
    that is missing, misshapen or cannot be grouped.
    """
    if isinstance(source, Base):
        source = source.directory
    path = source.directory if isinstance(source, Checkpoint) else Path(source)
    if (path / "base.json").is_file():
        opened = Base(path)
        found = sha256_file(path / WEIGHTS)
        if found != opened.weights_sha256:
            raise InputError(
                f"{path / WEIGHTS} has the hash {found[:12]}…, but base.json says "
                f"{opened.weights_sha256[:12]}…: it is damaged; quantize the base again."
            )
        if output is None or output.resolve() == path.resolve():
            return opened
        with replaced_directory(output) as fresh:
            for file in sorted(path.iterdir()):
                if file.is_file():
                    link(file, fresh / file.name)
        return Base(output)
    if output is None:
        raise InputError(
            f"{path} is no quantized base (it has no base.json); say where to quantize it to."
        )
    if method is not None and method not in methods():
        raise unknown(f"{path}: quantization", method, methods())
    if isinstance(source, Checkpoint):
        checkpoint, name = source, name or str(path)
    else:
        checkpoint, name = open_checkpoint(str(source), revision), name or str(source)
    large = is_large(checkpoint.parameters)
    method = method or (LARGE_QUANTIZER if large else DEFAULT_QUANTIZER)
    bits = embedding_bits or (8 if large else 4)
    wide = WIDE if large else ()
    if bits not in EMBEDDING_BITS:
        raise InputError(f"{path}: an embedding of {bits} bits, expected 4 or 8; choose one.")
    done: Mapping[str, Quantized] = {}
    if method != FLOAT and (module := QUANTIZERS[method].module) is not None:
        sequences = calibration_ids(checkpoint.template)
        done = import_module(module).quantize_layers(checkpoint, sequences, name, bits, wide)
    tensors = ((key, done.get(key, tensor)) for key, tensor in checkpoint.tensors())
    write_base(
        output,
        checkpoint,
        tensors,
        name=name,
        revision=checkpoint.revision,
        checkpoint_sha256=checkpoint.sha256,
        method=method,
        embedding_bits=bits,
        wide=wide,
    )
    return Base(output)
