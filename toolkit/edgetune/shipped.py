"""Files of the repository's root that a wheel carries inside the package, copied by `setup.py`."""

from pathlib import Path


def shipped(name: str) -> Path:
    """The file or folder `name`: the wheel's copy, or else the checkout's own."""
    package = Path(__file__).parent
    own = package / name
    return own if own.exists() else package.parents[1] / name
