"""Sideloading: a phone gets what its engine needs, once, and never what looks like a bundle."""

import json
import shutil
from pathlib import Path

import pytest
from folder_device import FILES, FolderDevice

from edgetune.phone.app import folder_name
from edgetune_runtime.bundle import open_bundle, read_manifest
from edgetune_runtime.engines import open_engine
from edgetune_runtime.files import sha256_file, write_json
from edgetune_runtime.manifest import ANY

NAME = "home"
LARGEST = "onnx/model.onnx.data"


def needed(bundle: Path) -> set[str]:
    entries = read_manifest(bundle).files
    listed = {each.path for each in entries if each.needed_by in (ANY, "onnx")}
    return listed | {"manifest.json", "manifest.sha256"}


def files(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def pushed(phones: Path) -> list[str]:
    """What was pushed since the last look, by path in the bundle."""
    log = phones / "log"
    told = [json.loads(line) for line in log.read_text().splitlines()]
    log.unlink()
    return [each[4].partition(f"/incoming/{NAME}/")[2] for each in told if each[2:3] == ["push"]]


def retrained(bundle: Path, target: Path) -> tuple[Path, set[str]]:
    """The same bundle with a description changed, and the files that are others."""
    shutil.copytree(bundle, target)
    tools = target / "prompts.json"
    tools.write_bytes(tools.read_bytes() + b"\n")
    manifest = json.loads((target / "manifest.json").read_text())
    [entry] = [each for each in manifest["files"] if each["path"] == "prompts.json"]
    entry.update(bytes=tools.stat().st_size, sha256=sha256_file(tools))
    write_json(target / "manifest.json", manifest)
    digest = sha256_file(target / "manifest.json")
    (target / "manifest.sha256").write_text(f"{digest}  manifest.json\n")
    return target, {"prompts.json", "manifest.json", "manifest.sha256"}


def test_a_phone_gets_what_the_engine_needs(edgetune, phones, phone, tiny_bundle):
    result = json.loads(edgetune("sideload", tiny_bundle, "--engine", "onnx", "--json", "-"))
    there = phone.files / "bundles" / NAME
    assert set(files(there)) == needed(tiny_bundle)
    assert pushed(phones)[-2:] == ["manifest.sha256", "manifest.json"]
    assert not any((phone.files / "incoming").iterdir())
    open_engine(open_bundle(there), "onnx", threads=1)
    assert (phone.root / "started").read_text() == "start -n dev.edgetune.demo/.MainActivity\n"
    assert result["destination"].endswith(f"/dev.edgetune.demo/files/bundles/{NAME}")
    assert result["device"] == {"model": "Pixel 8", "android": "15", "abi": "arm64-v8a"}
    assert result["pushed_bytes"] == sum(each["bytes"] for each in result["files"])
    assert all(each["pushed"] for each in result["files"])
    assert result["kept_bytes"] == 0


def test_a_bundle_that_lies_there_is_not_pushed_again(edgetune, phones, phone, tiny_bundle):
    edgetune("sideload", tiny_bundle)
    pushed(phones)
    said = edgetune("sideload", tiny_bundle)
    assert "pushed 0 of" in said
    assert said.endswith(f"to take it in from /{FILES}/bundles/{NAME}\n")
    assert pushed(phones) == []
    assert len((phone.root / "started").read_text().splitlines()) == 2


def test_only_what_differs_is_pushed(edgetune, phones, phone, tiny_bundle, tmp_path):
    edgetune("sideload", tiny_bundle)
    there = phone.files / "bundles" / NAME
    (there / "left").mkdir()
    (there / "left" / "over.txt").write_text("of an earlier version")
    newer, others = retrained(tiny_bundle, tmp_path / "newer")
    pushed(phones)
    edgetune("sideload", newer)
    assert set(pushed(phones)) == others
    assert files(there) == {path: (newer / path).read_bytes() for path in needed(newer)}


def test_what_the_app_has_taken_in_is_not_pushed_again(
    edgetune, phones, phone, tiny_bundle, tmp_path
):
    edgetune("sideload", tiny_bundle)
    there = phone.files / "bundles" / NAME
    held = [f"{sha256_file(path)}  {path.name}" for path in there.rglob("*") if path.is_file()]
    shutil.rmtree(there)
    (phone.files / "held.sha256").write_text("\n".join(held) + "\n")
    pushed(phones)
    edgetune("sideload", tiny_bundle)
    assert pushed(phones) == []
    newer, others = retrained(tiny_bundle, tmp_path / "newer")
    edgetune("sideload", newer)
    assert set(pushed(phones)) == set(files(there)) == others


def test_a_dry_run_shows_the_commands_and_changes_nothing(edgetune, phones, phone, tiny_bundle):
    before = files(phone.root)
    shown = edgetune("sideload", tiny_bundle, "--dry-run")
    assert pushed(phones) == []
    assert files(phone.root) == before
    lines = shown.splitlines()
    assert sum(" push /" in line for line in lines) == len(needed(tiny_bundle))
    assert "am start" in lines[-2]
    assert "would push" in lines[-1]
    whole = json.loads(edgetune("sideload", tiny_bundle, "--json", "-"))["commands"]
    assert whole == lines[:-1]


def test_the_app_is_installed_and_opened_where_it_is_not_there(edgetune, phones, tiny_bundle):
    phone = FolderDevice.make(phones / "new")
    shutil.rmtree(phone.files)
    (phone.root / "installed").unlink()
    said = edgetune("sideload", tiny_bundle, code=2)
    assert "new: the app dev.edgetune.demo is not installed there; give --apk FILE" in said
    apk = phones.parent / "demo.apk"
    said = edgetune("sideload", tiny_bundle, "--apk", apk, code=2)
    assert said == f"--apk {apk}: no file is here; give the APK that was built."
    apk.touch()
    edgetune("sideload", tiny_bundle, "--apk", apk)
    assert set(files(phone.files / "bundles" / NAME)) == needed(tiny_bundle)
    assert len((phone.root / "started").read_text().splitlines()) == 2


def test_an_app_that_makes_no_folder_is_said(edgetune, phone, tiny_bundle):
    shutil.rmtree(phone.files)
    (phone.root / "locked").touch()
    said = edgetune("sideload", tiny_bundle, code=2)
    assert "when opening the app, whose folder is not there yet" in said
    assert not phone.files.exists()


@pytest.mark.parametrize(
    ("refusal", "told"),
    [
        ("INSTALL_FAILED_UPDATE_INCOMPATIBLE: signatures do not match", "'adb uninstall dev."),
        ("INSTALL_FAILED_NO_MATCHING_ABIS: Failed to extract", "build it for arm64-v8a and x86"),
        ("INSTALL_PARSE_FAILED_NOT_APK: bad", "(adb: failed to install"),
    ],
)
def test_an_app_that_android_refuses_is_one_sentence(edgetune, phone, tiny_bundle, refusal, told):
    apk = phone.root.parent.parent / "demo.apk"
    apk.touch()
    phone.set(refusal=refusal)
    assert told in edgetune("sideload", tiny_bundle, "--apk", apk, code=2)
    assert not (phone.files / "incoming").exists()


def test_a_pulled_cable_is_said_and_the_next_run_goes_on(edgetune, phones, phone, tiny_bundle):
    phone.set(cable_at=LARGEST)
    said = edgetune("sideload", tiny_bundle, code=2)
    assert said.startswith(f"38091FDJH00ABC: the connection was lost when pushing {LARGEST}; plug")
    assert said.endswith("run the same command again: it goes on where it stopped.")
    assert not (phone.files / "bundles").exists()
    first = pushed(phones)
    assert first[-1] == LARGEST
    assert edgetune("sideload", tiny_bundle, code=2).startswith("adb: no phone is connected")
    pushed(phones)
    phone.set(connected=True)
    edgetune("sideload", tiny_bundle)
    assert sorted(first[:-1] + pushed(phones)) == sorted(needed(tiny_bundle))
    assert set(files(phone.files / "bundles" / NAME)) == needed(tiny_bundle)


def test_an_update_that_breaks_off_is_no_bundle(edgetune, phones, phone, tiny_bundle, tmp_path):
    edgetune("sideload", tiny_bundle)
    newer, _ = retrained(tiny_bundle, tmp_path / "newer")
    phone.set(cable_at="/manifest.json")
    edgetune("sideload", newer, code=2)
    assert not (phone.files / "bundles" / NAME).exists()
    phone.set(connected=True)
    pushed(phones)
    edgetune("sideload", newer)
    assert pushed(phones) == ["manifest.json"]
    assert files(phone.files / "bundles" / NAME).keys() == needed(newer)


def test_empty_folders_that_a_pulled_cable_left_are_no_hindrance(
    edgetune, phone, tiny_bundle, tmp_path
):
    edgetune("sideload", tiny_bundle)
    (phone.files / "incoming" / NAME / "onnx").mkdir(parents=True)
    newer, _ = retrained(tiny_bundle, tmp_path / "newer")
    edgetune("sideload", newer)
    assert files(phone.files / "bundles" / NAME).keys() == needed(newer)


def test_a_file_that_arrived_otherwise_is_said_and_pushed_anew(
    edgetune, phones, phone, tiny_bundle
):
    phone.set(garbled=LARGEST)
    said = edgetune("sideload", tiny_bundle, code=2)
    assert f"{LARGEST} is another there than here (SHA-256 differs)" in said
    assert not (phone.files / "bundles").exists()
    pushed(phones)
    edgetune("sideload", tiny_bundle)
    assert pushed(phones) == [LARGEST]


def test_space_is_asked_for_what_is_to_be_pushed_alone(edgetune, phones, phone, tiny_bundle):
    phone.set(cable_at="/manifest.json")
    edgetune("sideload", tiny_bundle, code=2)
    phone.set(connected=True)
    size = (tiny_bundle / "manifest.json").stat().st_size
    (phone.root / "free").write_text(str(size // 1024 * 1024 - 1))
    said = edgetune("sideload", tiny_bundle, code=2)
    assert "0.0 MB free, expected 0.0 MB for what is to be pushed; free some there" in said
    (phone.root / "free").write_text(str((size // 1024 + 1) * 1024))
    edgetune("sideload", tiny_bundle)


def test_a_phone_that_is_full_in_the_middle_is_said(edgetune, phone, tiny_bundle):
    phone.set(full_at=LARGEST)
    said = edgetune("sideload", tiny_bundle, code=2)
    assert said.startswith("38091FDJH00ABC: has no space left; free some there and run the same")
    assert said.endswith(f"(when pushing {LARGEST}).")


def test_another_abi_is_refused(edgetune, phone, tiny_bundle):
    phone.set(abis="armeabi-v7a,armeabi")
    said = edgetune("sideload", tiny_bundle, code=2)
    assert "runs armeabi-v7a, armeabi, expected arm64-v8a or x86_64" in said
    phone.set(abis="x86_64,arm64-v8a")
    edgetune("sideload", tiny_bundle)


def test_a_bundle_is_checked_before_it_is_pushed(edgetune, phones, phone, tiny_bundle, tmp_path):
    bundle = shutil.copytree(tiny_bundle, tmp_path / "copy")
    (bundle / LARGEST).write_bytes(b"other")
    assert f"{bundle / LARGEST}: has 5 bytes" in edgetune("sideload", bundle, code=2)
    assert "executorch" in edgetune("sideload", tiny_bundle, "--engine", "executorch", code=2)
    assert pushed(phones) == []


def test_a_bundles_name_becomes_one_folder():
    assert folder_name("mine.v2-final_1") == "mine.v2-final_1"
    assert folder_name("../etc") == "_._etc"
    assert folder_name("zwölf töne") == "zw_lf_t_ne"
