"""A real file system server on an empty directory, for as long as tasks are done there."""

import shlex
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgetune.agents.mcp_source import McpSource
from edgetune.agents.sources import Source
from edgetune.file_tasks import SERVER
from edgetune.tools.connection import connect
from edgetune.tools.servers import parse_servers


@contextmanager
def served_directory(command: str = SERVER) -> Iterator[tuple[Source, Path]]:
    """A file system server on an empty directory, which both end afterwards.

    Raises InputError where the server cannot be started.
    """
    with tempfile.TemporaryDirectory(prefix="files-") as name:
        root = Path(name).resolve()
        (server,) = parse_servers(f"{command} {shlex.quote(str(root))}")
        with connect(server) as connection:
            yield McpSource(connection), root
