"""What happened, one JSON object a line, on disk before anything else happens.

A line is a message as OpenAI has them, with what is known of it beside, or the end of an answer.
`edgetune data import transcript` makes records of it. Secrets stand in none.
"""

import json
import os
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TextIO

from edgetune.agents.secrets import Secrets
from edgetune_runtime.errors import InputError

CONVERSATION = "conversation"
"""The key that every line has: which conversation it belongs to."""


class Transcript:
    """One conversation, appended to a file. Raises InputError for a file of something else."""

    def __init__(self, path: Path, secrets: Mapping[str, str]) -> None:
        self._secrets = Secrets(secrets)
        self._id = uuid.uuid4().hex
        if path.exists() and not is_transcript(path):
            raise InputError(
                f"{path}: is there already and holds something else, to which no transcript is "
                "appended; choose another place."
            )
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file: TextIO = path.open("a", encoding="utf-8", errors="backslashreplace")
        except OSError as error:
            raise InputError(
                f"{path}: cannot be written ({error.strerror}); choose another place."
            ) from error

    def write(self, line: Mapping[str, Any]) -> None:
        """Append one line; it is on the disk when this returns."""
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        whole = {CONVERSATION: self._id, "time": now, **line}
        self._file.write(self._secrets.hide(json.dumps(whole, ensure_ascii=False)) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()


def is_transcript(path: Path) -> bool:
    """Whether `path` is empty or begins as a transcript does."""
    try:
        with path.open(encoding="utf-8") as file:
            first = file.readline()
        return not first or CONVERSATION in json.loads(first)
    except (OSError, ValueError, TypeError):
        return False
