"""From a PEFT LoRA directory to the tensors that a graph's slots take, and to a blob on disk.

PEFT's `lora_A` `[r, in]` and `lora_B` `[out, r]` are transposed and the scale is folded into B, so
that a runtime computes `x @ A @ B` and knows no scale. Whatever a plain LoRA slot cannot express is
refused by its name. It knows nothing of graphs (`onnx`) or of reading blobs (the runtime's).
"""

import dataclasses
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import save
from safetensors.torch import load_file

from edgetune_export.weights.base import Base
from edgetune_runtime.blob_types import BLOB_TYPES, DEFAULT_BLOB_TYPE
from edgetune_runtime.errors import AdapterError, InputError
from edgetune_runtime.files import write_bytes
from edgetune_runtime.slots import tensor_names

_KEY = re.compile(r"base_model\.model\.(?P<module>.+)\.lora_(?P<side>[AB])\.weight")

_ABOUT = "auto_mapping base_model_name_or_path eva_config exclude_modules inference_mode \
layers_pattern layers_to_transform lora_dropout megatron_core peft_type peft_version \
qalora_group_size revision runtime_config target_modules task_type"
"""Fields that only say how an adapter was trained, found or named."""
_READ = (
    "alora_invocation_tokens alpha_pattern init_lora_weights lora_alpha r rank_pattern use_rslora"
)
"""Fields that are read here; any other must have PEFT's default."""
_PLAIN_STARTS = (True, False, None, "gaussian", "eva", "orthogonal")
"""Values of `init_lora_weights` that leave the base as it was; PiSSA, OLoRA, CorDA and LoftQ
subtract from it."""


@dataclass(frozen=True)
class PeftAdapter:
    """A PEFT adapter as slot tensors."""

    tensors: dict[str, NDArray[np.float32]]
    """`<slot>.lora_A` `[in, r]` and `<slot>.lora_B` `[r, out]`, scale folded into B."""
    rank: int
    """The largest rank of a slot."""
    scale: float
    """What was folded into B (of the slots whose rank and alpha no pattern changes)."""
    rslora: bool
    invocation: tuple[int, ...]
    """Ids from which on an activated LoRA acts; none for a plain one."""


def read_peft(directory: Path, base: Base) -> PeftAdapter:
    """Read the LoRA of a PEFT directory for the slots of `base`.

    The scale is alpha / r, with rsLoRA alpha / sqrt(r) (arXiv:2312.03732); `rank_pattern` and
    `alpha_pattern` are honoured. Raises InputError for a damaged directory or an option that slots
    cannot express, AdapterError for a module that is no slot or a shape that does not fit.
    """
    config = _read_config(directory)
    stacked = _read_tensors(directory)
    slots = {base.slot_modules[slot.name]: slot for slot in base.slots()}
    rslora = bool(config.get("use_rslora"))
    tensors: dict[str, NDArray[np.float32]] = {}
    rank = 0
    for module, (a, b) in sorted(stacked.items()):
        slot = slots.get(module)
        if slot is None:
            raise AdapterError(
                f"{directory} adapts '{module}', which is no slot of base '{base.name}'; train "
                "only q/k/v/o/gate/up/down projections of this base."
            )
        r = _pattern(config.get("rank_pattern"), module, config["r"])
        expected = ([r, slot.in_features], [slot.out_features, r])
        if [list(a.shape), list(b.shape)] != list(expected):
            raise AdapterError(
                f"{directory}: the LoRA of '{module}' has shapes {list(a.shape)} and "
                f"{list(b.shape)}, but base '{base.name}' and the adapter's rank ask for "
                f"{expected[0]} and {expected[1]}; use the adapter with the base it was trained on."
            )
        alpha = _pattern(config.get("alpha_pattern"), module, config["lora_alpha"])
        inner, outer = tensor_names(slot.name)
        tensors[inner] = np.ascontiguousarray(a.T)
        tensors[outer] = np.ascontiguousarray(b.T * np.float32(_scale(alpha, r, rslora)))
        rank = max(rank, r)
    scale = _scale(config["lora_alpha"], config["r"], rslora)
    invocation = tuple(config.get("alora_invocation_tokens") or ())
    return PeftAdapter(tensors, rank, scale, rslora, invocation)


def write_blob(
    path: Path,
    tensors: Mapping[str, NDArray[np.float32]],
    metadata: Mapping[str, str],
    dtype: str = DEFAULT_BLOB_TYPE,
) -> None:
    """Write a delta blob: one safetensors file in the layout that graphs bind.

    `dtype` is one of `BLOB_TYPES`. The same tensors and metadata give the same bytes. Raises
    InputError where a value does not fit into `dtype`.
    """
    with np.errstate(over="ignore"):
        cast = {
            name: np.ascontiguousarray(value, BLOB_TYPES[dtype].numpy)
            for name, value in tensors.items()
        }
    for name, value in cast.items():
        if not np.isfinite(value).all():
            raise InputError(
                f"{path}: {name} holds values that {dtype} cannot; write the blob as float32 or "
                "train the adapter again."
            )
    write_bytes(path, _with_sorted_metadata(save(cast, dict(metadata))))


def _with_sorted_metadata(content: bytes) -> bytes:
    """`content` with its metadata in order: the library writes them in a random one.

    Format: https://github.com/huggingface/safetensors#format (eight bytes of header length, a JSON
    header padded with spaces, the tensors).
    """
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + content[8 + length :]


def _read_config(directory: Path) -> dict[str, Any]:
    path = directory / "adapter_config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{path} is missing; name a directory that PEFT saved.") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not valid JSON ({error}); save the adapter again.") from error
    if config.get("peft_type") != "LORA":
        raise InputError(
            f"{path}: peft_type is {config.get('peft_type')!r}; only LORA is supported."
        )
    defaults = _peft_defaults()
    for key, value in config.items():
        if key in (*_ABOUT.split(), *_READ.split()):
            continue
        if value != defaults.get(key) and value not in (None, False, "none", [], {}):
            raise InputError(
                f"{path}: '{key}' is {value!r}, which LoRA slots cannot express; train without it."
            )
    if config.get("init_lora_weights") not in _PLAIN_STARTS:
        raise InputError(
            f"{path}: init_lora_weights {config['init_lora_weights']!r} changes the base's "
            "weights, which slots cannot express; train without it."
        )
    for key in ("r", "lora_alpha"):
        if not isinstance(config.get(key), int | float) or config[key] <= 0:
            raise InputError(f"{path}: '{key}' must be a positive number; save the adapter again.")
    return config


@cache
def _peft_defaults() -> dict[str, Any]:
    from peft import LoraConfig

    return {
        field.name: field.default
        for field in dataclasses.fields(LoraConfig)
        if field.default is not dataclasses.MISSING
    }


def _read_tensors(directory: Path) -> dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Module path to its A `[r, in]` and B `[out, r]`, as PEFT stores them."""
    path = directory / "adapter_model.safetensors"
    if not path.is_file():
        raise InputError(f"{path} is missing; save the adapter as safetensors.")
    try:
        found = load_file(path)
    except SafetensorError as error:
        raise InputError(f"{path} is damaged ({error}); save the adapter again.") from error
    sides: dict[str, dict[str, NDArray[np.float32]]] = {}
    for key, tensor in found.items():
        match = _KEY.fullmatch(key)
        if match is None:
            raise InputError(
                f"{path}: '{key}' is no LoRA weight of a projection; train plain LoRA only."
            )
        sides.setdefault(match["module"], {})[match["side"]] = tensor.float().numpy()
    for module, pair in sides.items():
        if len(pair) != 2:
            raise InputError(f"{path}: '{module}' lacks lora_A or lora_B; save the adapter again.")
    return {module: (pair["A"], pair["B"]) for module, pair in sides.items()}


def _pattern(patterns: Mapping[str, Any] | None, module: str, default: Any) -> Any:
    """The value of the first pattern that matches the end of `module`, as PEFT reads patterns."""
    for pattern, value in (patterns or {}).items():
        if re.match(rf"(.*\.)?({pattern})$", module):
            return value
    return default


def _scale(alpha: float, rank: int, rslora: bool) -> float:
    return alpha / math.sqrt(rank) if rslora else alpha / rank
