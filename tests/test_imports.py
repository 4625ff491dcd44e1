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
    "mcp",
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


ROOMS = {
    "toolkit/edgetune/invent": ("edgetune.nano", "edgetune.data", "edgetune.train"),
    "toolkit/edgetune/data": ("edgetune.nano", "edgetune.train", "edgetune.generate"),
    "toolkit/edgetune/generate": ("edgetune.nano", "edgetune.train", "edgetune.evaluate"),
    "toolkit/edgetune/tools": ("edgetune.agents", "edgetune.data", "edgetune.cli"),
    "toolkit/edgetune/agents": ("edgetune.data", "edgetune.train", "edgetune.cli"),
    "toolkit/edgetune/nano": ("edgetune.train", "edgetune.data", "edgetune.evaluate"),
    "toolkit/edgetune/machine": ("edgetune.train", "edgetune.nano", "edgetune.data"),
    "export/edgetune_export/grammar": ("edgetune_export.prompts", "edgetune_export.weights"),
    "export/edgetune_export/prompts": ("edgetune_export.weights", "edgetune_export.lowering"),
    "export/edgetune_export/weights": ("edgetune_export.lowering", "edgetune_export.verify"),
    "export/edgetune_export/lowering": ("edgetune_export.verify", "edgetune_export.bundle"),
}
"""A room, and those that it must not lean on."""


def imported_modules(file: Path) -> set[str]:
    """Full names of the modules that a file imports anywhere."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_lean_on_none_that_stands_on_them(room):
    files = list((ROOT / room).rglob("*.py"))
    assert len(files) > 3
    for file in files:
        for name in imported_modules(file):
            assert not any(f"{name}.".startswith(f"{other}.") for other in ROOMS[room]), (
                file,
                name,
            )


def test_assets_import_where_torch_and_transformers_are_blocked():
    blocked = ("torch", "transformers", "peft", "onnx", "optimum", "onnxruntime", "edgetune")
    program = f"""
import sys
for name in {blocked!r}:
    sys.modules[name] = None
import edgetune_export.assets, edgetune_export.golden
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


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
        "heavy = {'torch', 'transformers', 'peft', 'onnx', 'onnxruntime', 'matplotlib', 'mcp'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
