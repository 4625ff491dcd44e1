"""A GGUF file made a float Hugging Face checkpoint, once: everything after sees a directory.

The directory is kept under the hash of the file, so that the same file is never converted twice,
wherever it lies and whatever it is called. What a GGUF holds is `gguf_file`'s and
`gguf_tokenizer`'s to know.
"""

from collections.abc import Iterable
from pathlib import Path

import torch
from safetensors.torch import save_file

from edgetune_export.cache import cache_folder
from edgetune_export.progress import stage, track
from edgetune_export.weights.checkpoint import Checkpoint
from edgetune_export.weights.gguf_file import GgufFile
from edgetune_export.weights.gguf_tokenizer import end_tokens, gguf_tokenizer
from edgetune_runtime.errors import InputError
from edgetune_runtime.files import replaced_directory, sha256_file, write_json

CONVERSION = 1
"""Raised where the same file would become another checkpoint, which is then made again."""

SHARD_BYTES = 2_000_000_000
"""About so much of the weights is in memory at a time."""


def converted(path: Path) -> tuple[Path, str]:
    """The float checkpoint that the GGUF file at `path` stands for, and its revision: its hash.

    Raises InputError for a file that is damaged or that no faithful checkpoint can be made of;
    nothing is left then.
    """
    with stage(f"Reading {path.name}"):
        digest = sha256_file(path)
    target = cache_folder("bases") / f"gguf-{digest[:24]}-{CONVERSION}"
    if not (target / "config.json").is_file():
        with replaced_directory(target) as fresh:
            convert(path, fresh)
    return target, f"sha256:{digest}"


def convert(path: Path, directory: Path) -> None:
    """Write the float checkpoint that `path` stands for into `directory`, which exists."""
    with stage(f"Opening {path.name}"):
        file = GgufFile(path)
        tokenizer = gguf_tokenizer(file)
        file.config.save_pretrained(directory)
        tokenizer.save_pretrained(directory)
        write_json(directory / "generation_config.json", {"eos_token_id": end_tokens(file)})
    tensors = track(file.tensors(), f"Converting {path.name}", total=file.tensor_count)
    _write_shards(tensors, directory)
    try:
        Checkpoint(directory).check()
    except InputError as error:
        raise InputError(str(error).replace(str(directory), str(path))) from error


def _write_shards(tensors: Iterable[tuple[str, torch.Tensor]], directory: Path) -> None:
    """Write weights and the index of their files, holding one file's at a time."""
    places: dict[str, str] = {}
    shard: dict[str, torch.Tensor] = {}

    def write() -> None:
        name = f"model-{len(set(places.values())) + 1:05}.safetensors"
        save_file(shard, directory / name, {"format": "pt"})
        (directory / name).chmod(0o644)
        places.update(dict.fromkeys(shard, name))
        shard.clear()

    for name, tensor in tensors:
        shard[name] = tensor.contiguous()
        if sum(each.nbytes for each in shard.values()) >= SHARD_BYTES:
            write()
    if shard:
        write()
    write_json(directory / "model.safetensors.index.json", {"weight_map": places})
