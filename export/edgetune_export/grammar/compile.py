"""A tool's grammar for the bundle: its arguments' language joined with the base's tokenizer.

To the automaton over bytes come what depends on tokens: how many are needed at least to finish from
each state, and which are forced. A runtime only walks the result. This module knows no logits and
no model.
"""

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from edgetune_export.grammar.arguments import arguments_language
from edgetune_export.grammar.distance import distances
from edgetune_export.grammar.forced import Splits, forced_tokens, opening_tokens
from edgetune_export.grammar.regular import Literal, Sequence, minimal
from edgetune_export.grammar.tables import Table, restarted
from edgetune_runtime.automaton import UNREACHABLE, Automaton
from edgetune_runtime.calls import Tool
from edgetune_runtime.errors import GrammarError
from edgetune_runtime.prompt import Pieces, call_opening
from edgetune_runtime.vocabulary import Vocabulary


def compile_grammar(
    tool: Tool, pieces: Pieces, tokenizer: Tokenizer, vocabulary: Vocabulary
) -> Automaton:
    """The automaton of `tool`'s arguments under this tokenizer, whose bytes are `vocabulary`.

    Raises GrammarError, naming the tool and the field, for a schema that no grammar can hold to,
    and where the tokens of the vocabulary cannot write any object that the schema allows.
    """
    opening = call_opening(pieces, tool.name)
    tail = _closing_text(pieces, tokenizer)
    words = Sequence((Literal(opening.encode()), arguments_language(tool), Literal(tail)))
    whole = minimal(words)
    if not whole.start:
        raise GrammarError(
            f"tool '{tool.name}', parameters: no object satisfies the schema; correct it."
        )
    splits = Splits(tokenizer)
    opening_ids, fed = opening_tokens(whole, opening, splits)
    table = restarted(whole, whole.walk(opening[:fed].encode()))
    done = _done(table, tail)
    distance = distances(table, done, vocabulary)
    if distance[table.start] == UNREACHABLE:
        raise GrammarError(
            f"tool '{tool.name}', parameters: the base's tokens cannot write its arguments; use "
            "keys and constants that the tokenizer knows."
        )
    forced = forced_tokens(table, done, opening[:fed], splits)
    columns, byte_class = np.unique(table.transitions, axis=1, return_inverse=True)
    width = np.uint16 if len(columns) <= np.iinfo(np.uint16).max else np.uint32
    return Automaton(
        byte_class=byte_class.reshape(-1).astype(np.uint8),
        transitions=np.ascontiguousarray(columns.astype(width)),
        start=table.start,
        done=done,
        distance=distance,
        forced_offsets=np.cumsum([0, *map(len, forced)]).astype(np.uint32),
        forced_ids=np.array([token for ids in forced for token in ids], np.uint32),
        opening_ids=opening_ids,
        pending=opening[fed:].encode(),
    )


def _closing_text(pieces: Pieces, tokenizer: Tokenizer) -> bytes:
    """The text of the call's close up to its first added token, into which a token may reach."""
    added = {token.content for token in tokenizer.get_added_tokens_decoder().values()}
    ends = [pieces.call_close.find(token) for token in added]
    return pieces.call_close[: min([end for end in ends if end >= 0], default=None)].encode()


def _done(table: Table, tail: bytes) -> NDArray[np.bool_]:
    """`[states]`: the states in which the arguments are closed and only `tail` can follow.

    In a minimal automaton each rest of the tail has exactly one state.
    """
    done = np.zeros(len(table.final), bool)
    (state,) = np.flatnonzero(table.final)
    done[state] = True
    for byte in reversed(tail):
        only = (table.transitions[:, byte] == state) & ((table.transitions != 0).sum(1) == 1)
        (state,) = np.flatnonzero(only)
        done[state] = True
    return done
