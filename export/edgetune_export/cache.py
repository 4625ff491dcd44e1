"""Where edgetune keeps what it can make or fetch again: `~/.cache/edgetune`, or `$EDGETUNE_CACHE`.

Knows nothing of what lies there.
"""

import os
from pathlib import Path


def cache_folder(kind: str) -> Path:
    """The folder for one `kind` of things, such as `bases`; it need not exist yet."""
    given = os.environ.get("EDGETUNE_CACHE")
    root = Path(given).expanduser() if given else Path.home() / ".cache" / "edgetune"
    return root / kind
