"""A base is lowered once: what is kept is taken as long as all that it depends on is the same."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from edgetune_export.bundle import write_bundle
from edgetune_export.lowering import cache, onnx
from edgetune_export.lowering.chips import find_chips
from edgetune_export.lowering.targets import TARGETS, Wishes
from edgetune_export.run import open_run
from edgetune_export.verify.ladder import climb
from edgetune_runtime.errors import InputError
from edgetune_runtime.manifest import Target

WISHES = Wishes(4, {})


@pytest.fixture
def kept(tmp_path, monkeypatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("EDGETUNE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("EDGETUNE_CACHE_GB", "1")
    return tmp_path / "cache" / "lowered"


@pytest.fixture
def lowered(monkeypatch) -> list[str]:
    """The bases that are lowered to ONNX, in order; a stand-in writes two files."""
    calls: list[str] = []

    def lower(base, bundle, settings):
        calls.append(base.name)
        (bundle / "onnx" / "more").mkdir(parents=True)
        (bundle / "onnx" / "model.onnx").write_text(json.dumps(settings))
        (bundle / "onnx" / "more" / "data").write_bytes(bytes(1000))
        return Target(name="onnx", model="onnx/model.onnx", context_length=8, options=settings)

    monkeypatch.setattr(onnx, "lower", lower)
    return calls


def files(directory: Path) -> dict[str, bytes]:
    found = [path for path in directory.rglob("*") if path.is_file()]
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in found}


def test_a_second_export_lowers_nothing_and_gives_the_same_bundle(tiny_run, kept, tmp_path, capsys):
    run = open_run(tiny_run())
    write_bundle(run, tmp_path / "first" / "home", ["onnx"])
    assert "lowered before" not in capsys.readouterr().err
    write_bundle(run, tmp_path / "second" / "home", ["onnx"])
    assert "onnx: this base was lowered before" in capsys.readouterr().err
    assert files(tmp_path / "first") == files(tmp_path / "second")
    assert climb(tmp_path / "second" / "home").ok
    first, second = (tmp_path / at / "home/onnx/model.onnx" for at in ("first", "second"))
    assert first.stat().st_ino == second.stat().st_ino


def test_what_is_taken_is_what_was_lowered(tiny_base, kept, lowered, tmp_path):
    targets = [cache.lower("onnx", tiny_base(), tmp_path / at, WISHES) for at in "ab"]
    assert targets[0] == targets[1]
    assert files(tmp_path / "a") == files(tmp_path / "b")
    assert len(lowered) == 1
    (entry,) = cache.entries()
    assert (entry.target, entry.bytes) == ("onnx", 1000 + len(json.dumps(targets[0].options)))


def test_whatever_an_artifact_depends_on_is_another_entry(
    tiny_base, kept, lowered, tmp_path, monkeypatch
):
    def lower(base, wishes=WISHES):
        before = len(lowered)
        place = tmp_path / str(len(list(tmp_path.iterdir())))
        cache.lower("onnx", base, place, wishes)
        return len(lowered) > before

    base = tiny_base()
    assert lower(base)
    assert not lower(base, Wishes(64, {}))  # ONNX takes adapters of any rank
    assert lower(base, replace(WISHES, int8_activations=True))
    assert lower(tiny_base("llama"))
    monkeypatch.setattr(cache, "version", lambda package: f"{package} of tomorrow")
    assert lower(base)


@pytest.mark.parametrize("file", ["config.json", "tokenizer.json", "generation_config.json"])
def test_a_base_with_another_configuration_is_another_entry(
    tiny_base, kept, lowered, tmp_path, file
):
    cache.lower("onnx", tiny_base(), tmp_path / "a", WISHES)
    other = type(tiny_base())(shutil.copytree(tiny_base().directory, tmp_path / "other"))
    cache.lower("onnx", other, tmp_path / "b", WISHES)
    assert len(lowered) == 1
    with (other.directory / file).open("a") as changed:
        changed.write("\n")
    cache.lower("onnx", other, tmp_path / "c", WISHES)
    assert len(lowered) == 2


def test_settings_are_what_a_target_fixes(tiny_base):
    base, chips = tiny_base(), find_chips(["sm8650", "sm8550"])
    wishes = Wishes(4, chips)
    told = {name: dict(each.settings(base, wishes)) for name, each in TARGETS.items()}
    assert told == {
        "onnx": {"accuracy_level": 0},
        "executorch": {"max_rank": 64},
        "qnn": {"socs": ["sm8650", "sm8550"], "rank": 4},
        "coreml": {"rank": 4},
        "vulkan": {"rank": 4},
    }
    assert TARGETS["executorch"].settings(base, Wishes(96, {})) == {"max_rank": 96}


def cut(entry: Path) -> None:
    (entry / "onnx/model.onnx").write_text("")


def lose(entry: Path) -> None:
    (entry / "onnx/more/data").unlink()


def add(entry: Path) -> None:
    (entry / "onnx/strange").write_text("x")


def scribble(entry: Path) -> None:
    (entry / "entry.json").write_text("[1, 2")


@pytest.mark.parametrize("damage", [cut, lose, add, scribble])
def test_a_damaged_entry_is_made_again(tiny_base, kept, lowered, tmp_path, damage, capsys):
    cache.lower("onnx", tiny_base(), tmp_path / "a", WISHES)
    wanted = files(tmp_path / "a")
    (entry,) = kept.iterdir()
    shutil.rmtree(tmp_path / "a")  # it shares the files
    damage(entry)
    assert [each.target for each in cache.entries()] == ["onnx"]
    cache.lower("onnx", tiny_base(), tmp_path / "b", WISHES)
    assert "is damaged" in capsys.readouterr().err
    cache.lower("onnx", tiny_base(), tmp_path / "c", WISHES)
    assert len(lowered) == 2
    assert files(tmp_path / "b") == files(tmp_path / "c") == wanted


def test_what_was_used_longest_ago_makes_room(tiny_base, kept, lowered, tmp_path, monkeypatch):
    families = ["qwen2", "llama", "qwen3"]

    def lower(at, family):
        cache.lower("onnx", tiny_base(family), tmp_path / at, WISHES)
        for age, entry in enumerate(reversed(cache.entries())):
            os.utime(entry.path / "entry.json", (10**9 - age, 10**9 - age))

    monkeypatch.setenv("EDGETUNE_CACHE_GB", "2.5e-6")  # two of them
    for family in families:
        lower(family, family)
    assert len(cache.entries()) == 2
    lower("again", "llama")
    assert len(lowered) == 3
    lower("first", "qwen2")
    assert len(lowered) == 4
    lower("kept", "llama")  # it was used after qwen3
    assert len(lowered) == 4


def test_an_artifact_larger_than_the_limit_is_not_kept(
    tiny_base, kept, lowered, tmp_path, monkeypatch
):
    monkeypatch.setenv("EDGETUNE_CACHE_GB", "5e-7")
    cache.lower("onnx", tiny_base(), tmp_path / "a", WISHES)
    assert cache.entries() == []
    assert len(files(tmp_path / "a")) == 2


@pytest.mark.parametrize("limit", ["many", "-1", "nan"])
def test_a_limit_that_is_no_number_is_refused_before_the_work(
    tiny_base, kept, lowered, tmp_path, monkeypatch, limit
):
    monkeypatch.setenv("EDGETUNE_CACHE_GB", limit)
    with pytest.raises(InputError, match=f"EDGETUNE_CACHE_GB: found '{limit}', expected gigabytes"):
        cache.lower("onnx", tiny_base(), tmp_path / "a", WISHES)
    assert lowered == []


def test_a_cache_that_cannot_be_written_ends_no_export(
    tiny_base, kept, lowered, tmp_path, monkeypatch, capsys
):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("EDGETUNE_CACHE", str(tmp_path / "file"))
    cache.lower("onnx", tiny_base(), tmp_path / "a", WISHES)
    assert len(files(tmp_path / "a")) == 2
    assert "is not kept" in capsys.readouterr().err


def test_an_export_that_fails_leaves_nothing(tiny_base, kept, tmp_path, monkeypatch):
    def fail(base, bundle, settings):
        (bundle / "onnx").mkdir(parents=True)
        (bundle / "onnx" / "half").write_text("x")
        raise InputError("the compiler refuses.")

    monkeypatch.setattr(onnx, "lower", fail)
    with pytest.raises(InputError, match="refuses"):
        cache.lower("onnx", tiny_base(), tmp_path / "a", WISHES)
    assert cache.entries() == []


def test_entries_are_cleared(tiny_base, kept, lowered, tmp_path):
    assert (cache.entries(), cache.clear()) == ([], [])
    for family in ("qwen2", "llama"):
        cache.lower("onnx", tiny_base(family), tmp_path / family, WISHES)
    (kept / ".onnx-half").mkdir()  # of an export that was killed
    found = cache.entries()
    assert len(found) == 2
    assert cache.clear() == found
    assert (cache.entries(), kept.exists()) == ([], False)
    assert len(files(tmp_path / "llama")) == 2


def test_the_tests_leave_the_users_cache_alone():
    assert os.environ["EDGETUNE_CACHE_GB"] == "0"
    assert not Path(os.environ["EDGETUNE_CACHE"]).is_relative_to(Path.home() / ".cache")
