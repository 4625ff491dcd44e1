"""What adb, or the Android behind it, says when it fails, as one sentence that says what to do."""

import re

from edgetune.phone.app import ABIS, PACKAGE
from edgetune_runtime.errors import InputError

AGAIN = "run the same command again: it goes on where it stopped"

READY = "device"
"""The state of a device that takes commands, as adb calls it."""

_STATES = {
    "offline": "does not answer adb; unplug it, unlock it and plug it in again",
    "unauthorized": "has not allowed this computer; unlock it and accept 'Allow USB debugging?'",
    "authorizing": "has not allowed this computer yet; unlock it and accept 'Allow USB debugging?'",
    "no permissions": "may not be opened by this user; install udev rules (on Debian and Ubuntu: "
    "apt install android-sdk-platform-tools-common), join the group plugdev and plug it in again",
}

_LOST = re.compile(
    r"\bclosed\b|connection reset|device '.*' not found|disconnected|\bEOF\b|read copy response"
    r"|read from device|no devices|protocol fault|broken pipe",
    re.IGNORECASE,
)
"""What adb says where the cable was pulled, also when the device is back before one can look."""

_SIGNS = {
    "No space left on device": f"has no space left; free some there and {AGAIN}",
    "INSTALL_FAILED_INSUFFICIENT_STORAGE": f"has no space for the app; free some there and {AGAIN}",
    "INSTALL_FAILED_NO_MATCHING_ABIS": "has none of the ABIs that the APK is for; build it for "
    f"{' and '.join(ABIS)}",
    "INSTALL_FAILED_UPDATE_INCOMPATIBLE": "has the app with another signature; 'adb uninstall "
    f"{PACKAGE}' removes it with its bundles, then {AGAIN}",
    "INSTALL_FAILED_VERSION_DOWNGRADE": "has a newer version of the app; 'adb uninstall "
    f"{PACKAGE}' removes it with its bundles, then {AGAIN}",
    "INSTALL_FAILED_USER_RESTRICTED": "lets nobody install over USB; allow that in its developer "
    f"options, then {AGAIN}",
    "Permission denied": "lets nobody write there; open the app once, which makes its folder, then "
    f"{AGAIN}",
}
"""What to do, by what is said."""


def not_ready(serial: str, state: str) -> InputError:
    """The error for a device in another state than `READY`."""
    told = _STATES.get(state, f"is in state '{state}', expected a started Android; restart it")
    return InputError(f"{serial}: {told}, then {AGAIN}.")


def refused(serial: str, state: str | None, doing: str, said: str) -> InputError:
    """The error for what adb `said` when it failed at `doing`.

    `state` is the device's state afterwards, None where it is connected no more.
    """
    for sign, told in _SIGNS.items():
        if sign in said:
            return InputError(f"{serial}: {told} (when {doing}).")
    if state is None or _LOST.search(said):
        return InputError(
            f"{serial}: the connection was lost when {doing}; plug the cable in again and {AGAIN}."
        )
    if state != READY:
        return not_ready(serial, state)
    return InputError(
        f"{serial}: adb failed when {doing} ({reason(said)}); look what that is, then {AGAIN}."
    )


def reason(said: str) -> str:
    """The line of what adb `said` that tells what went wrong: `push` counts files behind it."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(("adb:", "error:"))]
    return (errors or lines or ["it said nothing"])[-1]
