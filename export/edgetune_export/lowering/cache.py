"""Lowered bases that are kept, so that a second export of the same base takes seconds.

    ~/.cache/edgetune/lowered/<target>-<key>/entry.json    the target's entry of the manifest, files
                                             <target>/…    the target's folder of a bundle

What an artifact depends on is its key: the base's files, the target's settings, the code that
lowers and the packages that it uses. A bundle shares its files with the cache by hard links where
the disk allows; an entry is used only while each of its files has its hash. `EDGETUNE_CACHE_GB`
bounds what is kept (10): the entry that was used longest ago makes room, and 0 keeps nothing. It
knows targets by their table alone.
"""

import json
import math
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from edgetune_export.cache import cache_folder
from edgetune_export.lowering.targets import Lowering, Wishes, find_lowering
from edgetune_export.progress import console, stage
from edgetune_runtime import manifest, slots
from edgetune_runtime.errors import InputError
from edgetune_runtime.files import link, replaced_directory, sha256_bytes, sha256_file, write_json
from edgetune_runtime.manifest import Target

if TYPE_CHECKING:
    from edgetune_export.weights.base import Base

LIMIT = "EDGETUNE_CACHE_GB"
"""The environment's variable for the limit."""

DEFAULT_LIMIT_GB = 10

_ENTRY = "entry.json"
_ABOUT_BASE = "base.json"
"""A base's file that says where it came from: no artifact depends on it."""


@dataclass(frozen=True)
class Entry:
    """A lowered base that is kept."""

    path: Path
    target: str
    base: str
    """Name of the base that it was made of; of a damaged entry, `(damaged)`."""
    bytes: int
    used: float
    """When it was made or last taken, in seconds since 1970."""


class _Stored(BaseModel):
    """`entry.json`."""

    base: str
    target: Target
    sha256: dict[str, str]
    """Of each file."""


def lower(name: str, base: "Base", bundle: Path, wishes: Wishes) -> Target:
    """Write the artifact of `base` for the target `name` into the directory `bundle`.

    It is taken from the cache, or lowered and kept. Returns its entry in the manifest. Raises
    InputError for a target that cannot be made, and where the environment's limit is no number.
    """
    lowering, limit = find_lowering(name), _limit()
    settings = lowering.settings(base, wishes)
    if not limit:
        return lowering.lower(base, bundle, settings)
    place = cache_folder("lowered") / f"{name}-{_key(lowering, base, settings)}"
    with stage("Looking for the lowered base"):
        taken = _take(place, bundle)
    if taken is not None:
        return taken
    target = lowering.lower(base, bundle, settings)
    try:
        with stage("Keeping the lowered base"):
            _keep(place, base, bundle, target)
            _make_room(limit)
    except (InputError, OSError) as error:
        told = f"The lowered base is not kept ($EDGETUNE_CACHE may name another folder): {error}"
        console.print(told, markup=False)
    return target


def entries() -> list[Entry]:
    """What is kept, the entry first that was used longest ago."""
    folder = cache_folder("lowered")
    if not folder.is_dir():
        return []
    found = (_entry(path) for path in folder.iterdir() if not path.name.startswith("."))
    return sorted((entry for entry in found if entry is not None), key=lambda entry: entry.used)


def clear() -> list[Entry]:
    """Remove all that is kept, and what an export that was killed left there; what it was."""
    removed = entries()
    shutil.rmtree(cache_folder("lowered"), ignore_errors=True)
    return removed


def _limit() -> float:
    """In bytes."""
    given = os.environ.get(LIMIT) or str(DEFAULT_LIMIT_GB)
    try:
        gigabytes = float(given)
    except ValueError:
        gigabytes = math.nan
    if not gigabytes >= 0:
        raise InputError(
            f"{LIMIT}: found '{given}', expected gigabytes from 0 on; set it to such a number, or "
            f"unset it for {DEFAULT_LIMIT_GB}."
        )
    return gigabytes * 1e9


def _key(lowering: Lowering, base: "Base", settings: Mapping[str, Any]) -> str:
    """A hash of all that the artifact depends on."""
    own = import_module(lowering.module).__file__
    rooms = (Path(__file__).parent, Path(__file__).parent.with_name("weights"))
    code = {*(Path(file) for file in (own, manifest.__file__, slots.__file__) if file)}
    code |= {file for room in rooms for file in room.glob("*.py")}
    about = {
        "target": lowering.module,
        "settings": dict(settings),
        "base": {
            file.name: sha256_file(file)
            for file in base.directory.iterdir()
            if file.is_file() and file.name != _ABOUT_BASE
        },
        "code": sorted(sha256_file(file) for file in code),
        "packages": {
            package: _version(package) for package in (*lowering.packages, "transformers")
        },
    }
    return sha256_bytes(json.dumps(about, sort_keys=True).encode())[:32]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"


def _take(place: Path, bundle: Path) -> Target | None:
    """Put the entry at `place` into `bundle`; None where there is none, or it is damaged."""
    if not place.exists():
        return None
    stored = _whole(place)
    if stored is None:
        console.print(f"{place}: is damaged; the base is lowered anew.", markup=False)
        shutil.rmtree(place, ignore_errors=True)
        return None
    try:
        for path in stored.sha256:
            link(place / path, bundle / path)
        os.utime(place / _ENTRY)
    except FileNotFoundError:  # another export has just made room
        shutil.rmtree(bundle / stored.target.name, ignore_errors=True)
        return None
    console.print(f"{stored.target.name}: this base was lowered before, {place}", markup=False)
    return stored.target


def _whole(place: Path) -> _Stored | None:
    """What is at `place`, where it holds the files that it says, and no others."""
    try:
        stored = _Stored.model_validate_json((place / _ENTRY).read_bytes())
        hashes = {path: sha256_file(place / path) for path in _paths(place)}
    except (OSError, ValidationError):
        return None
    return stored if hashes == stored.sha256 else None


def _keep(place: Path, base: "Base", bundle: Path, target: Target) -> None:
    """Put what was just lowered into `bundle` into the cache, too."""
    with replaced_directory(place) as fresh:
        for path in _paths(bundle):
            if path.startswith(f"{target.name}/"):
                link(bundle / path, fresh / path)
        hashes = {path: sha256_file(fresh / path) for path in _paths(fresh)}
        stored = _Stored(base=base.name, target=target, sha256=hashes)
        write_json(fresh / _ENTRY, stored.model_dump(mode="json"))


def _make_room(limit: float) -> None:
    """Remove entries, the one used longest ago first, until the others are within `limit`."""
    kept = entries()
    size = sum(entry.bytes for entry in kept)
    for entry in kept:
        if size <= limit:
            break
        shutil.rmtree(entry.path, ignore_errors=True)
        size -= entry.bytes


def _entry(place: Path) -> Entry | None:
    """None where another process has just removed it."""
    target = place.name.rpartition("-")[0]
    try:
        size = sum((place / path).stat().st_size for path in _paths(place))
    except FileNotFoundError:
        return None
    try:
        stored = _Stored.model_validate_json((place / _ENTRY).read_bytes())
        return Entry(place, target, stored.base, size, (place / _ENTRY).stat().st_mtime)
    except (OSError, ValidationError):
        return Entry(place, target, "(damaged)", size, 0.0)


def _paths(directory: Path) -> list[str]:
    """The files below `directory`, but for `entry.json`."""
    found = (path.relative_to(directory) for path in directory.rglob("*") if path.is_file())
    return sorted(path.as_posix() for path in found if path.as_posix() != _ENTRY)
