"""A target is one file and one line: everything else follows from the table."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edgetune.cli import main
from edgetune_export.bundle import write_bundle
from edgetune_export.listing import write_manifest
from edgetune_export.lowering.targets import TARGETS, Lowering
from edgetune_export.run import open_run
from edgetune_export.verify.ladder import climb
from edgetune_runtime.bundle import open_bundle
from edgetune_runtime.engines import open_engine
from edgetune_runtime.manifest import Target

FILE = """
from edgetune_runtime.errors import BundleError
from edgetune_runtime.manifest import Target


def settings(base, wishes):
    return {"rank": wishes.largest_rank}


def lower(base, bundle, settings):
    (bundle / "madeup").mkdir()
    (bundle / "madeup" / "model.bin").write_text(base.name)
    return Target(name="madeup", model="madeup/model.bin", context_length=9, options=settings)


def check(model, manifest):
    if model.read_text() != manifest.base.name:
        raise BundleError(f"{model}: is of another base; export the bundle again.")
    return "of this base"
"""

LINE = Lowering(
    module="madeup_lowering",
    silicon="nothing",
    extra="export",
    packages=(),
    verified="this test",
)


@pytest.fixture
def madeup(tmp_path, monkeypatch):
    """A target as somebody adds it: a file, and a line of the table."""
    (tmp_path / "madeup_lowering.py").write_text(FILE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(TARGETS, "madeup", LINE)
    yield
    sys.modules.pop("madeup_lowering", None)


def run(monkeypatch, *arguments) -> int:
    monkeypatch.setattr(sys, "argv", ["edgetune", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code or 0


def test_a_new_target_is_exported_opened_and_verified(madeup, tiny_run, tmp_path):
    write_bundle(open_run(tiny_run()), tmp_path / "bundle", ["madeup"])
    bundle = open_bundle(tmp_path / "bundle")
    [target] = bundle.manifest.targets
    assert (target.name, target.options) == ("madeup", {"rank": 4})
    assert (tmp_path / "bundle" / target.model).read_text() == "tiny"
    result = climb(tmp_path / "bundle").as_json()
    assert result["ok"]
    assert {"name": "madeup: structure", "ok": True, "detail": "of this base"} in result["checks"]


def test_the_command_line_lists_a_new_target(madeup, monkeypatch, capsys, tmp_path):
    assert run(monkeypatch, "targets", "--json", "-") == 0
    found = json.loads(capsys.readouterr().out)["targets"]
    assert [entry["verified"] for entry in found if entry["target"] == "madeup"] == ["this test"]
    assert run(monkeypatch, "export", tmp_path, "-o", tmp_path / "b", "--target", "other") == 2
    error = capsys.readouterr().err
    assert "--target other: unknown, expected one of onnx, " in error
    assert error.endswith(", madeup.\n")


def test_the_help_of_export_names_what_the_table_has():
    program = (
        "from edgetune_export.lowering.targets import TARGETS\n"
        "TARGETS['madeup'] = TARGETS['onnx']\n"
        "from edgetune.cli import app\n"
        "app(['export', '--help'])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    for name in (*TARGETS, "madeup"):
        assert name in done.stdout


def test_a_target_that_only_a_newer_edgetune_has_is_left_alone(tiny_bundle, tmp_path):
    path = Path(shutil.copytree(tiny_bundle, tmp_path / "bundle"))
    manifest = open_bundle(path).manifest
    newer = manifest.targets[0].model_copy(update={"name": "newer"})
    for file in ("manifest.json", "manifest.sha256"):
        (path / file).unlink()
    write_manifest(path, manifest.model_copy(update={"targets": (newer, *manifest.targets)}))
    assert open_engine(open_bundle(path), threads=1).name == "onnx"
    failed = {
        each["name"]: each["detail"] for each in climb(path).as_json()["checks"] if not each["ok"]
    }
    assert set(failed) == {"newer: structure"}
    assert "target 'newer' is none of onnx, executorch" in failed["newer: structure"]


def test_a_target_is_no_path(tiny_bundle):
    target = open_bundle(tiny_bundle).manifest.targets[0]
    with pytest.raises(ValueError, match="pattern"):
        Target.model_validate({**target.model_dump(), "name": "../out"})
