"""Names that prompts, files and adapters can have, for tools whose own ones they can't.

Servers call their tools `files.read`, `repo/search` or by words of any script. Each such tool gets
a name that depends on the names of its list alone, not on their order, and keeps its own one as
`Tool.original`. Knows nothing of formats and schemas.
"""

import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import replace
from hashlib import sha256

from edgetune_runtime.calls import RESPOND, Tool

LONGEST = 64
SHORTEST_HASH = 4
SAFE_NAME = re.compile(rf"[A-Za-z0-9_-]{{1,{LONGEST}}}")
"""What OpenAI's function format allows in a name; such a name is safe in a path, too."""


def with_safe_names(tools: Sequence[Tool]) -> tuple[Tool, ...]:
    """`tools` under names that are safe, differ in more than case, and are not reserved."""
    safe = safe_names({tool.name for tool in tools})
    return tuple(
        tool
        if safe[tool.name] == tool.name
        else replace(tool, name=safe[tool.name], original=tool.original or tool.name)
        for tool in tools
    )


def safe_names(names: Collection[str]) -> dict[str, str]:
    """A safe name for each of `names`: itself where it can be.

    Where several come out alike (some file systems ignore case), all get a hash of their own name
    behind, but for the only one that is safe as it is.
    """
    alike: dict[str, list[str]] = {}
    for name in sorted(names):
        alike.setdefault(_plain(name).casefold(), []).append(name)
    safe: dict[str, str] = {}
    for key, group in alike.items():
        unchanged = [name for name in group if _plain(name) == name]
        keepers = group if len(group) == 1 else unchanged
        if len(keepers) == 1 and key != RESPOND:
            safe[keepers[0]] = _plain(keepers[0])
    taken = {RESPOND, *(name.casefold() for name in safe.values())}
    for name in sorted(names):
        if name not in safe:
            safe[name] = _hashed(name, taken)
            taken.add(safe[name].casefold())
    return safe


def _plain(name: str) -> str:
    """`name` without accents, with `_` for whatever else is not allowed."""
    if SAFE_NAME.fullmatch(name):
        return name
    decomposed = unicodedata.normalize("NFKD", name)
    letters = "".join(each for each in decomposed if not unicodedata.combining(each))
    plain = re.sub(r"[^A-Za-z0-9_-]+", "_", letters).strip("_")
    return plain[:LONGEST].rstrip("_") or "tool"


def _hashed(name: str, taken: Collection[str]) -> str:
    digest = sha256(name.encode()).hexdigest()
    for digits in range(SHORTEST_HASH, LONGEST):
        found = f"{_plain(name)[: LONGEST - 1 - digits]}_{digest[:digits]}"
        if found.casefold() not in taken:
            break
    return found
