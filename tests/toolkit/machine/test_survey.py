"""What `edgetune doctor` tells: of packages, of what they are enough for, of the processor."""

import json
import subprocess
import sys
from importlib import metadata

import pytest

from edgetune.cli import main
from edgetune.machine import packages
from edgetune.machine import survey as surveyed
from edgetune.machine.packages import read_packages
from edgetune.machine.processor import free_memory, read_processor
from edgetune_export.lowering import targets
from edgetune_runtime.errors import InputError

REQUIRES = [
    "numpy>=2.0",
    'torch>=99; extra == "train"',
    'torch>=2.9; extra == "executorch"',
    'no-such-package>=1; extra == "train"',
    'windows-only; sys_platform == "nowhere" and extra == "train"',
    'pytest; extra == "dev"',
    'edgetune[train]; extra == "all"',
]


@pytest.fixture
def asked(monkeypatch):
    monkeypatch.setattr(metadata, "requires", lambda name: REQUIRES)


def doctor(monkeypatch) -> int:
    monkeypatch.setattr("sys.argv", ["edgetune", "doctor", "--json", "-"])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code or 0


def test_packages_are_held_against_what_is_asked_for(asked):
    found = {package.name: package for package in read_packages()}
    assert list(found) == ["numpy", "no-such-package", "torch"]
    assert found["numpy"].serves
    assert found["torch"].serves is False
    assert found["torch"].extras == ["train", "executorch"]
    assert found["no-such-package"].serves is None


def test_the_tested_version_is_told_from_others_but_not_from_its_builds(
    asked, monkeypatch, tmp_path
):
    pinned = tmp_path / "constraints.txt"
    pinned.write_text("# tested\nnumpy==2.4.6\ntorch==2.0.0\n")
    monkeypatch.setattr(packages, "shipped", lambda name: tmp_path / name)
    monkeypatch.setattr(metadata, "version", lambda name: "2.4.6+cpu")
    found = {package.name: package for package in read_packages()}
    assert found["numpy"].is_the_tested_one
    assert not found["torch"].is_the_tested_one
    pinned.unlink()
    assert {package.tested for package in read_packages()} == {None}


def test_a_version_that_edgetune_was_not_made_for_is_exit_code_1(asked, monkeypatch, capsys):
    assert doctor(monkeypatch) == 1
    told = json.loads(capsys.readouterr().out)
    (training, *_) = told["abilities"]
    assert training["missing"] == ["no-such-package"]
    assert training["install"] == "pip install 'edgetune[train]'"


def test_what_lacks_is_named_with_what_brings_it(monkeypatch, capsys):
    for module in (surveyed, targets):
        monkeypatch.setattr(module, "find_spec", lambda name: None)
    assert doctor(monkeypatch) == 0
    told = json.loads(capsys.readouterr().out)["abilities"]
    engines = {each["name"]: each for each in told if each["kind"] == "engine"}
    assert engines["executorch"]["missing"] == ["executorch", "torch"]
    assert engines["onnx"]["install"] == "pip install 'edgetune[onnx]'"
    lowered = [each["name"] for each in told if each["kind"] == "target"]
    assert lowered == list(targets.TARGETS)


def test_edgetune_that_is_not_installed_is_said(monkeypatch):
    def unknown(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "requires", unknown)
    with pytest.raises(InputError, match="is not installed"):
        read_packages()


@pytest.mark.parametrize(
    ("line", "sets", "bfloat16"),
    [
        ("flags\t\t: fpu avx avx2 fma", ("avx2",), False),
        ("flags\t\t: avx2 avx512f avx512_bf16", ("avx2", "avx512", "avx512_bf16"), True),
        ("Features\t: fp asimd asimddp i8mm", ("neon", "dotprod", "i8mm"), False),
        ("hardware : unknown", None, None),
    ],
)
def test_instruction_sets_are_those_that_matter(tmp_path, line, sets, bfloat16):
    cpuinfo = tmp_path / "cpuinfo"
    core = "processor : 0\nphysical id : 0\ncore id : {}\n{}\n\n"
    cpuinfo.write_text("".join(core.format(number, line) for number in (0, 0, 1)))
    found = read_processor(cpuinfo)
    assert (found.instructions, found.trains_in_bfloat16, found.cores) == (sets, bfloat16, 2)


def test_a_system_that_tells_nothing_is_no_error(tmp_path):
    found = read_processor(tmp_path / "none")
    assert (found.cores, found.instructions, found.trains_in_bfloat16) == (None, None, None)
    assert found.threads >= 1
    assert free_memory(tmp_path / "none") is None


def test_slow_training_is_noted(monkeypatch, tmp_path):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("flags : avx2\n")
    monkeypatch.setattr(surveyed, "read_processor", lambda: read_processor(cpuinfo))
    monkeypatch.setattr(surveyed, "_gpus", list)
    assert "bfloat16" in surveyed.survey()["notes"][0]
    monkeypatch.setattr(surveyed, "_gpus", lambda: ["a GPU"])
    assert surveyed.survey()["notes"] == []


def test_the_survey_needs_only_what_the_runtime_needs():
    program = (
        "import sys\n"
        "for name in ('torch', 'transformers', 'peft', 'yaml', 'onnxruntime', 'jsonschema'):\n"
        "    sys.modules[name] = None\n"
        "from edgetune.machine import survey\n"
        "survey._gpus = list\n"
        "survey.find_spec = lambda name: None\n"
        "survey.survey()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
