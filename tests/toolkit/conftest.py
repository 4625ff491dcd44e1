"""What the tests of tools and agents share: a server that misbehaves as it is told."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def raw_server() -> Callable[..., tuple[str, ...]]:
    """A factory of its command: `raw_server("--pages", "2")`."""
    script = Path(__file__).parent / "raw_server.py"
    return lambda *options: (sys.executable, "-S", str(script), *map(str, options))
