"""A float Hugging Face checkpoint: found or downloaded, checked against its own model class, read.

Families that are not supported, checkpoints that are already quantized, weights that are not
safetensors or not the model's, and tokenizers and chat templates that cannot be used are refused
here, before anything is made of them; no remote code is run. What becomes of the tensors is
`base`'s; this module knows no targets.
"""

import hashlib
import json
import math
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast
from transformers.initialization import no_init_weights

from edgetune_export.prompts.template import Template
from edgetune_export.weights.hub import snapshot
from edgetune_runtime.errors import InputError

FAMILIES = ("llama", "qwen2", "qwen3")
SPLIT_SAMPLE = """He's got  12,345 caf\u00e9s; I'LL pay $6.70 (NOW)!

<tool_call>
{"name": "get_x", "arguments": {"city": "New York", "days": [1, 20], "far": true}}"""
"""Text on which tokenizers that split in different ways give different tokens."""

_VOCABULARIES = (("tokenizer.json",), ("vocab.json", "merges.txt"), ("tokenizer.model",))
"""Files of which transformers makes a fast tokenizer; of none it makes an empty one."""

GGUF_MAGIC = b"GGUF"
"""What a GGUF file begins with."""

_COMPUTED = re.compile(r"\.rotary_emb\.(inv_freq|cos_cached|sin_cached)$")
"""Buffers that older checkpoints hold although the model computes them."""

_FLOATS = (torch.float64, torch.float32, torch.bfloat16, torch.float16)

_TABLE, _HEAD = "model.embed_tokens.weight", "lm_head.weight"


class Checkpoint:
    """A float checkpoint in a directory, of one of `FAMILIES`; `revision` is that of a hub.

    Its configuration and its tokenizer fit each other; what else it says, `check` looks at.
    """

    def __init__(self, directory: Path, revision: str | None = None) -> None:
        self.directory = directory
        self.revision = revision
        self.config = read_config(directory)
        self.tokenizer = read_tokenizer(directory)
        check_vocabulary(directory, self.tokenizer, self.config)
        with told(directory / "config.json"), torch.device("meta"):
            model = AutoModelForCausalLM.from_config(self.config)
        self.shapes = {name: tuple(value.shape) for name, value in model.named_parameters()}
        """Name and shape of every tensor, from the model class (a tied head is no tensor)."""

    @property
    def parameters(self) -> int:
        """How many numbers the matrices have."""
        return sum(math.prod(shape) for shape in self.shapes.values() if len(shape) == 2)

    @cached_property
    def sha256(self) -> str:
        """Of the names, shapes and values of all tensors, in float32: the same whatever files hold
        them, and in whatever type. Reads the weights once, one tensor at a time."""
        digest = hashlib.sha256()
        for name, tensor in self.tensors():
            digest.update(f"{name} {list(tensor.shape)}".encode())
            digest.update(tensor.float().contiguous().numpy().data)
        return digest.hexdigest()

    @cached_property
    def template(self) -> Template:
        """The chat template with the tokenizer, as prompts are made with them."""
        return Template.of(self.tokenizer)

    def check(self) -> None:
        """Raise InputError unless prompts can be made and every tensor is the model's, and finite.

        Reads the weights once, one tensor at a time.
        """
        _ = self.template
        with self._opened() as where:
            for name in where:
                if name not in self.shapes and not _COMPUTED.search(name):
                    self._check_unlisted(name, where)
        for name, tensor in self.tensors():
            if tensor.dtype not in _FLOATS:
                raise InputError(
                    f"{self.directory}: {name} holds {str(tensor.dtype).removeprefix('torch.')}, "
                    "float32, float16 or bfloat16 was expected; choose the float checkpoint."
                )
            if tensor.numel() and not all(torch.isfinite(end) for end in torch.aminmax(tensor)):
                raise InputError(
                    f"{self.directory}: {name} holds values that are not finite; get the "
                    "checkpoint again."
                )

    def _check_unlisted(self, name: str, where: dict[str, Any]) -> None:
        """Raise InputError for a tensor that the model has not, but for a copy of the tied head."""
        if name != _HEAD or _TABLE not in where:
            raise InputError(
                f"{self.directory}: the model that its config.json describes has no tensor {name}, "
                "which would be left out; correct config.json, or get the checkpoint again."
            )
        if not torch.equal(where[name].get_tensor(name), where[_TABLE].get_tensor(_TABLE)):
            raise InputError(
                f"{self.directory}: {name} is another than {_TABLE}, but config.json says "
                "'tie_word_embeddings: true', so that it would be left out; say false there, or "
                "remove the tensor."
            )

    def tensors(self) -> Iterator[tuple[str, torch.Tensor]]:
        """Every tensor of the model, one at a time, as the (sharded) safetensors hold it.

        Raises InputError for a tensor that is missing or misshapen.
        """
        with self._opened() as where:
            for name, shape in self.shapes.items():
                if name not in where:
                    raise InputError(
                        f"{self.directory}: the tensor {name} is missing; get the checkpoint again."
                    )
                tensor = where[name].get_tensor(name)
                if tuple(tensor.shape) != shape:
                    raise InputError(
                        f"{self.directory}: {name} has shape {list(tensor.shape)}, its config.json "
                        f"says {list(shape)}; get the checkpoint again."
                    )
                yield name, tensor

    @contextmanager
    def _opened(self) -> Iterator[dict[str, Any]]:
        """The name of every tensor that the files hold, and the opened file that holds it."""
        with ExitStack() as stack:
            where: dict[str, Any] = {}
            for file in self._weight_files():
                opened = stack.enter_context(open_weights(file))
                where.update(dict.fromkeys(opened.keys(), opened))
            yield where

    def save_all_but_weights(self, target: Path) -> None:
        """Write configuration, tokenizer and generation settings into `target`."""
        self.config.save_pretrained(target)
        self.tokenizer.save_pretrained(target)
        generation = self.directory / "generation_config.json"
        if generation.is_file():
            shutil.copyfile(generation, target / generation.name)

    def _weight_files(self) -> list[Path]:
        index = self.directory / "model.safetensors.index.json"
        names = {"model.safetensors"}
        if index.is_file():
            listed = read_json(index).get("weight_map")
            if not isinstance(listed, dict) or not all(isinstance(n, str) for n in listed.values()):
                raise InputError(
                    f"{index}: 'weight_map' must give each tensor its file; get the checkpoint "
                    "again."
                )
            names = set(listed.values())
        for name in sorted(names):
            if not (self.directory / name).is_file():
                raise InputError(
                    f"{self.directory / name} is missing; weights must be safetensors (convert a "
                    ".bin checkpoint first)."
                )
        return [self.directory / name for name in sorted(names)]


def open_checkpoint(source: str, revision: str | None = None) -> Checkpoint:
    """The float checkpoint `source` (as `find_checkpoint` has it), checked whole: its first touch.

    Raises InputError for whatever would end the making of a base, or the training on it.
    """
    checkpoint = Checkpoint(*find_checkpoint(source, revision))
    checkpoint.check()
    return checkpoint


def find_checkpoint(source: str, revision: str | None) -> tuple[Path, str | None]:
    """The directory of `source` (a directory, a GGUF file or a hub id) and its exact revision: of a
    hub id its commit, of a GGUF file its hash."""
    path = Path(source)
    if path.is_dir():
        return path, revision
    if path.is_file() or path.suffix.lower() == ".gguf":
        return _convert(path)
    found = snapshot(source, revision)
    return found, found.name


def _convert(path: Path) -> tuple[Path, str]:
    """What `path` stands for, if it is a GGUF file."""
    if not path.is_file():
        raise InputError(f"{path}: there is no such file; give the path of a GGUF file.")
    if not is_gguf(path):
        raise InputError(
            f"{path}: is a file, but no GGUF; give a GGUF file or the directory of a checkpoint."
        )
    try:
        from edgetune_export.weights.gguf import converted
    except ModuleNotFoundError as error:
        if error.name != "gguf":
            raise
        raise InputError(
            f"{path}: to read GGUF files takes the package gguf; run 'pip install gguf'."
        ) from error
    return converted(path)


def is_gguf(path: Path) -> bool:
    """Whether `path` is a file that says it is GGUF, by its name or by its first bytes."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return path.suffix.lower() == ".gguf" or file.read(len(GGUF_MAGIC)) == GGUF_MAGIC


def build_model(
    config: Any, tensors: Iterable[tuple[str, torch.Tensor]], dtype: torch.dtype = torch.float32
) -> Any:
    """transformers' causal model with `tensors` as its weights, in eval mode.

    Needs the model's own memory and one tensor more.
    """
    with no_init_weights():
        model = AutoModelForCausalLM.from_config(config, dtype=dtype)
    model.tie_weights()
    places = dict(model.named_parameters())
    with torch.no_grad():
        for name, tensor in tensors:
            places[name].copy_(tensor)
    return model.eval()


def read_config(directory: Path) -> Any:
    """transformers' configuration of a float base. Raises InputError for other families."""
    path = directory / "config.json"
    found = read_json(path)
    if found.get("model_type") not in FAMILIES:
        raise InputError(
            f"{path}: model_type {found.get('model_type')!r} is not supported; choose a base of "
            f"the families {', '.join(FAMILIES)}."
        )
    if found.get("quantization_config"):
        raise InputError(
            f"{path}: the checkpoint is already quantized (quantization_config); choose the float "
            "one."
        )
    with told(path):
        return AutoConfig.from_pretrained(directory, trust_remote_code=False)


def read_tokenizer(directory: Path) -> Any:
    """transformers' fast tokenizer of a base, which splits text as its tokenizer.json says.

    AutoTokenizer takes the class of the model's family (transformers 5), which splits text in that
    family's way even where tokenizer.json says another: then a base that was trained with its own
    tokenizer would read tokens that it never met.
    """
    if not any(all((directory / each).is_file() for each in files) for files in _VOCABULARIES):
        raise InputError(
            f"{directory}: has no tokenizer.json, nor vocab.json with merges.txt, nor "
            "tokenizer.model; save the tokenizer beside the weights."
        )
    try:
        tokenizer = AutoTokenizer.from_pretrained(directory, trust_remote_code=False)
        file = directory / "tokenizer.json"
        if file.is_file():
            wanted = (
                Tokenizer.from_file(str(file)).encode(SPLIT_SAMPLE, add_special_tokens=False).ids
            )
            if tokenizer.encode(SPLIT_SAMPLE, add_special_tokens=False) != wanted:
                tokenizer = PreTrainedTokenizerFast.from_pretrained(directory)
    except Exception as error:  # tokenizers raises nothing more special for a file it cannot read
        raise InputError(
            f"{directory}: its tokenizer does not load ({_one_line(error)}); get it again."
        ) from error
    if not tokenizer.is_fast:
        raise InputError(f"{directory}: a fast tokenizer is needed; add its tokenizer.json.")
    return tokenizer


def check_vocabulary(directory: Path, tokenizer: Any, config: Any) -> None:
    """Raise InputError where a token of `tokenizer` has no row in the embedding of `config`."""
    beyond = [(i, token) for token, i in tokenizer.get_vocab().items() if i >= config.vocab_size]
    if beyond:
        last, token = max(beyond)
        raise InputError(
            f"{directory}: the tokenizer has {len(beyond)} tokens beyond the {config.vocab_size} "
            f"rows of the embedding that config.json tells of (as {token!r}, {last}); resize the "
            "embedding, or take the tokens out of the tokenizer."
        )


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in `path`. Raises InputError where there is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{path} is missing; name a directory that holds a base.") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not valid JSON ({error}); get the base again.") from error
    if not isinstance(found, dict):
        raise InputError(f"{path} must hold a JSON object; get the base again.")
    return found


def open_weights(file: Path) -> Any:
    """A safetensors file, memory-mapped, as a context; its tensors come as torch tensors."""
    try:
        return safe_open(file, "pt")
    except SafetensorError as error:
        raise InputError(f"{file} is damaged ({error}); get the checkpoint again.") from error


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Whatever transformers raises over a model that `path` describes, as one sentence."""
    try:
        yield
    except Exception as error:  # it raises many unrelated types
        raise InputError(
            f"{path}: transformers makes no model of it ({_one_line(error)}); correct it, or get "
            "the checkpoint again."
        ) from error


def _one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
