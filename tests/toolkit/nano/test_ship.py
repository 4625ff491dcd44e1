"""Shipping puts the base and its checkpoint in place, or leaves everything as it was."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from edgetune.nano import ship as shipping
from edgetune_runtime.errors import InputError


@pytest.fixture
def run(
    tiny_checkpoint: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A finished pretraining; the package's base is in `tmp_path` and holds one old file."""
    shutil.copytree(tiny_checkpoint("qwen2"), tmp_path / "run" / "hf")
    monkeypatch.setattr(shipping, "PACKAGE_BASE", tmp_path / "base")
    for directory in ("base", "nano"):
        (tmp_path / directory).mkdir()
        (tmp_path / directory / "old").write_text("old")
    (tmp_path / "nano" / "model.safetensors").write_text("old")
    return tmp_path / "run"


def files(directory: Path) -> set[str]:
    return {file.name for file in directory.iterdir()}


def test_the_base_and_its_checkpoint_take_the_place_of_the_old_ones(
    run: Path, tmp_path: Path
) -> None:
    base = shipping.ship(run, tmp_path)
    assert base.directory == tmp_path / "base"
    assert base.name == "nano"
    assert "old" not in files(tmp_path / "base") | files(tmp_path / "nano")
    assert files(tmp_path / "nano") == files(run / "hf")


def test_a_base_that_is_too_large_replaces_nothing(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipping, "MOST_BYTES", 1000)
    with pytest.raises(InputError, match="at most 1000 may be shipped"):
        shipping.ship(run, tmp_path)
    assert files(tmp_path / "base") == {"old"}
    assert (tmp_path / "nano" / "model.safetensors").read_text() == "old"
    assert files(tmp_path) == {"base", "nano", "run"}


def test_what_is_no_checkpoint_stays(run: Path, tmp_path: Path) -> None:
    (tmp_path / "nano" / "model.safetensors").unlink()
    with pytest.raises(InputError, match="exists and is no checkpoint"):
        shipping.ship(run, tmp_path)
    assert files(tmp_path / "base") == files(tmp_path / "nano") == {"old"}


def test_a_run_without_a_model_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no model there"):
        shipping.ship(tmp_path, tmp_path)
