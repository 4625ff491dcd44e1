"""The app on the phone: names that it shares with a workstation. docs/phone.md tells them, and the
app's Kotlin has them, too."""

import re

PACKAGE = "dev.edgetune.demo"
ACTIVITY = f"{PACKAGE}/.MainActivity"

FILES = f"/sdcard/Android/data/{PACKAGE}/files"
"""The app's external files folder. The system makes it for the app, with rights by which the app
may read what adb writes there; a folder that adb made could be shut to the app."""

HELD = f"{FILES}/held.sha256"
"""The hashes of what the app has taken into its own folder, which nobody else may look into."""

PROFILE = f"{FILES}/profile.json"
"""What the app measured last."""

ABIS = ("arm64-v8a", "x86_64")
"""What the app has native libraries for."""


def folder_name(bundle: str) -> str:
    """A bundle's folder on the phone: letters, digits, `.`, `-` and `_`, no dot in front."""
    return re.sub(r"^\.|[^A-Za-z0-9._-]", "_", bundle)


def incoming(name: str) -> str:
    """Where a bundle lies while it is pushed; the app leaves this alone."""
    return f"{FILES}/incoming/{name}"


def arrived(name: str) -> str:
    """Where a bundle lies that came whole, for the app to take in."""
    return f"{FILES}/bundles/{name}"
