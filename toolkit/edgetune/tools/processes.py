"""The processes of a server: started as a group of their own, of which nothing stays behind.

The MCP library ends a server that does not leave by itself, with its group; one that leaves may
leave children of its own. So each server's first process tells its number, and its group is ended
when we are done with it, however that came about. Knows nothing of MCP.
"""

import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

_TELL = 'echo $$ > "$0" && exec "$@"'
"""A shell that tells its number and becomes the command, under the same number."""
_GRACE_SECONDS = 1.0
"""How long a group may take to end by itself after it was asked to."""


@contextmanager
def ended_group(command: Sequence[str]) -> Iterator[list[str]]:
    """`command` as it is to be started, as the leader of a new session; its group is ended here.

    On Windows the command as it is: there the MCP library holds all of them in one job.
    """
    if sys.platform == "win32":
        yield list(command)
        return
    with tempfile.TemporaryDirectory(prefix="edgetune-") as folder:
        number = Path(folder) / "group"
        try:
            yield ["/bin/sh", "-c", _TELL, str(number), *command]
        finally:
            if number.is_file() and (text := number.read_text().strip()):
                _end(int(text))


def _end(group: int) -> None:
    """Ask the group to end, and kill what has not ended within the grace."""
    with suppress(ProcessLookupError, PermissionError):
        try:
            os.killpg(group, signal.SIGTERM)
            until = time.monotonic() + _GRACE_SECONDS
            while time.monotonic() < until:
                os.killpg(group, 0)
                time.sleep(0.01)
        finally:
            os.killpg(group, signal.SIGKILL)
