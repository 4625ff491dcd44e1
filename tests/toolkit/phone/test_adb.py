"""adb: found, and devices that take no commands, each in one sentence that says what to do."""

import pytest
from folder_device import FolderDevice

from edgetune.phone.adb import Adb, Device, find_adb, list_devices
from edgetune_runtime.errors import InputError

AGAIN = "then run the same command again: it goes on where it stopped."


def test_where_there_is_no_adb_it_is_said(edgetune, monkeypatch, tmp_path, tiny_bundle):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("ANDROID_HOME", raising=False)
    monkeypatch.delenv("ANDROID_SDK_ROOT", raising=False)
    said = edgetune("sideload", tiny_bundle, code=2)
    assert said.startswith("adb: not found on PATH or under $ANDROID_HOME; install Android's")


def test_adb_is_found_in_the_sdk(monkeypatch, tmp_path):
    adb = tmp_path / "sdk" / "platform-tools" / "adb"
    adb.parent.mkdir(parents=True)
    adb.touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("ANDROID_HOME", str(tmp_path / "sdk"))
    assert find_adb() == str(adb)


def test_devices_are_read_in_every_state(phones):
    states = {"A": "device", "B": "offline", "C": "unauthorized", "D": "no permissions"}
    for serial, state in states.items():
        FolderDevice.make(phones / serial, state=state)
    FolderDevice.make(phones / "E", connected=False)
    found = list_devices("adb")
    assert found[0] == Device("A", "device", "Pixel_8")
    assert {device.serial: device.state for device in found} == states


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ("offline", "does not answer adb; unplug it, unlock it and plug it in again"),
        ("unauthorized", "has not allowed this computer; unlock it and accept 'Allow USB debug"),
        ("authorizing", "has not allowed this computer yet; unlock it and accept"),
        ("no permissions", "may not be opened by this user; install udev rules (on Debian and"),
        ("recovery", "is in state 'recovery', expected a started Android; restart it"),
    ],
)
def test_a_device_that_is_not_ready_is_one_sentence(edgetune, phones, tiny_bundle, state, told):
    FolderDevice.make(phones / "A", state=state)
    for verb in (("sideload", tiny_bundle), ("profile", tiny_bundle, "--device")):
        said = edgetune(*verb, code=2)
        assert said.startswith(f"A: {told}")
        assert said.endswith(AGAIN)


def test_of_several_devices_one_is_asked_for(edgetune, phones, monkeypatch, tiny_bundle):
    FolderDevice.make(phones / "A")
    FolderDevice.make(phones / "emulator-5554", state="offline", model="sdk gphone64")
    said = edgetune("sideload", tiny_bundle, code=2)
    assert said == (
        "adb: found A (Pixel_8), emulator-5554 (offline), expected one device; say which with "
        "--serial."
    )
    said = edgetune("sideload", tiny_bundle, "--serial", "B", code=2)
    assert said.startswith("--serial B: is not connected, expected one of A (Pixel_8), emulator")
    monkeypatch.setenv("ANDROID_SERIAL", "emulator-5554")
    assert edgetune("sideload", tiny_bundle, code=2).startswith("emulator-5554: does not answer")
    assert "(A)" in edgetune("sideload", tiny_bundle, "--serial", "A", "--dry-run")


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ("offline", "A: does not answer adb"),
        ("unauthorized", "A: has not allowed this computer"),
        (None, "A: the connection was lost when looking; plug the cable in again"),
        ("device", "A: adb failed when looking (ls: cannot access"),
    ],
)
def test_a_command_that_fails_is_told_by_what_the_device_is_then(phones, state, told):
    FolderDevice.make(phones / "A", state=state, connected=state is not None)
    with pytest.raises(InputError) as refused:
        Adb("adb", "A").shell("ls /nowhere", "looking")
    assert str(refused.value).startswith(told)


def test_a_folder_that_may_not_be_written_to_is_told(phones):
    FolderDevice.make(phones / "A")
    with pytest.raises(InputError, match="open the app once, which makes its folder"):
        Adb("adb", "A").shell("echo 'mkdir: /x: Permission denied' >&2; exit 1", "making folders")


def test_a_server_that_does_not_start_is_told(monkeypatch, tmp_path):
    adb = tmp_path / "adb"
    adb.write_text("#!/bin/sh\necho 'error: cannot connect to daemon' >&2\nexit 1\n")
    adb.chmod(0o755)
    with pytest.raises(InputError, match=r"cannot connect to daemon\); run 'adb kill-server'"):
        list_devices(str(adb))
