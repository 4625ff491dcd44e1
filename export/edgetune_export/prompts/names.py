"""Grows the trie of the names that a selector chooses among, from a base's tokenizer and pieces.

The names are tokenized in the context that the model sees. A runtime only walks the result
(`edgetune_runtime.trie`).
"""

from collections.abc import Sequence

from tokenizers import Tokenizer

from edgetune_runtime.errors import InputError
from edgetune_runtime.prompt import Pieces, call_opening
from edgetune_runtime.trie import Branch, NameTrie, shared_length


def name_trie(tokenizer: Tokenizer, pieces: Pieces, names: Sequence[str]) -> NameTrie:
    """The trie of `names`.

    Raises InputError where there is no name, or two names cannot be told apart by their tokens.
    """
    if not names:
        raise InputError("toolset: it has no tool to choose among; add one.")
    paths = {
        name: tuple(tokenizer.encode(call_opening(pieces, name), add_special_tokens=False).ids)
        for name in names
    }
    shared = shared_length(paths.values())
    branches: list[Branch] = []
    _grow({name: path[shared:] for name, path in paths.items()}, branches)
    return NameTrie(
        names=tuple(names),
        opening_ids=next(iter(paths.values()))[:shared],
        branches=tuple(branches),
    )


def _grow(paths: dict[str, tuple[int, ...]], branches: list[Branch]) -> int | str:
    """Add what leads to the names of `paths` to `branches`: where it begins, or the only name."""
    if len(paths) == 1:
        return next(iter(paths))
    prefix = next(iter(paths.values()))[: shared_length(paths.values())]
    groups: dict[int, dict[str, tuple[int, ...]]] = {}
    for name, path in paths.items():
        if len(path) == len(prefix):
            raise InputError(
                f"toolset: the tool name '{name}' cannot be told apart from "
                f"{sorted(set(paths) - {name})} by the base's tokenizer; rename it."
            )
        groups.setdefault(path[len(prefix)], {})[name] = path
    place = len(branches)
    branches.append(Branch(prefix=prefix, children={}))
    children = {token: _grow(group, branches) for token, group in groups.items()}
    branches[place] = Branch(prefix=prefix, children=children)
    return place
