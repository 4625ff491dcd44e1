"""Processor, memory and disk, as the system tells them.

Knows no torch, so that it can be asked where nothing is installed yet. What is not told (outside of
Linux, most of it) is None.
"""

import os
import platform
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

_INSTRUCTIONS = {
    "avx2": "avx2",
    "avx512f": "avx512",
    "avx512_vnni": "avx512_vnni",
    "avx512_bf16": "avx512_bf16",
    "amx_int8": "amx_int8",
    "amx_bf16": "amx_bf16",
    "asimd": "neon",
    "asimddp": "dotprod",
    "i8mm": "i8mm",
    "bf16": "bf16",
}
"""What the engines' and torch's kernels look for: Linux' name and the common one."""
_BFLOAT16 = {"avx512_bf16", "amx_bf16"}
"""Those that training may multiply bfloat16 with (`precision` times it where there is no AMX)."""


@dataclass(frozen=True)
class Processor:
    """What computes where there is no GPU."""

    architecture: str
    threads: int
    """Hardware threads that this process may use."""
    cores: int | None
    """Physical cores of the machine."""
    instructions: tuple[str, ...] | None
    """The instruction sets that matter, of those that it has."""

    @property
    def trains_in_bfloat16(self) -> bool | None:
        """Whether it multiplies bfloat16 by itself: training takes several times as long else."""
        return None if self.instructions is None else bool(_BFLOAT16 & set(self.instructions))

    def as_json(self) -> dict[str, Any]:
        """The fields as one JSON object."""
        return asdict(self) | {"trains_in_bfloat16": self.trains_in_bfloat16}


def read_processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> Processor:
    """This machine's processor; `cpuinfo` is Linux' description of it."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    parts = [line.partition(":") for line in lines]
    entries = [(key.strip(), value.strip()) for key, _, value in parts]
    return Processor(platform.machine(), _threads(), _cores(entries), _instructions(entries))


def free_memory(meminfo: Path = Path("/proc/meminfo")) -> int | None:
    """Bytes that programs can still have without swapping; None where the system tells none."""
    try:
        lines = meminfo.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    kilobytes = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return int(kilobytes[0]) * 1024 if kilobytes else None


def free_disk(directory: Path) -> int:
    """Free bytes of the disk that holds `directory`."""
    return shutil.disk_usage(directory).free


def _threads() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cores(entries: list[tuple[str, str]]) -> int | None:
    """Distinct pairs of socket and core."""
    sockets = [value for key, value in entries if key == "physical id"]
    cores = [value for key, value in entries if key == "core id"]
    return len(set(zip(sockets, cores, strict=False))) or None


def _instructions(entries: list[tuple[str, str]]) -> tuple[str, ...] | None:
    for key, value in entries:
        if key in ("flags", "Features"):
            has = set(value.split())
            return tuple(name for flag, name in _INSTRUCTIONS.items() if flag in has)
    return None
