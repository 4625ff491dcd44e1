"""The import rules of the design: packages import downward only, the runtime stays light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FLOORS = {
    "runtime_py/edgetune_runtime": {"edgetune_export", "edgetune"},
    "export/edgetune_export": {"edgetune"},
}
WORKSTATION_ONLY = (
    "torch",
    "transformers",
    "peft",
    "onnx",
    "optimum",
    "edgetune",
    "edgetune_export",
)


def imported_packages(file: Path) -> set[str]:
    """Top-level packages that a file imports anywhere, inside functions too."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("floor", FLOORS)
def test_packages_import_downward_only(floor):
    for file in (ROOT / floor).rglob("*.py"):
        assert not imported_packages(file) & FLOORS[floor], file


def test_runtime_imports_where_the_workstation_side_is_blocked():
    modules = [
        f"edgetune_runtime.{file.stem}"
        for file in (ROOT / "runtime_py/edgetune_runtime").glob("*.py")
        if file.stem not in ("__init__", "executorch_engine")  # its wheel passes torch tensors
    ]
    program = f"""
import importlib, sys
for name in {WORKSTATION_ONLY!r}:
    sys.modules[name] = None
for name in {modules!r}:
    importlib.import_module(name)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_help_does_not_import_the_heavy_libraries():
    program = (
        "import sys, edgetune.cli\n"
        "heavy = {'torch', 'transformers', 'peft', 'onnx', 'onnxruntime', 'matplotlib'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
