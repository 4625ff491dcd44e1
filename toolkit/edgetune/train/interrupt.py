"""Ctrl-C as a wish that is heard between two steps, so that what was trained is saved first.

Knows nothing of what is stopped.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Interrupted(Exception):
    """Training was asked to stop; its state is written."""


@contextmanager
def ctrl_c() -> Iterator[threading.Event]:
    """Set by the first Ctrl-C; a second one ends at once. Only the main thread may listen."""
    pressed = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield pressed
        return
    before = signal.getsignal(signal.SIGINT)

    def press(_number: int, _frame: Any) -> None:
        pressed.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, press)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)
