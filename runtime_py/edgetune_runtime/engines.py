"""From a bundle to a running engine: the one table of engines, by the target that each serves.

An engine is a file of its own and a line here. The file, and with it the engine's package, is
imported when it is asked for; this module imports nothing heavy, so that a command line can list
the names.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from edgetune_runtime.errors import InputError

if TYPE_CHECKING:
    from edgetune_runtime.bundle import Bundle
    from edgetune_runtime.engine import Engine
    from edgetune_runtime.manifest import Target


@dataclass(frozen=True)
class EngineEntry:
    """One engine."""

    module: str
    """Has `open_engine(bundle, target, context_length, threads)`, which may raise ImportError."""
    packages: tuple[str, ...]
    """What it imports; edgetune's extra of the engine's name brings them."""


ENGINES: Mapping[str, EngineEntry] = {
    "onnx": EngineEntry("edgetune_runtime.onnx_engine", ("onnxruntime",)),
    "executorch": EngineEntry("edgetune_runtime.executorch_engine", ("executorch", "torch")),
    "qnn": EngineEntry("edgetune_runtime.qnn_engine", ("onnxruntime", "onnxruntime_qnn")),
}
"""By the engine's name, which is its target's and its extra's, too."""

CONTEXT_LIMIT = 4096
"""The most tokens that a KV cache is made for, unless more is asked for."""


def open_engine(
    bundle: "Bundle",
    name: str | None = None,
    threads: int | None = None,
    context_length: int | None = None,
) -> "Engine":
    """The engine `name` on the bundle's base; None takes the first target that has one.

    The target's files are checked first, as the bundle's own were when it was opened.
    `context_length` is in tokens; by default what the target reads, and 4096 at the most, since it
    sizes the KV cache. Raises InputError where more of it, or more threads, are asked for than
    there can be, where the bundle has no such target, or the engine's package is not installed;
    BundleError for a file that is not as the manifest says.
    """
    target = find_target(bundle, name)
    check_threads(threads)
    longest = target.context_length
    context = within(longest, context_length) if context_length else min(longest, CONTEXT_LIMIT)
    bundle.check_target(target)
    try:
        engine: Engine = import_module(ENGINES[target.name].module).open_engine(
            bundle, target, context, threads
        )
    except ImportError as error:
        raise InputError(
            f"--engine {target.name}: its package is not installed ({error}); run "
            f"'pip install edgetune[{target.name}]'."
        ) from error
    return engine


def find_target(bundle: "Bundle", engine: str | None = None) -> "Target":
    """What `engine` runs of the bundle; None takes the first target that has an engine.

    Raises InputError where there is none.
    """
    targets = {target.name: target for target in bundle.manifest.targets if has_engine(target)}
    chosen = engine or next(iter(targets), "(any)")
    if chosen not in targets:
        raise InputError(
            f"--engine {chosen}: {bundle.path} has {sorted(targets)} to be run here; choose one of "
            "these or export with that target."
        )
    return targets[chosen]


def check_threads(threads: int | None, what: str = "--threads") -> None:
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


def within(longest: int, context_length: int | None) -> int:
    """The context length, by default `longest`. Raises InputError where it is longer than that."""
    if context_length is not None and context_length > longest:
        raise InputError(
            f"--context {context_length}: this base, or the program made of it, reads {longest} "
            "tokens at the most; ask for fewer."
        )
    return context_length or longest


def has_engine(target: "Target") -> bool:
    """Whether the target runs on machines like this one, not on its own silicon alone."""
    return target.name in ENGINES
