"""The C library's allocator, told to keep what a training step frees for the next one.

By default glibc gives large blocks back to the kernel, which clears their pages again at every
step: thousands of page faults, which a small base's step is short enough to feel.
"""

import ctypes
import sys

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
"""Names of `mallopt`'s parameters in glibc's malloc.h."""


def keep_freed_memory() -> None:
    """Keep up to a GiB of freed memory in this process; nothing where there is no `mallopt`."""
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, 32 << 20)  # the largest value that is taken
        mallopt(_TRIM_THRESHOLD, 1 << 30)
        mallopt(_TOP_PAD, 64 << 20)
