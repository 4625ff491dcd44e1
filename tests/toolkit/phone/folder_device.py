"""A phone that is a folder: its files, its properties, and a shell in which Android's commands are
what they print there. Standard library alone: the stand-in for adb starts it for each command.

Space is counted when files are pushed; that a file takes another's place is not.
"""

import errno
import json
import os
import subprocess
from pathlib import Path

PACKAGE = "dev.edgetune.demo"
FILES = f"sdcard/Android/data/{PACKAGE}/files"

PRELUDE = """\
getprop() {
  case $1 in
    ro.product.model) echo "$MODEL" ;;
    ro.build.version.release) echo 15 ;;
    ro.product.cpu.abilist) echo "$ABIS" ;;
  esac
}
pm() {
  case $1 in
    path)
      [ -f "$ROOT/installed" ] || return 1
      echo "package:/data/app/~~q==/dev.edgetune.demo-1/base.apk" ;;
    install)
      touch "$ROOT/installed"; echo Success ;;
  esac
}
am() {
  echo "Starting: Intent { cmp=$3 }"
  [ -f "$ROOT/installed" ] || { echo "Error type 3"; return 0; }
  echo "$*" >> "$ROOT/started"
  [ -f "$ROOT/locked" ] || mkdir -p "$ROOT/$FILES"
}
df() {
  echo "Filesystem      1K-blocks     Used Available Use% Mounted on"
  echo "/dev/fuse       112107500 12107500 $(($(cat "$ROOT/free") / 1024))  11% /storage/emulated"
}
sleep() { :; }
"""


class FolderDevice:
    """The phone in the folder `root`; `device.json` there says what it is and what fails."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def make(cls, root: Path, **about) -> "FolderDevice":
        """A phone on which the app was opened once, with space for 100 MB."""
        (root / FILES).mkdir(parents=True)
        (root / "free").write_text("100000000")
        (root / "installed").touch()
        device = cls(root)
        usual = {"state": "device", "model": "Pixel 8", "abis": "arm64-v8a", "connected": True}
        device.set(**{**usual, **about})
        return device

    def set(self, **about) -> None:
        """Make it say, or fail, otherwise."""
        (self.root / "device.json").write_text(json.dumps({**self.about, **about}))

    @property
    def about(self) -> dict:
        file = self.root / "device.json"
        return json.loads(file.read_text()) if file.exists() else {}

    @property
    def files(self) -> Path:
        """The app's folder."""
        return self.root / FILES

    def here(self, path: str) -> Path:
        """Where the phone's file `path` lies in truth."""
        return self.root / path.lstrip("/")

    def shell(self, script: str) -> tuple[int, str, str]:
        """Exit code, standard output and standard error of a script, as the phone tells them."""
        script = script.replace("/sdcard", f"{self.root}/sdcard")
        script = script.replace("/data/local/tmp", f"{self.root}/data/local/tmp")
        words = {"ROOT": str(self.root), "FILES": FILES}
        words |= {"MODEL": self.about["model"], "ABIS": self.about["abis"]}
        done = subprocess.run(
            ["sh", "-c", PRELUDE + script], env=os.environ | words, capture_output=True, text=True
        )
        told = (said.replace(str(self.root), "") for said in (done.stdout, done.stderr))
        return done.returncode, *told

    def write(self, path: str, content: bytes) -> None:
        """Write a file as adbd does: into place, and away with it where it fails."""
        free = int((self.root / "free").read_text()) - len(content)
        if free < 0 or path.endswith(self.about.get("full_at", "\0")):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        (self.root / "free").write_text(str(free))
        if path.endswith(self.about.get("garbled", "\0")):
            content = content[:-1] + bytes([content[-1] ^ 1])
            self.set(garbled="\0")
        self.here(path).parent.mkdir(parents=True, exist_ok=True)
        self.here(path).write_bytes(content)

    def cable_is_pulled(self, path: str, content: bytes) -> bool:
        """Whether that happens while this file is written, of which half is there then."""
        if not path.endswith(self.about.get("cable_at", "\0")):
            return False
        self.here(path).parent.mkdir(parents=True, exist_ok=True)
        self.here(path).write_bytes(content[: len(content) // 2])
        self.set(connected=False, cable_at="\0")
        return True
