"""Trains `nano`'s tokenizer: byte-level BPE, 4096 entries, in which a span of words has the same
tokens wherever it stands, but for the space before it.

Pieces of words are learnt without spaces; then the frequent ones get a second entry with a space
before them, merged last. So `Oslo` after a quote and ` Oslo` after a word are cut alike, and JSON's
junctures (`":`, `",`, `{"`) are tokens apart from the words: copying a span of the request into the
arguments is copying tokens. Text is split as Qwen2 splits it, for that is how transformers and
onnxruntime-genai split for any model of Qwen2's shape. It knows text alone: not the model, nor what
the text means.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from importlib import resources
from itertools import pairwise
from pathlib import Path

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    trainers,
)
from transformers import PreTrainedTokenizerFast
from transformers.models.qwen2.tokenization_qwen2 import PRETOKENIZE_REGEX

from edgetune.invent.records import invent_record
from edgetune.nano.rendering import render

VOCABULARY = 4096
SPECIAL = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<tools>",
    "</tools>",
    "<tool_call>",
    "</tool_call>",
    "<tool_response>",
    "</tool_response>",
)
APART = r'["{}\[\]:,]+|\p{L}+|\p{N}|[^\s\p{L}\p{N}]|\s'
"""How pieces are learnt: JSON's punctuation, and words without the space before them."""
STEMS = 2336
"""Entries learnt apart; the others are the most frequent of them with a space before."""
SPACE = "Ġ"


def training_text(seed: int, records: int) -> Iterator[str]:
    """Rendered made-up records, which is what the tokenizer must be short on."""
    for index in range(records):
        record = invent_record(seed, index)
        yield render(record["messages"], record["tools"])
        yield record["messages"][0]["content"]


def train_tokenizer(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    """Trains on `texts` and dresses the result for transformers, with nano's chat template."""
    kept = list(texts)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = _splitting(APART)
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=STEMS,
        show_progress=False,
        special_tokens=[AddedToken(t, special=True) for t in SPECIAL],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(kept, trainer)
    dressed = PreTrainedTokenizerFast(
        tokenizer_object=_with_spaces(tokenizer, kept),
        pad_token="<|endoftext|>",
        eos_token="<|im_end|>",
        model_max_length=2048,
        clean_up_tokenization_spaces=False,
    )
    dressed.chat_template = template()
    return dressed


def spaced_pairs(tokenizer: Tokenizer) -> list[tuple[int, int]]:
    """(a piece, the same piece with a space before it), as ids."""
    vocabulary = tokenizer.get_vocab()
    return sorted(
        (vocabulary[piece[1:]], id_)
        for piece, id_ in vocabulary.items()
        if piece.startswith(SPACE) and piece[1:] in vocabulary
    )


def _splitting(pattern: str) -> pre_tokenizers.PreTokenizer:
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


def _with_spaces(tokenizer: Tokenizer, texts: list[str]) -> Tokenizer:
    """`tokenizer` with merges of a space and a word's first piece, ranked after all others.

    A word is thus cut into the same pieces with and without a space before it.
    """
    special = set(tokenizer.encode("".join(SPECIAL)).ids)
    space = tokenizer.token_to_id(SPACE)
    counts: Counter[int] = Counter()
    for encoding in tokenizer.encode_batch(texts):
        counts.update(after for before, after in pairwise(encoding.ids) if before == space)
    state = json.loads(tokenizer.to_str())
    vocabulary, merges = state["model"]["vocab"], state["model"]["merges"]
    for id_, _ in counts.most_common():
        piece = str(tokenizer.id_to_token(id_))
        if len(vocabulary) == VOCABULARY:
            break
        if id_ not in special and SPACE not in piece and SPACE + piece not in vocabulary:
            merges.append([SPACE, piece])
            vocabulary[SPACE + piece] = len(vocabulary)
    spaced = Tokenizer.from_str(json.dumps(state))
    spaced.pre_tokenizer = _splitting(PRETOKENIZE_REGEX)
    return spaced


def template() -> str:
    """nano's chat template (Jinja)."""
    return resources.files("edgetune.nano").joinpath("template.jinja").read_text(encoding="utf-8")


def make_tokenizer(
    directory: Path, seed: int = 1, records: int = 30_000
) -> PreTrainedTokenizerFast:
    """Trains the tokenizer on generated records and saves it into `directory`."""
    tokenizer = train_tokenizer(training_text(seed, records))
    tokenizer.save_pretrained(str(directory))
    return tokenizer
