"""A bundle on an open engine, and how far what it gives may be from what PEFT gave."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgetune_export.verify.reference import (
    BASE,
    DIRECTORY,
    Prefill,
    Reference,
    rounds_activations,
)
from edgetune_export.verify.rounding import Rounding
from edgetune_runtime.bundle import Bundle
from edgetune_runtime.engine import Engine
from edgetune_runtime.engines import open_engine
from edgetune_runtime.errors import BundleError
from edgetune_runtime.files import inside
from edgetune_runtime.invocation import invocation_place
from edgetune_runtime.manifest import Target

ROUNDING_TOLERANCE = 2.0
"""Relative RMS difference to PEFT in float32, over all rows, of a graph whose int4 kernels round
activations to int8: times what that rounding does to this base and adapter in torch (`rounding`).
Another base differs by 100 %."""

LAYER_TOLERANCE = 0.03
"""Times the square root of the layers, what is tolerated at the least where they round in blocks
(ONNX at `accuracy_level` 4): other processors may round otherwise than x86. About 1 % a layer was
measured, and the layers' errors are independent."""

FLOAT16_TOLERANCE = 0.01
"""Times the square root of the layers, the difference of a graph that computes in float16 (QNN), in
its worst row."""

FLOAT_TOLERANCE = 1e-3
"""The same for a graph that computes in float32: about 1e-5 was measured."""

PROBE_TOKENS = 6
"""Tokens that show a change of bits: with a single one, attention has no choice to make."""


@dataclass(frozen=True)
class Stand:
    """A bundle with an open engine, its adapters prepared, and what they must do."""

    bundle: Bundle
    engine: Engine
    handles: Mapping[str, Any]
    """Adapter name to what `engine.prepare` made of it."""
    wanted: Reference

    def file(self, name: str) -> Path:
        """The file to name where adapter `name`, or the base, misbehaves."""
        for adapter in self.bundle.manifest.adapters:
            if adapter.name == name:
                return self.bundle.path / adapter.file
        return inside(self.bundle.path, self.target.model)

    def run(self, name: str, prefill: Prefill) -> NDArray[np.float32]:
        """`[rows, vocab]`: logits of adapter `name` (or the base) after prompt and each token."""
        self.engine.activate(None if name == BASE else self.handles[name])
        return run_through(self.engine, prefill)

    def serve(self, name: str, prefill: Prefill) -> NDArray[np.float32]:
        """As `run`, but an activated LoRA is bound where its invocation begins."""
        source = self.bundle.assets.adapters.get(name)
        if source is None or not source.invocation:
            return self.run(name, prefill)
        place = invocation_place(prefill.ids.tolist(), source.invocation)
        before, after = prefill.prompt[:place], prefill.prompt[place:]
        self.engine.rewind(0)
        self.engine.activate(None)
        last = self.engine.forward(before).copy() if before else None
        self.engine.activate(self.handles[name])
        parts = [after, *([token] for token in prefill.decoded)]
        logits = [self.engine.forward(part).copy() for part in parts if part]
        return np.stack(logits if after or last is None else [last, *logits])

    def probe(self, name: str) -> Prefill:
        """A few tokens of what `name` reads, without logits: enough to compare bits."""
        ids = self.wanted.prefills[name].ids[-PROBE_TOKENS:]
        return Prefill(ids, np.zeros((1, 0), np.float32))

    @property
    def target(self) -> Target:
        """The lowered base that the engine runs."""
        return next(t for t in self.bundle.manifest.targets if t.name == self.engine.name)

    def rounding(self, name: str) -> Rounding | None:
        """What the engine may make of adapter `name`, or the base, by rounding activations; None
        for an engine that does not."""
        kind = rounds_activations(self.target)
        return self.wanted.rounding[kind][name] if kind else None

    def tolerance(self, name: str) -> float:
        """How far the engine's logits may be from PEFT's."""
        layers = float(self.bundle.manifest.base.layers**0.5)
        rounding = self.rounding(name)
        if rounding is not None:
            least = LAYER_TOLERANCE * layers if rounds_activations(self.target) == "block" else 0.0
            return max(least, ROUNDING_TOLERANCE * rounding.logits)
        half = self.target.options.get("activations") == "float16"
        return (FLOAT16_TOLERANCE if half else FLOAT_TOLERANCE) * layers


def open_stand(bundle: Bundle, engine_name: str, wanted: Reference) -> Stand:
    """Open the engine and prepare every adapter."""
    engine = open_engine(bundle, engine_name)
    longest = max(len(prefill.ids) for prefill in wanted.prefills.values())
    if longest > engine.context_length:
        raise BundleError(
            f"{bundle.path / DIRECTORY}: needs a context of {longest} tokens, the engine has "
            f"{engine.context_length}; export again with shorter prompts."
        )
    sources = bundle.assets.adapters
    handles = {name: engine.prepare(source.load()) for name, source in sources.items()}
    stand = Stand(bundle, engine, handles, wanted)
    kind = rounds_activations(stand.target)
    missing = set(wanted.prefills) - set(wanted.rounding.get(kind, ())) if kind else set()
    if missing:
        raise BundleError(
            f"{bundle.path / DIRECTORY}: does not say what rounding activations does to the logits "
            f"of {sorted(missing)}, which {engine.name} is judged by; export the bundle again."
        )
    return stand


def run_through(engine: Engine, prefill: Prefill) -> NDArray[np.float32]:
    """`[rows, vocab]`: what `engine`, as it is bound, gives after the prompt and each token."""
    engine.rewind(0)
    return np.stack(list(_rows(engine, prefill)))


def _rows(engine: Engine, prefill: Prefill) -> Iterator[NDArray[np.float32]]:
    yield engine.forward(prefill.prompt).copy()
    for token in prefill.decoded:
        yield engine.forward([token]).copy()
