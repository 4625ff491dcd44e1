"""Which tokens of a rendered call carry loss, for each role.

Spans are found in the text, then mapped to tokens through the tokenizer's offsets, so that neither
the tokenizer nor the template has to know about training. This module knows nothing of records,
batches or models.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from edgetune_runtime.manifest import Role
from edgetune_runtime.prompt import Pieces, call_opening

Span = tuple[int, int]
"""First character and the one after the last."""


def loss_spans(pieces: Pieces, tool: str, arguments: str, role: Role) -> list[Span]:
    """Characters of `render_call(pieces, tool, arguments)` that a role learns to write.

    selector: the name and the quote that closes it. arguments: the arguments object and all that
    closes the call. monolithic: both. (arXiv:2510.00229, section 3.)
    """
    name = len(pieces.call_open)
    opening = len(call_opening(pieces, tool))
    end = opening + len(arguments) + len(pieces.call_close)
    spans = []
    if role != "arguments":
        # Without what closes it, a name that begins another one would never be finished.
        spans.append((name, name + len(tool) + len(pieces.call_middle[:1])))
    if role != "selector":
        spans.append((opening, end))
    return spans


def token_mask(
    offsets: Sequence[Span] | NDArray[np.integer], spans: Sequence[Span]
) -> NDArray[np.bool_]:
    """True for every token that overlaps one of `spans`, be it by one character. `[tokens]`

    `offsets` are the tokenizer's `(start, end)` characters of each token. A token that straddles a
    span's edge is in: the model has to write it in order to write the span.
    """
    ends = np.asarray([end for _, end in offsets], dtype=np.int64)
    starts = np.asarray([start for start, _ in offsets], dtype=np.int64)
    # Some tokenizers leave the leading blank out of a token's offsets: a token begins where the
    # one before it ended. (The bytes of one character may be several tokens, each with all of it.)
    starts[1:] = np.minimum(starts[1:], np.maximum.accumulate(ends)[:-1])
    mask = np.zeros(len(ends), dtype=np.bool_)
    for start, end in spans:
        mask |= (starts < end) & (ends > start)
    return mask
