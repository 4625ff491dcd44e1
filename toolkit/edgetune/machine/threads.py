"""How many threads may be asked for. Imports nothing heavy, so that a command line can check it."""

import os

from edgetune_runtime.errors import InputError


def check_threads(threads: int | None, what: str) -> None:
    """Raise InputError, which names the option or field `what`, for more threads than cores.

    They would only wait for each other, thousands of them for minutes. Cores are what the system
    counts as such, hyper-threads included; None is the engine's own choice.
    """
    cores = os.cpu_count()
    if threads is not None and cores is not None and threads > cores:
        raise InputError(
            f"{what} {threads}: more threads than this machine has cores ({cores}) only wait for "
            "each other; ask for fewer."
        )
