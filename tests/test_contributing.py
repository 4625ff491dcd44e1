"""CONTRIBUTING.md tells the truth: one request's files, and the places where things are added."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
PACKAGES = ("toolkit/edgetune", "export/edgetune_export", "runtime_py/edgetune_runtime")

TRACED = """
import sys
from edgetune.cli import main

files = set()

def called(frame, event, _argument):
    code = frame.f_code
    if event == "call" and code.co_name != "<module>" and "/edgetune" in code.co_filename:
        files.add(code.co_filename)

sys.argv = ["edgetune", "run", sys.argv[1], "wake me at 7", "--threads", "1", "--json", "-"]
sys.setprofile(called)
try:
    main()
finally:
    sys.setprofile(None)
    print(*files, sep="\\n", file=sys.stderr)
"""


def section(title: str) -> str:
    return TEXT.split(f"## {title}")[1].split("\n## ")[0]


def test_a_request_passes_through_the_files_that_are_listed(tiny_bundle):
    command = [sys.executable, "-c", TRACED, str(tiny_bundle)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    passed = {
        Path(line).relative_to(ROOT / package).with_suffix("").as_posix()
        for line in done.stderr.splitlines()
        for package in PACKAGES
        if line.startswith(str(ROOT / package) + "/")
    }
    told = section("One request's way")
    assert passed <= set(re.findall(r"`([a-z_/]+)`", told))
    assert f"{len(passed)} files" in told


def test_what_is_named_is_there():
    names = re.findall(r"`([a-z_]+(?:/[a-z_]+)*\.py)`", section("Working on it"))
    assert len(names) > 5
    for name in names:
        assert any((ROOT / package / name).is_file() for package in PACKAGES), name
    for package in PACKAGES:
        rooms = {path.parent.name for path in (ROOT / package).glob("*/__init__.py")}
        assert rooms <= set(re.findall(r"([a-z_]+)/", section("The house"))), package
