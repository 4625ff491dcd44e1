"""A GGUF file: looked at whole, its configuration and its tensors as Hugging Face has them.

The file is parsed, and its blocks become floats, by llama.cpp's own package `gguf`. What this says
of a model is what transformers has to compute to give the same: whatever would make a difference
and cannot be told to it is refused. Knows nothing of tokenizers and of where things are written.
"""

import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gguf import MODEL_ARCH, GGMLQuantizationType, GGUFReader, dequantize, get_tensor_name_map
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from edgetune_export.weights.checkpoint import GGUF_MAGIC, told
from edgetune_runtime.errors import InputError

ARCHITECTURES = {"llama": MODEL_ARCH.LLAMA, "qwen2": MODEL_ARCH.QWEN2, "qwen3": MODEL_ARCH.QWEN3}
"""Those that can be read; transformers calls its model types the same."""

_PART = re.compile(r"-\d{5}-of-(?!00001)\d{5}\.gguf$", re.IGNORECASE)
_ROPE_FACTORS = "rope_freqs.weight"
_HALF_LIMIT = torch.finfo(torch.float16).max
_KEPT = {GGMLQuantizationType.F16: torch.float16, GGMLQuantizationType.BF16: torch.bfloat16}
"""Types whose tensors stay what they are; of float32 goes without saying."""


class GgufFile:
    """The GGUF file at `path`, of one of `ARCHITECTURES`.

    Raises InputError for a file that is none, is damaged, or is one part of a split model.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("rb") as file:
            begin = file.read(len(GGUF_MAGIC))
        if begin != GGUF_MAGIC:
            raise InputError(
                f"{path}: is no GGUF file (it begins with {begin!r}, not with {GGUF_MAGIC!r}); get "
                "it again."
            )
        try:
            self._reader = GGUFReader(path)
        except Exception as error:  # the package raises what NumPy raises over a file cut short
            raise InputError(
                f"{path}: cannot be read as GGUF, it is damaged, cut short or of a kind that "
                f"the package gguf does not know ({' '.join(str(error).split())[:200]}); get the "
                "file again."
            ) from error
        if _PART.search(path.name) or (self.get("split.count") or 0) > 1:
            raise InputError(
                f"{path}: is one part of a model that was split; join the parts first "
                "(`llama-gguf-split --merge`)."
            )
        self.architecture = str(self.get("general.architecture"))
        if self.architecture not in ARCHITECTURES:
            raise InputError(
                f"{path}: has the architecture '{self.architecture}', expected one of "
                f"{', '.join(ARCHITECTURES)}; choose another base."
            )

    def get(self, key: str) -> Any:
        """The value under `key`, None where there is none."""
        field = self._reader.get_field(key)
        try:
            return None if field is None else field.contents()
        except ValueError as error:
            raise InputError(
                f"{self.path}: '{key}' is damaged ({error}); get the file again."
            ) from error

    @cached_property
    def config(self) -> Any:
        """transformers' configuration of the model.

        Raises InputError for what is missing, and for variants that transformers would compute
        otherwise than llama.cpp: mixtures of experts, partial or scaled rotary embeddings.
        """
        heads, width = self._number("attention.head_count"), self._number("embedding_length")
        head_dim = self._number("attention.key_length", width // max(heads, 1))
        rotated = self._number("rope.dimension_count", head_dim)
        self._refuse("expert_count", self._number("expert_count", 0), 0)
        self._refuse("rope.dimension_count", rotated, head_dim)
        values = self._number("attention.value_length", head_dim)
        self._refuse("attention.value_length", values, head_dim)
        self._refuse("rope.scale_linear", self._number("rope.scale_linear", 1.0), 1)
        scaling = self.get(f"{self.architecture}.rope.scaling.type") or "none"
        self._refuse("rope.scaling.type", scaling, "none")
        settings: dict[str, Any] = {
            "vocab_size": self._rows("token_embd.weight"),
            "hidden_size": width,
            "intermediate_size": self._number("feed_forward_length"),
            "num_hidden_layers": self._number("block_count"),
            "num_attention_heads": heads,
            "num_key_value_heads": self._number("attention.head_count_kv", heads),
            "head_dim": head_dim,
            "max_position_embeddings": self._number("context_length"),
            "rms_norm_eps": self._number("attention.layer_norm_rms_epsilon"),
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": float(self._number("rope.freq_base", 10000.0)),
            },
            "tie_word_embeddings": "output.weight" not in self._tensors,
        }
        for use, key in (("bos", "bos"), ("eos", "eos"), ("pad", "padding")):
            settings[f"{use}_token_id"] = self.get(f"tokenizer.ggml.{key}_token_id")
        if self.architecture == "llama":
            settings["mlp_bias"] = "blk.0.ffn_up.bias" in self._tensors
        if self.architecture != "qwen2":  # whose class has them always
            settings["attention_bias"] = "blk.0.attn_q.bias" in self._tensors
        with told(self.path):
            config = AutoConfig.for_model(self.architecture, **settings)
        if _ROPE_FACTORS in self._tensors:
            return self._with_llama3_rope(config)
        return config

    def tensors(self) -> Iterator[tuple[str, torch.Tensor]]:
        """Name and value of every tensor of the model, one at a time, as the model class has them.

        Floats stay what they are; what was quantized becomes float16. Raises InputError for a
        tensor that is missing, misshapen, of no use, or of a type that cannot be read.
        """
        with told(self.path), torch.device("meta"):
            model = AutoModelForCausalLM.from_config(self.config)
        names = get_tensor_name_map(ARCHITECTURES[self.architecture], self.config.num_hidden_layers)
        left = set(self._tensors) - {_ROPE_FACTORS}
        for name, parameter in model.named_parameters():
            own = names.get_name(name, try_suffixes=(".weight", ".bias"))
            if own not in left:
                raise InputError(
                    f"{self.path}: the tensor {own} is missing, which a model of the architecture "
                    f"'{self.architecture}' has; get the file again."
                )
            left.discard(own)
            tensor = self._float(own)
            if tensor.shape != parameter.shape:
                raise InputError(
                    f"{self.path}: {own} has shape {list(tensor.shape)}, by its header "
                    f"{list(parameter.shape)} was expected; get the file again."
                )
            yield name, self._unpermuted(own, tensor)
        if left:
            raise InputError(
                f"{self.path}: has the tensor {min(left)}, which '{self.architecture}' does not "
                "have in transformers and which would be left out; give the Hugging Face directory."
            )

    @property
    def tensor_count(self) -> int:
        """How many tensors the file has."""
        return len(self._tensors)

    @cached_property
    def _tensors(self) -> dict[str, Any]:
        return {tensor.name: tensor for tensor in self._reader.tensors}

    def _number(self, key: str, default: Any = None) -> Any:
        """The number under the architecture's own `key`."""
        key = f"{self.architecture}.{key}"
        found = self.get(key)
        if found is None and default is not None:
            return default
        if isinstance(found, float):
            return float(str(np.float32(found)))  # as it was written, 1e-5 for instance
        if isinstance(found, bool) or not isinstance(found, int):
            raise InputError(
                f"{self.path}: '{key}' is {found!r:.80}, expected a number; get the file again."
            )
        return found

    def _refuse(self, key: str, found: Any, expected: Any) -> None:
        """Raise InputError where transformers, or every target, would compute this otherwise."""
        if found != expected:
            raise InputError(
                f"{self.path}: '{self.architecture}.{key}' is {found}, but only {expected} can be "
                "computed faithfully; choose another base."
            )

    def _rows(self, name: str) -> int:
        if name not in self._tensors:
            raise InputError(f"{self.path}: the tensor {name} is missing; get the file again.")
        return int(self._tensors[name].shape[-1])

    def _float(self, name: str) -> torch.Tensor:
        tensor = self._tensors[name]
        kind = tensor.tensor_type
        try:
            value = torch.from_numpy(np.array(dequantize(tensor.data, kind), dtype=np.float32))
        except NotImplementedError as error:
            raise InputError(
                f"{self.path}: {name} is quantized as {kind.name}, which the package gguf cannot "
                "make floats of; choose another quantization of the model."
            ) from error
        if kind == GGMLQuantizationType.F32:
            return value
        if kind in _KEPT:
            return value.to(_KEPT[kind])
        return value.half() if value.abs().max() <= _HALF_LIMIT else value

    def _unpermuted(self, name: str, tensor: torch.Tensor) -> torch.Tensor:
        """Queries and keys with the halves of their heads one behind the other.

        For the architecture llama, and no other, llama.cpp has them interleaved.
        """
        found = re.search(r"\.attn_([qk])\.", name)
        if self.architecture != "llama" or found is None:
            return tensor
        key = "num_attention_heads" if found[1] == "q" else "num_key_value_heads"
        pairs = tensor.reshape(getattr(self.config, key), -1, 2, *tensor.shape[1:])
        return pairs.transpose(1, 2).reshape(tensor.shape)

    def _with_llama3_rope(self, config: Any) -> Any:
        """`config` with the scaling of Llama 3.1, where that is what the file's factors come of.

        The file has a factor for each frequency, transformers the four numbers behind them. One of
        them is seen in the factors; the others are the same in all that Meta published.
        """
        factors = self._float(_ROPE_FACTORS).float()
        plain = _frequencies(config)
        config.rope_parameters = {
            **config.rope_parameters,
            "rope_type": "llama3",
            "factor": round(float(factors.max()), 4),
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192,
        }
        scaled, _ = ROPE_INIT_FUNCTIONS["llama3"](config, torch.device("cpu"))
        expected = plain / scaled
        if factors.shape != expected.shape or not torch.allclose(factors, expected, rtol=1e-3):
            raise InputError(
                f"{self.path}: {_ROPE_FACTORS} scales rotary embeddings otherwise than Llama 3.1 "
                "does, which cannot be computed faithfully; choose another base."
            )
        return config


def _frequencies(config: Any) -> torch.Tensor:
    """The unscaled frequencies of rotary embeddings."""
    exponents = torch.arange(0, config.head_dim, 2).float() / config.head_dim
    return 1.0 / config.rope_parameters["rope_theta"] ** exponents
