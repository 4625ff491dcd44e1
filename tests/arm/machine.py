"""A 64-bit ARM machine for tests: qemu's user emulation, a Debian Python and PyPI's ARM wheels.

Nothing is installed on this machine: packages are fetched and unpacked into a folder, which later
runs find again.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
EMULATOR = "usr/bin/qemu-aarch64-static"
PYTHON = "usr/bin/python3.11"
DEBIAN = [
    "python3.11-minimal",
    "libpython3.11-minimal",
    "libpython3.11-stdlib",
    "libc6",
    "libstdc++6",
    "libgcc-s1",
    "zlib1g",
    "libexpat1",
    "libffi8",
    "libssl3",
    "libbz2-1.0",
    "liblzma5",
    "libuuid1",
    "libsqlite3-0",
]
RUNTIME = [
    "numpy",
    "safetensors",
    "pydantic",
    "pydantic_core",
    "annotated_types",
    "typing_extensions",
    "typing_inspection",
    "rich",
    "typer",
    "tokenizers",
    "onnxruntime",
    "flatbuffers",
    "packaging",
    "protobuf",
]
EXECUTORCH = [
    "executorch==1.1.0",
    "torch==2.10.0",
    "filelock",
    "fsspec",
    "jinja2",
    "markupsafe",
    "mpmath",
    "networkx",
    "pyyaml",
    "ruamel.yaml",
    "sympy",
    "tabulate",
]
"""The tested ExecuTorch wants a torch whose ARM wheel on PyPI wants CUDA's libraries. The last one
without is torch 2.10, and ExecuTorch 1.1 is what goes with it."""
PLATFORMS = ("manylinux_2_28_aarch64", "manylinux2014_aarch64", "manylinux_2_17_aarch64")

CPUINFO = """processor\t: 0
BogoMIPS\t: 50.00
Features\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x1
CPU part\t: 0xd0c
CPU revision\t: 1

"""
"""What ONNX Runtime looks for; the emulator would show this machine's own."""


class Unavailable(Exception):
    """A package cannot be had here."""


class ArmMachine:
    """Python with the runtime's packages on emulated ARM, in the folder `place`."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self._root = place / "root"
        self._once("python", self._fetch_python)
        self._once("site", lambda: self._install(RUNTIME, "site", pinned=True))
        # Torch's wheel has what it was tested with, not what constraints.txt has.
        self._once("executorch", lambda: self._install(EXECUTORCH, "executorch", pinned=False))

    def _once(self, part: str, make: Callable[[], None]) -> None:
        marker = self.place / f"{part}.made"
        if not marker.exists():
            make()
            marker.touch()

    def python(self, *arguments: str, timeout: float) -> str:
        """Run Python with `arguments` there; its output."""
        emulator = str(self.place / "emulator" / EMULATOR)
        command = [emulator, "-L", str(self._root), str(self._root / PYTHON), *arguments]
        path = f"{self.place / 'site'}:{self.place / 'executorch'}:{ROOT / 'runtime_py'}"
        environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": ""}
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=timeout
        )
        assert done.returncode == 0, done.stderr[-4000:]
        return done.stdout

    def _fetch_python(self) -> None:
        """The emulator for this machine, and what Python needs for the other one."""
        unpack_debian(["qemu-user-static"], self.place / "emulator", self.place / "apt-here", None)
        unpack_debian(DEBIAN, self._root, self.place / "apt-arm", "arm64")
        (self._root / "proc").mkdir(exist_ok=True)
        (self._root / "proc" / "cpuinfo").write_text(CPUINFO)

    def _install(self, packages: Sequence[str], folder: str, pinned: bool) -> None:
        platforms = [option for name in PLATFORMS for option in ("--platform", name)]
        wheels = ["--only-binary=:all:", "--python-version", "3.11", "--implementation", "cp"]
        where = ["--target", str(self.place / folder), "--upgrade"]
        versions = ["-c", str(ROOT / "constraints.txt")] if pinned else []
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
        _run([*pip, *wheels, *platforms, *where, *versions, *packages])


def unpack_debian(
    packages: Sequence[str], target: Path, state: Path, architecture: str | None
) -> None:
    """Fetch Debian packages with lists of our own, and unpack them into `target`."""
    debs = state / "debs"
    for folder in (debs, state / "lists" / "partial", state / "cache" / "archives" / "partial"):
        folder.mkdir(parents=True, exist_ok=True)
    options = [f"Dir::State={state}", f"Dir::Cache={state / 'cache'}", "APT::Sandbox::User=root"]
    if architecture is not None:
        options += [f"APT::Architecture={architecture}", f"APT::Architectures={architecture}"]
        options += ["Dir::State::status=/dev/null"]
    given = [word for option in options for word in ("-o", option)]
    _run(["apt-get", *given, "-qq", "update"])
    _run(["apt-get", *given, "-qq", "download", *packages], cwd=debs)
    for deb in sorted(debs.glob("*.deb")):
        _run(["dpkg", "-x", str(deb), str(target)])


def _run(command: list[str], cwd: Path | None = None) -> None:
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=900)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{command[0]}: {error}") from error
    if done.returncode:
        raise Unavailable(f"{' '.join(command[:2])}: {done.stderr.strip()[-500:]}")
