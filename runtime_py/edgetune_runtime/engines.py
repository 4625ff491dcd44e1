"""From a bundle to a running engine: one place that knows which engine serves which target.

An engine's file, and with it the engine's package, is imported when it is asked for.
"""

from collections.abc import Callable, Mapping

from edgetune_runtime.bundle import MANIFEST, Bundle
from edgetune_runtime.engine import Engine
from edgetune_runtime.errors import BundleError, InputError
from edgetune_runtime.files import inside
from edgetune_runtime.manifest import Target

CONTEXT_LIMIT = 4096
"""The most tokens that a KV cache is made for, unless more is asked for."""


def open_engine(
    bundle: Bundle,
    name: str | None = None,
    threads: int | None = None,
    context_length: int | None = None,
) -> Engine:
    """The engine `name` on the bundle's base; None takes the first target that has one.

    `context_length` is capped by the base's own, and by what a program was lowered for; it is 4096
    tokens at the most unless given, since it sizes the KV cache. Raises InputError where the bundle
    has no such target or the engine's package is not installed.
    """
    targets: dict[str, Target] = {
        target.name: target for target in bundle.manifest.targets if has_engine(target)
    }
    chosen = name or next(iter(targets), "(any)")
    if chosen not in targets:
        raise InputError(
            f"--engine {chosen}: {bundle.path} has {sorted(targets)} to be run here; choose one of "
            "these or export with that target."
        )
    context = min(bundle.manifest.base.context_length, context_length or CONTEXT_LIMIT)
    try:
        return _ENGINES[chosen](bundle, targets[chosen], context, threads)
    except ImportError as error:
        raise InputError(
            f"--engine {chosen}: its package is not installed ({error}); run "
            f"'pip install edgetune[{chosen}]'."
        ) from error


def has_engine(target: Target) -> bool:
    """Whether the target runs on machines like this one, not on its own silicon alone."""
    return target.name in _ENGINES


def _onnx(bundle: Bundle, target: Target, context_length: int, threads: int | None) -> Engine:
    from edgetune_runtime.onnx_engine import OnnxEngine

    base = bundle.manifest.base
    return OnnxEngine(
        inside(bundle.path, target.model),
        context_length=context_length,
        kv_heads=base.kv_heads,
        head_dim=base.head_dim,
        layers=base.layers,
        vocab_size=base.vocab_size,
        threads=threads,
    )


def _executorch(bundle: Bundle, target: Target, context_length: int, threads: int | None) -> Engine:
    from edgetune_runtime.executorch_engine import ExecuTorchEngine

    base = bundle.manifest.base
    lowered = _number(bundle, target, "context_length")
    return ExecuTorchEngine(
        inside(bundle.path, target.model),
        context_length=min(context_length, lowered),
        kv_bytes=2 * base.layers * lowered * base.kv_heads * base.head_dim * 4,
        vocab_size=base.vocab_size,
        slots=bundle.manifest.slots,
        max_rank=_number(bundle, target, "max_rank"),
        threads=threads,
    )


def _qnn(bundle: Bundle, target: Target, context_length: int, _threads: int | None) -> Engine:
    from edgetune_runtime.qnn_engine import EMBEDDING, PREFILL, QnnEngine

    decode = inside(bundle.path, target.model)
    return QnnEngine(
        inside(bundle.path, f"qnn/{EMBEDDING}"),
        decode.with_name(PREFILL),
        decode,
        context_length=min(context_length, _number(bundle, target, "context_length")),
        vocab_size=bundle.manifest.base.vocab_size,
    )


def _number(bundle: Bundle, target: Target, option: str) -> int:
    found = target.options.get(option)
    if not isinstance(found, int) or found < 1:
        raise BundleError(
            f"{bundle.path / MANIFEST}: target '{target.name}', option '{option}' is {found!r} "
            "where a whole number was expected; export the bundle again."
        )
    return found


_ENGINES: Mapping[str, Callable[[Bundle, Target, int, int | None], Engine]] = {
    "onnx": _onnx,
    "executorch": _executorch,
    "qnn": _qnn,
}
