"""The names that a selector chooses among, as a trie over token ids: data, made at export.

`edgetune_export.prompts.names` grows one from a tokenizer; here it is only read and walked. It
knows which token ids lead to which name; it knows nothing of engines or probabilities (`decode`).
"""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Id = Annotated[int, Field(ge=0)]
"""A token id."""


class Branch(BaseModel):
    """A branching point: `prefix` has been fed, and `children` tells where each next token leads.

    `prefix` starts behind the opening that all names share. A child is a name, or the index of the
    next branching point; the tokens in between are in that one's prefix.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    prefix: tuple[Id, ...]
    children: dict[Id, int | str]


class NameTrie(BaseModel):
    """Canonical token paths of all names after the opening that they share.

    Each path is what the tokenizer makes of `call_open + name + call_middle`, so that text decoded
    along it is text as the model was trained on, and no name's path can begin another's: the text
    after the name is part of it. Tokens behind the last point where names differ are left out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    names: tuple[str, ...]
    opening_ids: tuple[Id, ...]
    """Token ids from the invocation on that are the same for every name."""
    branches: tuple[Branch, ...]
    """The root first, then those below it, each behind the one that leads to it; none where there
    is only one name."""

    @model_validator(mode="after")
    def _leads_to_every_name(self) -> Self:
        """Walking a wrong trie would go in circles or index out of it."""
        reached = [child for branch in self.branches for child in branch.children.values()]
        found = sorted(child for child in reached if isinstance(child, str))
        if self.branches and found != sorted(self.names):
            raise ValueError(f"it leads to {found} where its names are {sorted(self.names)}")
        if not self.branches and len(self.names) != 1:
            raise ValueError(f"it has no branch for its {len(self.names)} names")
        for index, branch in enumerate(self.branches):
            for token, child in branch.children.items():
                if not isinstance(child, int):
                    continue
                if not index < child < len(self.branches):
                    raise ValueError(f"branch {index} leads to branch {child}")
                begun = (*branch.prefix, token)
                if self.branches[child].prefix[: len(begun)] != begun:
                    raise ValueError(f"branch {child} does not go on from branch {index}")
        return self

    @property
    def largest_id(self) -> int:
        """The largest token id in it."""
        paths = ((*branch.prefix, *branch.children) for branch in self.branches)
        return max((*self.opening_ids, *chain.from_iterable(paths)), default=0)


class Tries(BaseModel):
    """`names.json`: the trie of each toolset's names, and of the toolsets' own for the router."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    toolsets: dict[str, NameTrie]
    router: NameTrie | None = None
    """None where there is one toolset."""


def shared_length(paths: Iterable[Sequence[int]]) -> int:
    """How many token ids all `paths` begin with in common."""
    count = 0
    for column in zip(*paths, strict=False):
        if len(set(column)) > 1:
            break
        count += 1
    return count
