"""Phones that are folders, behind a stand-in for `adb`."""

import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from folder_device import FolderDevice

from edgetune.cli import main

SERIAL = "38091FDJH00ABC"


@pytest.fixture
def phones(monkeypatch, tmp_path) -> Path:
    """The folder of phones, none yet, and the stand-in first on PATH."""
    folder, tools = tmp_path / "phones", tmp_path / "bin"
    folder.mkdir()
    tools.mkdir()
    command = shlex.join([sys.executable, "-S", str(Path(__file__).with_name("standin_adb.py"))])
    (tools / "adb").write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    (tools / "adb").chmod(0o755)
    monkeypatch.setenv("STANDIN_DEVICES", str(folder))
    monkeypatch.setenv("PATH", str(tools), prepend=":")
    for name in ("ANDROID_SERIAL", "ANDROID_HOME", "ANDROID_SDK_ROOT"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def phone(phones) -> FolderDevice:
    """One phone that is ready, with the app."""
    return FolderDevice.make(phones / SERIAL)


@pytest.fixture
def edgetune(monkeypatch, capsys) -> Callable[..., str]:
    """Runs a command line to the end: `edgetune("sideload", bundle, code=2)`.

    What it printed: with code 0 on standard output, else on standard error, one sentence.
    """

    def run(*arguments: object, code: int = 0) -> str:
        monkeypatch.setattr(sys, "argv", ["edgetune", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        assert (ended.value.code or 0) == code, printed.err
        if code:
            *progress, sentence = printed.err.splitlines()
            assert all(line.startswith(("Looking", "Pushing")) for line in progress), progress
            assert (sentence[:7], printed.out) == ("error: ", "")
            return sentence.removeprefix("error: ")
        return printed.out

    return run
