"""The tokenizer of a GGUF file, which splits text as llama.cpp does.

A GGUF has tokens and merges, but of the rule that cuts text into words only the name
(`tokenizer.ggml.pre`); the rules themselves are llama.cpp's. Byte-level tokenizers alone: one with
another rule, or a SentencePiece one, is refused by name. Like llama.cpp, no text is normalized.
"""

from collections.abc import Sequence
from enum import IntEnum
from typing import Any, Protocol

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, processors
from tokenizers import pre_tokenizers as pre
from transformers import PreTrainedTokenizerFast

from edgetune_runtime.errors import InputError


class Kind(IntEnum):
    """What a token is for (`tokenizer.ggml.token_type`), as far as it matters."""

    UNKNOWN = 2
    CONTROL = 3
    USER_DEFINED = 4
    UNUSED = 5


class Metadata(Protocol):
    """A GGUF file's keys."""

    path: Any

    def get(self, key: str) -> Any:
        """The value under `key`, None where there is none."""


def _words(*patterns: str) -> list[Any]:
    """A split by each of `patterns` in turn; what lies between two matches is a word, too."""
    return [pre.Split(Regex(pattern), "isolated") for pattern in patterns]


_CONTRACTIONS = "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"
_GPT_2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)"


def _modern(digits: str) -> str:
    """Words with one sign before them, `digits` at a time, line ends together."""
    return (
        rf"{_CONTRACTIONS}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|{digits}"
        r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    )


PRE_TOKENIZERS: dict[str, list[Any]] = {
    "gpt-2": _words(_GPT_2),
    "default": _words(r"[\p{P}\$\+<=>\^~\|]+", _GPT_2, r"\p{N}+", "[0-9][0-9][0-9]"),
    "smollm": [pre.Digits(individual_digits=True), *_words(_GPT_2)],
    "qwen2": _words(_modern(r"\p{N}")),
    "llama-bpe": _words(_modern(r"\p{N}{1,3}")),
}
"""How text is cut into words, by the name that GGUF files give it."""

_ALIASES = {"llama3": "llama-bpe", "llama-v3": "llama-bpe", "deepseek-r1-qwen": "qwen2"}
_WHOLE_WORDS = ("llama-bpe",)
"""Where a word that is a token is that token, whatever the merges say; these begin with a BOS."""

_ENDS = ("<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<|end_of_text|>", "<|endoftext|>")
"""Tokens that end a generation wherever a file has them as control tokens, as in llama.cpp."""

_PREFIX = "tokenizer.ggml."


def gguf_tokenizer(file: Metadata) -> Any:
    """transformers' fast tokenizer of a GGUF file, with its chat template.

    Raises InputError for another kind than byte-level BPE, an unknown rule, or missing parts.
    """
    kind = file.get(_PREFIX + "model")
    if kind != "gpt2":
        raise InputError(
            f"{file.path}: has a tokenizer of the kind '{kind}', expected 'gpt2' (byte-level BPE); "
            "give the model's Hugging Face directory instead."
        )
    given = file.get(_PREFIX + "pre")
    name = _ALIASES.get(str(given), str(given))
    if name not in PRE_TOKENIZERS:
        raise InputError(
            f"{file.path}: splits text by the rule '{given}' (tokenizer.ggml.pre), expected one of "
            f"{', '.join([*PRE_TOKENIZERS, *_ALIASES])}; give the model's Hugging Face directory "
            "instead."
        )
    tokens, merges = _list(file, "tokens"), _list(file, "merges")
    try:
        return _build(file, name, tokens, merges)
    except InputError:
        raise
    except Exception as error:  # tokenizers raises nothing more special
        raise InputError(
            f"{file.path}: its tokens and merges make no tokenizer "
            f"({' '.join(str(error).split())[:200]}); get the file again."
        ) from error


def _build(file: Metadata, name: str, tokens: Sequence[str], merges: Sequence[str]) -> Any:
    kinds = file.get(_PREFIX + "token_type") or [1] * len(tokens)
    tokenizer = Tokenizer(
        models.BPE(
            # Unused ones fill the embedding up; no text becomes one of them.
            {token: i for i, token in enumerate(tokens) if kinds[i] != Kind.UNUSED},
            [_merge(each) for each in merges],
            ignore_merges=name in _WHOLE_WORDS,
        )
    )
    tokenizer.pre_tokenizer = pre.Sequence(
        [*PRE_TOKENIZERS[name], pre.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_tokens(
        [
            AddedToken(token, special=kind != Kind.USER_DEFINED, normalized=False)
            for token, kind in zip(tokens, kinds, strict=True)
            if kind in (Kind.UNKNOWN, Kind.CONTROL, Kind.USER_DEFINED)
        ]
    )
    begin = file.get(_PREFIX + "bos_token_id")
    begins = file.get(_PREFIX + "add_bos_token")
    if begin is not None and (name in _WHOLE_WORDS if begins is None else begins):
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{tokens[begin]} $A",
            pair=f"{tokens[begin]} $A $B",
            special_tokens=[(tokens[begin], begin)],
        )
    uses = {"bos": "bos", "eos": "eos", "unk": "unknown", "pad": "padding"}
    ids = {use: file.get(f"{_PREFIX}{key}_token_id") for use, key in uses.items()}
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        clean_up_tokenization_spaces=False,
        **{f"{use}_token": tokens[i] for use, i in ids.items() if i is not None},
    )
    fast.chat_template = file.get("tokenizer.chat_template")
    return fast


def end_tokens(file: Metadata) -> list[int]:
    """Ids of the tokens that end a generation in llama.cpp, the file's own end first."""
    named = [file.get(f"{_PREFIX}{use}_token_id") for use in ("eos", "eot", "eom")]
    tokens, kinds = _list(file, "tokens"), file.get(_PREFIX + "token_type") or []
    for i, kind in enumerate(kinds):
        if kind == Kind.CONTROL and tokens[i] in _ENDS:
            named.append(i)
    return list(dict.fromkeys(each for each in named if each is not None))


def _list(file: Metadata, key: str) -> Sequence[str]:
    found = file.get(_PREFIX + key)
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise InputError(
            f"{file.path}: '{_PREFIX}{key}' holds no list of texts; get the file again."
        )
    return found


def _merge(text: str) -> tuple[str, str]:
    """The two sides of a merge; the first may begin with a space."""
    at = text.index(" ", 1)
    return text[:at], text[at + 1 :]
