"""The bytes behind each token id, worked out of a tokenizer's insides, once, at export.

Knows byte-level vocabularies (GPT-2's alphabet) and metaspace ones with byte fallback. A runtime
only reads the result (`edgetune_runtime.vocabulary`).
"""

import json
from collections.abc import Iterator
from typing import Any

from tokenizers import Tokenizer

from edgetune_runtime.errors import InputError
from edgetune_runtime.vocabulary import Vocabulary


def read_vocabulary(tokenizer: Tokenizer) -> Vocabulary:
    """The bytes of each token id of `tokenizer`, none for an added token.

    Raises InputError for a tokenizer that is neither byte-level nor metaspace with byte fallback.
    """
    kinds = set(_component_types(tokenizer.decoder)) | set(
        _component_types(tokenizer.pre_tokenizer)
    )
    if "ByteLevel" in kinds:
        to_bytes = _byte_level
    elif kinds & {"Metaspace", "ByteFallback"}:
        to_bytes = _metaspace
    else:
        raise InputError(
            f"tokenizer: its parts are {sorted(kinds)}, but a byte-level tokenizer or a metaspace "
            "one with byte fallback was expected; use a base of the Llama or Qwen family."
        )
    vocabulary = tokenizer.get_vocab(with_added_tokens=True)
    added = set(tokenizer.get_added_tokens_decoder())
    size = max(vocabulary.values(), default=-1) + 1
    found = [b""] * size
    for token, index in vocabulary.items():
        if index not in added:
            found[index] = to_bytes(token)
    return Vocabulary(found)


def _component_types(component: Any) -> Iterator[str]:
    """The type names of a tokenizer's component and of all that it is made of."""
    if component is None:
        return
    # The components of a sequence are visible only in its serialised form.
    yield from _types(json.loads(component.__getstate__()))


def _types(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("type"), str):
            yield value["type"]
        for inner in value.values():
            yield from _types(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _types(inner)


def _gpt2_alphabet() -> dict[int, int]:
    """Code point of each visible stand-in to the byte it stands for (GPT-2's byte-level BPE)."""
    visible = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in set(visible)]
    return {byte: byte for byte in visible} | {256 + n: byte for n, byte in enumerate(hidden)}


_ALPHABET = _gpt2_alphabet()


def _byte_level(token: str) -> bytes:
    try:
        return bytes(_ALPHABET[ord(character)] for character in token)
    except KeyError:
        return b""  # written outside the alphabet: no text tokenizes to it


def _metaspace(token: str) -> bytes:
    if len(token) == 6 and token.startswith("<0x") and token.endswith(">"):
        return bytes([int(token[3:5], 16)])
    return token.replace("▁", " ").encode()
