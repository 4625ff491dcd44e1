"""The C library's allocator, told to keep what a training step frees for the next one.

By default glibc gives large blocks back to the kernel, which clears their pages again at every
step: thousands of page faults, which a small base's step is short enough to feel. Where each step
has another length, what is kept falls into ever more pieces: now and then all of it is given back.
"""

import ctypes
import sys
from typing import Any

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
"""Names of `mallopt`'s parameters in glibc's malloc.h."""


def keep_freed_memory() -> None:
    """Keep up to a GiB of freed memory in this process; nothing where there is no `mallopt`."""
    mallopt = _of_libc("mallopt")
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, 32 << 20)  # the largest value that is taken
        mallopt(_TRIM_THRESHOLD, 1 << 30)
        mallopt(_TOP_PAD, 64 << 20)


def give_back_memory() -> None:
    """Give freed memory back to the kernel, once; nothing where there is no `malloc_trim`."""
    malloc_trim = _of_libc("malloc_trim")
    if malloc_trim is not None:
        malloc_trim(0)


def _of_libc(name: str) -> Any:
    """A function of glibc, None elsewhere."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform.startswith("linux") else None
