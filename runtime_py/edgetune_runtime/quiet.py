"""Silence for libraries that tell about themselves while they load."""

import logging
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

_LOCK = threading.RLock()
"""What is silenced is the process's: two threads at once would not give it back in order."""


@contextmanager
def quiet() -> Iterator[None]:
    """No warnings and no logged ones while the block runs; progress is still shown."""
    with _LOCK:
        level = logging.root.manager.disable
        logging.disable(logging.WARNING)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        finally:
            logging.disable(level)


@contextmanager
def silent() -> Iterator[None]:
    """Nothing at all on standard error, not even from native code."""
    with quiet(), ExitStack() as restored:
        try:
            kept = os.dup(2)
        except OSError:  # standard error is closed: silent already
            pass
        else:
            restored.callback(os.close, kept)
            restored.callback(os.dup2, kept, 2)
            with open(os.devnull, "w", encoding="utf-8") as nowhere:
                os.dup2(nowhere.fileno(), 2)
        yield
