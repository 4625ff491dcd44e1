"""From a bundle to a running engine: one place that knows which engine serves which target."""

from edgetune_runtime.bundle import Bundle
from edgetune_runtime.engine import Engine
from edgetune_runtime.errors import InputError
from edgetune_runtime.files import inside

CONTEXT_LIMIT = 4096
"""The most tokens that a KV cache is made for, unless more is asked for."""


def open_engine(
    bundle: Bundle,
    name: str | None = None,
    threads: int | None = None,
    context_length: int | None = None,
) -> Engine:
    """The engine `name` on the bundle's base; None takes the first target of the bundle.

    `context_length` is capped by the base's own and is 4096 tokens at the most unless given: it
    sizes the KV cache. Raises InputError where the bundle has no such target or the engine's
    package is not installed.
    """
    targets = {target.name: target for target in bundle.manifest.targets}
    chosen = name or next(iter(targets), "")
    if chosen not in targets:
        raise InputError(
            f"--engine {chosen}: {bundle.path} has {sorted(targets)}; choose one of these or "
            "export with that target."
        )
    base = bundle.manifest.base
    try:
        from edgetune_runtime.onnx_engine import OnnxEngine
    except ImportError as error:
        raise InputError(
            f"--engine {chosen}: its package is not installed ({error}); run "
            f"'pip install edgetune[{chosen}]'."
        ) from error
    return OnnxEngine(
        inside(bundle.path, targets[chosen].model),
        context_length=min(base.context_length, context_length or CONTEXT_LIMIT),
        kv_heads=base.kv_heads,
        head_dim=base.head_dim,
        layers=base.layers,
        vocab_size=base.vocab_size,
        threads=threads,
    )
