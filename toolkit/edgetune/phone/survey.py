"""What a phone is and holds: ABIs, space, the app, its files with their hashes. Changes nothing."""

import re
from dataclasses import dataclass
from typing import Any

from edgetune.phone import app
from edgetune.phone.adb import Adb
from edgetune.phone.refusals import AGAIN
from edgetune_runtime.errors import InputError

_ASK = f"""\
echo "model=$(getprop ro.product.model)"
echo "android=$(getprop ro.build.version.release)"
echo "abis=$(getprop ro.product.cpu.abilist)"
echo "app=$(pm path {app.PACKAGE} 2>/dev/null)"
[ -d {app.FILES} ] && echo "folder=yes"
echo "free=$(df -k /sdcard | tail -n 1)\""""

HASHES = (
    f"cd {app.FILES} 2>/dev/null || exit 0; for folder in incoming bundles; do "
    "[ ! -d $folder ] || find $folder -type f -exec sha256sum {} +; done"
)
"""A shell script that tells the hashes of all that lies in the folders for bundles."""

_AVAILABLE = 3
"""The column of `df` that says how many blocks are free."""

_HASH = re.compile(r"([0-9a-f]{64}) [ *](.+)")


@dataclass(frozen=True)
class Phone:
    """One phone, as it was when it was asked."""

    serial: str
    model: str
    android: str
    """Android's version, such as `15`."""
    abis: tuple[str, ...]
    """The best one first."""
    free_bytes: int
    has_app: bool
    has_folder: bool
    """The app was opened once, so that its folder is there."""

    def as_json(self) -> dict[str, Any]:
        """Model, Android's version and ABI, as the app's own measurements have them."""
        return {"model": self.model, "android": self.android, "abi": self.abis[0]}

    def require_fit(self, *, apk_given: bool) -> None:
        """Raise InputError where the app cannot run, or is not there and will not be installed."""
        if not set(self.abis) & set(app.ABIS):
            raise InputError(
                f"{self.serial}: runs {', '.join(self.abis) or 'no known ABI'}, expected "
                f"{' or '.join(app.ABIS)}; take a phone with a 64-bit Android."
            )
        if not (self.has_app or apk_given):
            raise InputError(
                f"{self.serial}: the app {app.PACKAGE} is not installed there; give --apk FILE, or "
                f"install it, then {AGAIN}."
            )


def read_phone(adb: Adb) -> Phone:
    """Ask the phone. Raises InputError where it does not answer as an Android does."""
    said = adb.shell(_ASK, "asking what it is")
    told = dict(line.split("=", 1) for line in said.splitlines() if "=" in line)
    columns = told.get("free", "").split()
    if len(columns) <= _AVAILABLE or not columns[_AVAILABLE].isdecimal():
        raise InputError(
            f"{adb.serial}: 'df -k /sdcard' says {told.get('free', '')!r} there, expected a line "
            f"with the free space; unlock the phone, so that its storage is open, and {AGAIN}."
        )
    return Phone(
        serial=adb.serial,
        model=told.get("model", ""),
        android=told.get("android", ""),
        abis=tuple(filter(None, told.get("abis", "").split(","))),
        free_bytes=1024 * int(columns[_AVAILABLE]),
        has_app=bool(told.get("app")),
        has_folder="folder" in told,
    )


def parse_hashes(said: str) -> dict[str, str]:
    """What `HASHES` printed: SHA-256 (hex) of each file, by its path on the phone."""
    lines = filter(None, map(_HASH.fullmatch, said.splitlines()))
    return {f"{app.FILES}/{line[2]}": line[1] for line in lines}


def read_held(adb: Adb) -> frozenset[str]:
    """SHA-256 (hex) of the files that the app says to have taken in; none where it says nothing."""
    said = adb.shell(f"cat {app.HELD} 2>/dev/null || true", "reading what the app has")
    lines = filter(None, map(_HASH.fullmatch, said.splitlines()))
    return frozenset(line[1] for line in lines)
