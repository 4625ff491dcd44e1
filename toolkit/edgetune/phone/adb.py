"""Android's `adb`: found, asked which devices there are, and run on one of them.

Knows nothing of bundles; what its failures mean is `refusals`'.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgetune.phone.refusals import READY, not_ready, reason, refused
from edgetune_runtime.errors import InputError

_SDK_VARIABLES = ("ANDROID_HOME", "ANDROID_SDK_ROOT")


@dataclass(frozen=True)
class Device:
    """A line of `adb devices -l`."""

    serial: str
    state: str
    """`device` where it takes commands; else `offline`, `unauthorized`, `no permissions`, …"""
    model: str

    @property
    def text(self) -> str:
        """As people tell it from others: `emulator-5554 (sdk_gphone64, offline)`."""
        state = "" if self.state == READY else self.state
        about = ", ".join(filter(None, (self.model, state)))
        return f"{self.serial} ({about})" if about else self.serial


def find_adb() -> str:
    """The path of adb, on PATH or in the SDK. Raises InputError where there is none."""
    folders = [Path(os.environ[name]) for name in _SDK_VARIABLES if os.environ.get(name)]
    places = [os.environ.get("PATH", ""), *(str(each / "platform-tools") for each in folders)]
    found = shutil.which("adb", path=os.pathsep.join(places))
    if found is None:
        raise InputError(
            "adb: not found on PATH or under $ANDROID_HOME; install Android's platform tools (on "
            "Debian and Ubuntu: apt install adb) and run the same command again."
        )
    return found


def list_devices(program: str) -> list[Device]:
    """What is connected, in whatever state. Raises InputError where adb's server does not start."""
    done = _run([program, "devices", "-l"])
    if done.returncode:
        raise InputError(
            f"{program}: cannot list devices ({reason(done.stderr + done.stdout)}); run 'adb "
            "kill-server', then the same command again."
        )
    _, _, listed = done.stdout.partition("List of devices attached")
    lines = filter(None, map(_DEVICE.fullmatch, listed.splitlines()))
    return [_device(*line.groups()) for line in lines]


_DEVICE = re.compile(r"(\(no serial number\)|\S+)\s+(no permissions|\S+)(.*)")


def _device(serial: str, state: str, about: str) -> Device:
    model = re.search(r" model:(\S+)", about)
    return Device(serial, state, model[1] if model else "")


def choose_device(devices: Sequence[Device], serial: str | None) -> Device:
    """The one with `serial`, or the only one. Raises InputError where none of them is ready."""
    if not devices:
        raise InputError(
            "adb: no phone is connected; plug one in, or start an emulator, and turn USB debugging "
            "on in its developer options."
        )
    there = ", ".join(device.text for device in devices)
    if serial is None and len(devices) > 1:
        raise InputError(f"adb: found {there}, expected one device; say which with --serial.")
    chosen = [device for device in devices if serial in (None, device.serial)]
    if not chosen:
        raise InputError(f"--serial {serial}: is not connected, expected one of {there}.")
    if chosen[0].state != READY:
        raise not_ready(chosen[0].serial, chosen[0].state)
    return chosen[0]


@dataclass(frozen=True)
class Adb:
    """adb for one device. Running a command raises InputError where adb or the device fails."""

    program: str
    serial: str

    def command(self, *arguments: str) -> tuple[str, ...]:
        """The whole command line for `arguments`, such as `push FILE PATH`."""
        return (self.program, "-s", self.serial, *arguments)

    def run(self, command: Sequence[str], doing: str) -> str:
        """What `command` prints; `doing` says in the sentence of an error what it was for."""
        done = _run(command)
        if done.returncode:
            states = {device.serial: device.state for device in list_devices(self.program)}
            raise refused(self.serial, states.get(self.serial), doing, done.stdout + done.stderr)
        return done.stdout

    def shell(self, script: str, doing: str) -> str:
        """What a shell script prints on the device; its exit code is to be 0."""
        return self.run(self.command("shell", script), doing)


def open_device(serial: str | None) -> Adb:
    """adb for the device with `serial`, or for the only one. Raises InputError as its parts do."""
    program = find_adb()
    return Adb(program, choose_device(list_devices(program), serial).serial)


def _run(command: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command, capture_output=True, stdin=subprocess.DEVNULL, text=True, errors="replace"
    )
