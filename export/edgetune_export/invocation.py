"""The invocation of an activated LoRA: the token ids from which on its weights act.

It is the opening of a call, the same for every stage (Activated LoRA, arXiv:2504.12397): what
stands before it is read by the bare base. This module knows templates' pieces and a tokenizer,
neither adapters nor models.
"""

from tokenizers import Tokenizer

from edgetune_runtime.errors import InputError
from edgetune_runtime.prompt import Pieces
from edgetune_runtime.trie import NameTrie


def invocation_tokens(tokenizer: Tokenizer, pieces: Pieces) -> tuple[int, ...]:
    """The ids that every call opens with: the first alone where it is a token of its own kind.

    `<tool_call>` of Qwen's vocabulary is such an added token; where a call opens with plain text,
    all ids that do not depend on the tool's name are taken. Raises InputError where the tokenizer
    would join the opening to what stands before it, so that no K/V could end between the two.
    """
    opening = NameTrie(tokenizer, pieces, ("a", "b")).opening_ids
    prompt = _encode(tokenizer, pieces.assistant[0])
    if _encode(tokenizer, pieces.assistant[0] + pieces.call_open)[: len(prompt) + 1] != [
        *prompt,
        *opening[:1],
    ]:
        raise InputError(
            f"adapter.kind: alora needs a call to begin a token of its own, but the base's "
            f"tokenizer joins {pieces.call_open!r} to {pieces.assistant[0]!r} before it; take "
            "'kind: lora'."
        )
    added = tokenizer.get_added_tokens_decoder()
    return opening[:1] if opening[0] in added else opening


def _encode(tokenizer: Tokenizer, text: str) -> list[int]:
    return tokenizer.encode(text, add_special_tokens=False).ids
