"""How a base's weights lie on disk, codes and floats: written once, read one at a time.

The directory is described in `base`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from edgetune_export.progress import track
from edgetune_export.weights.checkpoint import Checkpoint, open_weights
from edgetune_export.weights.quantize import GROUP, Quantized, bits_of, pack, quantize, unpack
from edgetune_export.weights.quantizers import DEFAULT_QUANTIZER, FLOAT
from edgetune_runtime.files import replaced_directory, sha256_file, write_json

FORMAT = "edgetune-base-1"
WEIGHTS = "quantized.safetensors"

TABLES = ("model.embed_tokens.weight", "lm_head.weight")
"""The embedding and, where it is not tied, the output head."""

_CODES, _SCALES = ".codes", ".scales"


class QuantizedWeights(Mapping[str, Quantized]):
    """Every quantized weight of a base by its checkpoint name, read from disk when asked for."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with open_weights(path) as file:
            names = file.keys()
        self._names = sorted(n.removesuffix(_CODES) for n in names if n.endswith(_CODES))

    def __getitem__(self, name: str) -> Quantized:
        if name not in self._names:
            raise KeyError(name)
        with open_weights(self._path) as file:
            codes, scales = file.get_tensor(name + _CODES), file.get_tensor(name + _SCALES).float()
        if codes.dtype == torch.int8:
            return Quantized(codes, scales, bits=8)
        return Quantized(unpack(codes), scales)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def plain_weights(path: Path, dtype: torch.dtype) -> Iterator[tuple[str, torch.Tensor]]:
    """What of the file at `path` was not quantized, by checkpoint name, one tensor at a time."""
    with open_weights(path) as file:
        for name in file.keys():  # noqa: SIM118 - it is no mapping
            if not name.endswith((_CODES, _SCALES)):
                yield name, file.get_tensor(name).to(dtype)


def write_base(
    output: Path,
    checkpoint: Checkpoint,
    tensors: Iterable[tuple[str, torch.Tensor | Quantized]],
    *,
    name: str,
    revision: str | None = None,
    checkpoint_sha256: str | None = None,
    method: str = DEFAULT_QUANTIZER,
    embedding_bits: int = 4,
    wide: Sequence[str] = (),
) -> None:
    """Quantize `tensors` (those of `checkpoint`, or what became of them) into `output`.

    Every two-dimensional weight that is not quantized yet becomes codes and scales, by the scales
    of the quantizer `method`, unless that is `float`; those of the embedding table and the output
    head have `embedding_bits`, those of the projections `wide` 8. One tensor is held as float at a
    time.
    """
    grid: dict[str, Any] = {"bits": 4, "group_size": GROUP, "symmetric": True}
    if embedding_bits != 4:
        grid["embedding_bits"] = embedding_bits
    if wide:
        grid["wide"] = list(wide)
    with replaced_directory(output) as fresh:
        stored: dict[str, torch.Tensor] = {}
        for key, tensor in track(tensors, f"Quantizing {name}", total=len(checkpoint.shapes)):
            if method != FLOAT and isinstance(tensor, torch.Tensor) and tensor.dim() == 2:
                bits = embedding_bits if key in TABLES else bits_of(key, wide)
                tensor = quantize(tensor, f"{name}: {key}", method, bits)
            if isinstance(tensor, Quantized):
                stored[key + _CODES] = tensor.codes if tensor.bits == 8 else pack(tensor.codes)
                stored[key + _SCALES] = tensor.scales.bfloat16()
            else:
                stored[key] = tensor.contiguous()
        # One metadata key: with more, their order, and so the hash, would vary.
        save_file(stored, fresh / WEIGHTS, {"format": FORMAT})
        (fresh / WEIGHTS).chmod(0o644)
        checkpoint.save_all_but_weights(fresh)
        write_json(
            fresh / "base.json",
            {
                "format": FORMAT,
                "name": name,
                "revision": revision,
                "weights_sha256": sha256_file(fresh / WEIGHTS),
                "checkpoint_sha256": checkpoint_sha256,
                "quantization": {"method": method, **({} if method == FLOAT else grid)},
            },
        )
