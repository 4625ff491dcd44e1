"""The systems on a chip that `--target qnn` compiles for, and what its compiler calls them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from edgetune_runtime.errors import unknown


@dataclass(frozen=True)
class Chip:
    """A system on a chip."""

    name: str
    model: int
    """QNN's number of it."""
    architecture: int
    """Version of its Hexagon tensor processor."""


CHIPS = {
    "sm8450": Chip("Snapdragon 8 Gen 1", 36, 69),
    "sm8475": Chip("Snapdragon 8+ Gen 1", 42, 69),
    "sm8550": Chip("Snapdragon 8 Gen 2", 43, 73),
    "sm8650": Chip("Snapdragon 8 Gen 3", 57, 75),
    "sm8750": Chip("Snapdragon 8 Elite", 69, 79),
    "sm8850": Chip("Snapdragon 8 Elite Gen 5", 87, 81),
}
"""By model name; the numbers are those of ExecuTorch's `QcomChipset` and `HtpArch`. Older
ones were not tried."""

DEFAULT_CHIPS = ("sm8650",)


def find_chips(names: Iterable[str]) -> Mapping[str, Chip]:
    """The chips of these names. Raises InputError for one that is not in the table."""
    for name in names:
        if name not in CHIPS:
            raise unknown("--soc", name, CHIPS)
    return {name: CHIPS[name] for name in names}
