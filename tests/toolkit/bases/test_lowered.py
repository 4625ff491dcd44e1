"""What `edgetune base` shows and clears of the lowered bases that exports keep."""

import json
import sys

import pytest

from edgetune.cli import main
from edgetune_export.bundle import write_bundle
from edgetune_export.run import open_run
from edgetune_runtime.bundle import open_bundle


def run(monkeypatch, *arguments) -> None:
    monkeypatch.setattr(sys, "argv", ["edgetune", "base", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code


def test_what_an_export_kept_is_listed_and_cleared(monkeypatch, capsys, tiny_run, tmp_path):
    monkeypatch.setenv("EDGETUNE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("EDGETUNE_CACHE_GB", "1")
    opened = open_run(tiny_run())
    write_bundle(opened, tmp_path / "bundle", ["onnx"])
    run(monkeypatch, "list", "--json", "-")
    (entry,) = json.loads(capsys.readouterr().out)["lowered"]
    assert (entry["base"], entry["target"]) == (opened.base.name, "onnx")
    assert entry["bytes"] > 10_000
    run(monkeypatch, "list")
    assert "edgetune base clear" in capsys.readouterr().out
    run(monkeypatch, "clear")
    assert "1 lowered bases removed" in capsys.readouterr().out
    run(monkeypatch, "list", "--json", "-")
    assert json.loads(capsys.readouterr().out)["lowered"] == []
    open_bundle(tmp_path / "bundle")  # whole as before
