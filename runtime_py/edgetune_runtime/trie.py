"""A trie over the tokenized names that a selector chooses among.

Built from the tokenizer and the pieces of a call, in the context that the model sees. It knows
which token ids lead to which name; it knows nothing of engines or probabilities (`decode`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tokenizers import Tokenizer

from edgetune_runtime.errors import InputError
from edgetune_runtime.prompt import Pieces, call_opening


@dataclass(frozen=True, eq=False)
class Branch:
    """A branching point: `prefix` has been fed, and `children` tells where each next token leads.

    `prefix` starts behind the opening that all names share. Every choice here leads to a name or
    to the next branching point; the tokens in between are in that one's prefix.
    """

    prefix: tuple[int, ...]
    children: dict[int, "Branch | str"] = field(default_factory=dict)


class NameTrie:
    """Canonical token paths of all `names` after the opening that they share.

    Each path is what the tokenizer makes of `call_open + name + call_middle`, so that text decoded
    along it is text as the model was trained on, and no name's path can begin another's: the text
    after the name is part of it. Tokens behind the last point where names differ are left out.

    Raises InputError where there is no name, or two names cannot be told apart by their tokens.
    """

    def __init__(self, tokenizer: Tokenizer, pieces: Pieces, names: Sequence[str]) -> None:
        if not names:
            raise InputError("toolset: it has no tool to choose among; add one.")
        paths = {
            name: tuple(tokenizer.encode(call_opening(pieces, name), add_special_tokens=False).ids)
            for name in names
        }
        self.names = tuple(names)
        shared = shared_length(paths.values())
        self.opening_ids = next(iter(paths.values()))[:shared]
        """Token ids from the invocation on that are the same for every name."""
        self.root: Branch | str = _grow({n: path[shared:] for n, path in paths.items()}, ())


def _grow(paths: dict[str, tuple[int, ...]], prefix: tuple[int, ...]) -> Branch | str:
    """The part of the trie below `prefix`, which all `paths` start with."""
    if len(paths) == 1:
        return next(iter(paths))
    prefix = next(iter(paths.values()))[: shared_length(paths.values())]
    branch = Branch(prefix)
    groups: dict[int, dict[str, tuple[int, ...]]] = {}
    for name, path in paths.items():
        if len(path) == len(prefix):
            raise InputError(
                f"toolset: the tool name '{name}' cannot be told apart from "
                f"{sorted(set(paths) - {name})} by the base's tokenizer; rename it."
            )
        groups.setdefault(path[len(prefix)], {})[name] = path
    for token, group in groups.items():
        branch.children[token] = _grow(group, (*prefix, token))
    return branch


def shared_length(paths: Iterable[Sequence[int]]) -> int:
    """How many token ids all `paths` begin with in common."""
    count = 0
    for column in zip(*paths, strict=False):
        if len(set(column)) > 1:
            break
        count += 1
    return count
