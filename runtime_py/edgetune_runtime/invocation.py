"""Where an activated LoRA begins to act: at the last occurrence of its invocation's token ids.

PEFT looks for the same place (`alora_invocation_tokens`, arXiv:2504.12397), in training and here
alike. This module knows nothing of texts or engines.
"""

from collections.abc import Sequence


def invocation_place(ids: Sequence[int], invocation: Sequence[int]) -> int:
    """Index in `ids` where `invocation` begins for the last time.

    Raises ValueError where it does not stand in `ids`: PEFT would run the bare base in silence.
    """
    wanted = list(invocation)
    for place in range(len(ids) - len(wanted), -1, -1):
        if list(ids[place : place + len(wanted)]) == wanted:
            return place
    raise ValueError(f"the invocation {wanted} does not stand in {len(ids)} token ids")
