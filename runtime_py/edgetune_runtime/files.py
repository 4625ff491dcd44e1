"""Files written whole or not at all, over nothing of a user's; hashes; paths that stay inside."""

import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from edgetune_runtime.errors import BundleError, InputError


@contextmanager
def replaced_directory(target: Path) -> Iterator[Path]:
    """A new directory beside `target` to write into; it takes `target`'s place when all went well.

    On any error the new directory is removed and what stood at `target` stays as it was. A full
    disk, or a place that cannot be written to, becomes an InputError.
    """
    with _named(target):
        target = _resolved(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    old = fresh.with_name(fresh.name + ".old")
    try:
        fresh.chmod(0o755)
        with _disk_full_is_named(target):
            yield fresh
        with _named(target):
            if target.exists():
                target.rename(old)
            fresh.rename(target)
    except BaseException:
        if old.exists() and not target.exists():
            old.rename(target)
        raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def write_bytes(target: Path, content: bytes) -> None:
    """Write `target` beside itself, then rename: a reader sees the old file or the new one.

    A link is followed; a pipe or a device is written to as it is.
    """
    with _named(target):
        if target.exists() and not target.is_file() and not target.is_dir():
            with target.open("wb") as device:
                device.write(content)
            return
        target = _resolved(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            Path(name).chmod(0o644)
            Path(name).replace(target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


def write_json(target: Path, value: Any) -> None:
    """Write `value` as indented JSON, whole or not at all."""
    write_bytes(target, (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode())


def link(source: Path, target: Path) -> None:
    """A hard link at `target`, in a folder that is made, or a copy where the disk has no links."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.hardlink_to(source.resolve())
    except OSError:
        shutil.copyfile(source, target)


def require_replaceable(target: Path, ours: Callable[[Path], bool], *, force: bool = False) -> None:
    """Raise InputError where the file `target` cannot be written, or holds what is not to be lost.

    The rule of every output: a file with something in it is replaced only where it is `ours` (the
    same verb wrote it), or with `force`. Asked before the work is begun. A link is followed; a pipe
    or a device always takes what it is given.
    """
    with _named(target):
        if target.is_dir():
            raise InputError(f"{target}: is a folder, expected a file; name a file in it.")
        if target.exists() and not target.is_file():
            return
        if not force and target.exists() and target.stat().st_size and not ours(target):
            raise InputError(
                f"{target}: is there already and holds something else, which is not replaced; "
                "choose another place, or give --force."
            )
        with tempfile.TemporaryFile(dir=existing_parent(target)):
            pass


def existing_parent(target: Path) -> Path:
    """The folder nearest above `target` that there is already."""
    return next(place for place in _resolved(target).parents if place.exists())


def require_own_directory(target: Path, names: Collection[str], what: str) -> None:
    """Raise InputError where `target` is something else than `what`, which has files `names`, or
    cannot be written.

    Nothing at all and an empty folder may become one. No `--force` helps: whole folders of
    something else are not removed.
    """
    with _named(target):
        with tempfile.TemporaryFile(dir=existing_parent(target)):
            pass
        whole = all((target / name).is_file() for name in names)
        if target.exists() and not whole and not (target.is_dir() and not any(target.iterdir())):
            raise InputError(
                f"{target}: exists and is no {what} (which has {' and '.join(names)}); choose "
                "another place, or remove it."
            )


def sha256_bytes(content: bytes) -> str:
    """SHA-256 of `content`, in hex."""
    return hashlib.sha256(content).hexdigest()


def sha256_file(path: Path) -> str:
    """SHA-256 of a file, in hex, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def inside(root: Path, relative: str) -> Path:
    """`root / relative`, refused where it would leave `root`."""
    parts = PurePosixPath(relative)
    if (
        parts.is_absolute()
        or ".." in parts.parts
        or not ((root / parts).resolve().is_relative_to(root.resolve()))
    ):
        raise BundleError(f"{root}: the path '{relative}' leaves the bundle; export it again.")
    return root / parts


def _resolved(target: Path) -> Path:
    """`target` without links; links in a circle are the system's error, as others are."""
    try:
        return target.resolve()
    except RuntimeError as error:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(target)) from error


@contextmanager
def _named(target: Path) -> Iterator[None]:
    """Whatever the system says while `target` is written, as one sentence."""
    try:
        with _disk_full_is_named(target):
            yield
    except OSError as error:
        raise InputError(
            f"{target}: cannot be written ({error.strerror}); choose another place."
        ) from error


@contextmanager
def _disk_full_is_named(target: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if _is_disk_full(error):
            raise InputError(
                f"{target}: the disk is full, nothing was changed there; free some space and run "
                "the same command again."
            ) from error
        raise


def _is_disk_full(error: BaseException | None) -> bool:
    """Whether the disk was full, also where a library says so in an error of its own."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        if os.strerror(errno.ENOSPC) in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False
