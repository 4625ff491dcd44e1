"""Debian's own adb: without a device, and with one that is a folder behind adb's real protocol.

Fetched without root, as `make test-arm` fetches its machine; skipped where it cannot be had.
"""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from adb_daemon import Daemon
from folder_device import FolderDevice
from machine import Unavailable, unpack_debian

from edgetune.phone.adb import list_devices
from edgetune_runtime.bundle import read_manifest
from edgetune_runtime.files import replaced_directory
from edgetune_runtime.manifest import ANY

pytestmark = pytest.mark.slow

DEBIAN = [
    "adb",
    "android-libbase",
    "android-libboringssl",
    "android-libcutils",
    "android-liblog",
    "libusb-1.0-0",
]
USER = Path.home()


@pytest.fixture(scope="module")
def script(tmp_path_factory) -> str:
    """A shell script that is adb: the installed one, or one that was fetched once."""
    if installed := shutil.which("adb"):
        return f'exec {installed} "$@"'
    place = Path(os.environ.get("EDGETUNE_ADB", USER / ".cache" / "edgetune" / "adb"))
    if not place.exists():
        try:
            with replaced_directory(place) as fresh:  # whole: other workers look for it, too
                unpack_debian(DEBIAN, fresh, tmp_path_factory.mktemp("apt"), None)
        except Unavailable as error:
            pytest.skip(f"adb cannot be had here: {error}")
    libraries = place / "usr" / "lib"
    (own,) = libraries.glob("*-linux-gnu/android")
    program = libraries / "android-sdk" / "platform-tools" / "adb"
    return f'LD_LIBRARY_PATH="{own}:{own.parent}" exec "{program}" "$@"'


@pytest.fixture
def adb(script, monkeypatch, tmp_path) -> Iterator[None]:
    """adb first on PATH, with a server, a home and keys of its own."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "adb").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "bin" / "adb").chmod(0o755)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(port))
    monkeypatch.delenv("ANDROID_SERIAL", raising=False)
    yield
    subprocess.run(["adb", "kill-server"], capture_output=True, check=True)


@pytest.fixture
def phone(tmp_path) -> FolderDevice:
    return FolderDevice.make(tmp_path / "phone")


@pytest.fixture
def serial(adb, phone) -> Iterator[str]:
    """The phone is connected."""
    daemon = Daemon(phone)
    daemon.start()
    connect(daemon.serial)
    yield daemon.serial
    daemon.close()


def connect(serial: str) -> None:
    for _ in range(50):
        subprocess.run(["adb", "connect", serial], capture_output=True, check=True)
        if any(each.serial == serial and each.state == "device" for each in list_devices("adb")):
            return
        time.sleep(0.2)
    pytest.fail("adb does not connect")


def needed(bundle: Path) -> set[str]:
    entries = read_manifest(bundle).files
    listed = {each.path for each in entries if each.needed_by in (ANY, "onnx")}
    return listed | {"manifest.json", "manifest.sha256"}


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_without_a_device_it_is_said(edgetune, adb, tiny_bundle):
    for verb in (("sideload", tiny_bundle), ("profile", tiny_bundle, "--device")):
        assert edgetune(*verb, code=2).startswith("adb: no phone is connected; plug one in")


def test_a_bundle_goes_through_the_real_protocol(edgetune, serial, phone, tiny_bundle):
    assert "pushed 17 of 17 files" in edgetune("sideload", tiny_bundle)
    assert files(phone.files / "bundles" / "home") == needed(tiny_bundle)
    assert "pushed 0 of 17 files" in edgetune("sideload", tiny_bundle, "--serial", serial)


def test_an_app_is_installed(edgetune, serial, phone, tiny_bundle, tmp_path):
    (phone.root / "installed").unlink()
    (tmp_path / "demo.apk").write_bytes(b"PK")
    edgetune("sideload", tiny_bundle, "--apk", tmp_path / "demo.apk")
    assert files(phone.files / "bundles" / "home") == needed(tiny_bundle)


def test_a_full_phone_is_said(edgetune, serial, phone, tiny_bundle):
    phone.set(full_at="model.onnx.data")
    said = edgetune("sideload", tiny_bundle, code=2)
    assert said.startswith(f"{serial}: has no space left; free some there and run the same")


def test_a_pulled_cable_is_said_and_the_next_run_goes_on(edgetune, serial, phone, tiny_bundle):
    phone.set(cable_at="model.onnx.data")
    said = edgetune("sideload", tiny_bundle, code=2)
    assert said.startswith(
        f"{serial}: the connection was lost when pushing onnx/model.onnx.data; plug the cable in"
    )
    assert not (phone.files / "bundles").exists()
    phone.set(connected=True)
    connect(serial)
    assert "pushed 17" not in edgetune("sideload", tiny_bundle)
    assert files(phone.files / "bundles" / "home") == needed(tiny_bundle)
