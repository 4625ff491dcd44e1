"""The invocation of an activated LoRA: the token ids from which on its weights act.

What stands before them is read by the bare base (Activated LoRA, arXiv:2504.12397). They open the
call, the same for every stage, or the last turn of the user. This module knows templates' pieces
and a tokenizer, neither adapters nor models.
"""

from typing import Literal

from edgetune_export.prompts.names import name_trie
from edgetune_export.prompts.template import Template
from edgetune_runtime.errors import InputError

Begins = Literal["call", "turn"]
"""Where activated adapters begin to act: at the opening of the call, or of the user's last turn."""


def invocation_tokens(template: Template, begins: Begins) -> tuple[int, ...]:
    """The ids that every call, or every turn of the user, opens with.

    Of a call the first alone where it is a token of its own kind, like `<tool_call>` in Qwen's
    vocabulary; where a call opens with plain text, all ids that do not depend on the tool's name.
    `Template` has seen to it that a call begins at a token boundary; raises InputError where a
    turn of the user does not, so that no K/V could end before it.
    """
    tokenizer, pieces = template.tokenizer, template.pieces
    if begins == "call":
        opening = name_trie(tokenizer, pieces, ("a", "b")).opening_ids
        return opening[:1] if opening[0] in tokenizer.get_added_tokens_decoder() else opening
    # Without blanks at its end, which a tokenizer may join to the user's words.
    found = template.ids(pieces.user[0].rstrip())
    for before in (pieces.assistant[1], pieces.result[1]):
        ids = template.ids(before)
        both = template.ids(before + pieces.user[0] + "a")
        if not found or both[: len(ids) + len(found)] != [*ids, *found]:
            raise InputError(
                f"adapter.invocation: turn needs {pieces.user[0]!r} to begin with a token of its "
                f"own, but the base's tokenizer joins it to {before!r} before it; take 'call'."
            )
    return tuple(found)
