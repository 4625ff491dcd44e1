"""What a model gets to read of a tool's answer: as much as its budget allows, cut where it reads
as a whole, and told that it was cut."""

from tokenizers import Tokenizer

_CHARACTERS_A_TOKEN = 32
"""More than a token has on the average in any text: beyond so many, none is tokenized."""
_KEPT = 0.5
"""A boundary that would leave less than this share of the budget is none."""


def cut(text: str, tokens: int, tokenizer: Tokenizer) -> str:
    """`text`, or its beginning of at most `tokens` tokens and a sentence on how much that is.

    Cut behind the last empty line, else line, else sentence or word that fits.
    """
    beginning = text[: tokens * _CHARACTERS_A_TOKEN]
    encoded = tokenizer.encode(beginning, add_special_tokens=False)
    if len(encoded.ids) > tokens:
        beginning = beginning[: encoded.offsets[tokens][0]]
    return shortened(text, len(beginning))


def shortened(text: str, characters: int) -> str:
    """`text`, or at most so many characters of it, cut as `cut` does."""
    beginning = text[:characters]
    if len(beginning) == len(text):
        return text
    for boundary in ("\n\n", "\n", ". ", " "):
        end = beginning.rfind(boundary)
        if end >= _KEPT * len(beginning):
            beginning = beginning[: end + len(boundary)].rstrip()
            break
    return f"{beginning}\n[cut: the first {len(beginning):,} of {len(text):,} characters]"
