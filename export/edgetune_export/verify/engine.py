"""The rungs of `verify` that run the engine: bits, swaps, slots, logits and calls.

Each takes a `Stand` and returns its detail (where that is measured, how near it came to failing,
too), or raises BundleError naming the file or slot. Hashes were compared before; which rungs there
are, and in what order, is `verify`'s.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgetune_export.listing import file_entry
from edgetune_export.lowering.slotless import write_slotless
from edgetune_export.verify.reference import (
    BASE,
    DIRECTORY,
    Prefill,
    Reference,
    rounds_activations,
)
from edgetune_export.verify.rounding import Rounding, effect_share, relative
from edgetune_runtime.agent import Agent
from edgetune_runtime.assets import Tensors
from edgetune_runtime.bundle import Bundle
from edgetune_runtime.engine import Engine
from edgetune_runtime.engines import open_engine
from edgetune_runtime.errors import BundleError
from edgetune_runtime.files import inside
from edgetune_runtime.invocation import invocation_place
from edgetune_runtime.manifest import Slot, Target
from edgetune_runtime.options import Options
from edgetune_runtime.prompt import User
from edgetune_runtime.slots import slots_of, tensor_names

LAYER_TOLERANCE = 0.03
"""Relative RMS difference to PEFT in float32, times the square root of the layers, of a graph whose
int4 kernels round activations to int8 in blocks (ONNX at `accuracy_level` 4; differently on each
processor): about 1 % a layer was measured, and the layers' errors are independent. Another base
differs by 100 %."""

ROUNDING_TOLERANCE = 2.0
"""The same for kernels that round activations to int8, a scale a token (ExecuTorch's), over all
rows: times what that rounding does to this base and adapter in torch (`rounding`)."""

FLOAT16_TOLERANCE = 0.01
"""The same for a graph that computes in float16 (QNN)."""

FLOAT_TOLERANCE = 1e-3
"""The same for a graph that computes in float32: about 1e-5 was measured."""

EFFECT_TOLERANCE = 0.15
"""How far the effect of an adapter on the logits, projected on what it is with PEFT, may be from 1.
A scale that is off by sqrt(r) is off by 0.41 at the least (rank 2) or 0.29 (its inverse)."""

EFFECT_VISIBLE = 4.0
"""An effect is judged where it is this many times as large as the engine's own rounding."""

EFFECT_CERTAIN = 3.0
"""Or, where activations are rounded a token: where this many times what that makes of the effect in
torch is within the tolerance."""

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
        return _run(self.engine, prefill)

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
        """What the engine may make of adapter `name`, or the base, by rounding each token's
        activations; None for an engine that does not."""
        return self.wanted.rounding[name] if rounds_activations(self.target) else None

    def tolerance(self, name: str) -> float:
        """How far the engine's logits may be from PEFT's (see `LAYER_TOLERANCE`)."""
        rounding = self.rounding(name)
        if rounding is not None:
            return ROUNDING_TOLERANCE * rounding.logits
        options = self.target.options
        if options.get("accuracy_level") == 4:
            tolerance = LAYER_TOLERANCE
        elif options.get("activations") == "float16":
            tolerance = FLOAT16_TOLERANCE
        else:
            tolerance = FLOAT_TOLERANCE
        return tolerance * float(self.bundle.manifest.base.layers**0.5)


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
    missing = set(wanted.prefills) - set(wanted.rounding)
    if missing and rounds_activations(stand.target):
        raise BundleError(
            f"{bundle.path / DIRECTORY}: does not say what rounding activations does to the logits "
            f"of {sorted(missing)}, which {engine.name} is judged by; export the bundle again."
        )
    return stand


def check_base_bits(stand: Stand) -> str:
    """No adapter, before and after one was bound, is the base, bit for bit.

    For ONNX the base is the graph with its slots taken out. A compiled program cannot be taken
    apart; what it gives with slots of zeros stands for it.
    """
    prefill = stand.wanted.prefills[BASE]
    if stand.engine.name == "onnx":
        plain, wanted = "the graph without slots", _slotless(stand, prefill)
    else:
        stand.engine.activate(stand.engine.prepare(_zeros(stand.bundle.manifest.slots)))
        plain, wanted = "slots of zeros", _run(stand.engine, prefill)
    for when in ("before any adapter", "after an adapter"):
        if not np.array_equal(stand.run(BASE, prefill), wanted):
            raise BundleError(
                f"{stand.file(BASE)}: without an adapter, {when}, its logits are not those of "
                f"{plain}; export the bundle again."
            )
        for name in list(stand.handles)[:1]:
            stand.run(name, prefill)
    return f"{wanted.size} logits equal to those of {plain}"


def _slotless(stand: Stand, prefill: Prefill) -> NDArray[np.float32]:
    """Logits of the ONNX graph with its slots taken out."""
    manifest = stand.bundle.manifest
    with tempfile.TemporaryDirectory() as place:
        plain = write_slotless(stand.file(BASE), manifest.slots, Path(place))
        alone = stand.target.model_copy(update={"model": plain.name})
        file = file_entry(Path(place), plain, alone.name)
        slotless = manifest.model_copy(update={"targets": (alone,), "files": (file,)})
        bundle = Bundle(Path(place), slotless, stand.bundle.assets)
        return _run(open_engine(bundle, stand.engine.name), prefill)


def _zeros(slots: Sequence[Slot]) -> Tensors:
    """An adapter that adds nothing, of another rank than an engine's own empty slots."""
    rank = 3
    zeros = {}
    for slot in slots:
        a, b = tensor_names(slot.name)
        zeros[a] = np.zeros((slot.in_features, rank), np.float32)
        zeros[b] = np.zeros((rank, slot.out_features), np.float32)
    return zeros


def check_swaps(stand: Stand) -> str:
    """Every adapter, and the base, gives the same bits after other ones as before them."""
    probe = stand.probe(BASE)
    first: dict[str, NDArray[np.float32]] = {}
    order = [BASE, *stand.handles]
    for name in (*order, *reversed(order), *order):
        logits = stand.run(name, probe)
        if not np.array_equal(first.setdefault(name, logits), logits):
            raise BundleError(
                f"{stand.file(name)}: '{name}' gives other logits after a swap than before; the "
                "engine keeps something of another adapter."
            )
    return f"{len(stand.handles)} adapters and the base, three times each"


def check_slots(stand: Stand, name: str) -> tuple[str, float]:
    """Each slot of adapter `name`, alone, changes the base's logits; the share that only does so
    with made-up values.

    A slot that is not trained yet holds zeros, and what a few steps taught it can be lost where an
    engine rounds.
    """
    probe = stand.probe(name)
    plain = stand.run(BASE, probe)
    blob = stand.bundle.assets.adapters[name].load()
    slots = slots_of(blob)

    def changes(tensors: Tensors) -> bool:
        stand.engine.activate(stand.engine.prepare(tensors))
        return not np.array_equal(_run(stand.engine, probe), plain)

    zeros = small = 0
    for slot in slots:
        pair = {side: blob[side] for side in tensor_names(slot)}
        trained = all(side.any() for side in pair.values())
        if trained and changes(pair):
            continue
        zeros, small = zeros + (not trained), small + trained
        if not changes(_made_up(pair)):
            raise BundleError(
                f"{stand.file(name)}: slot '{slot}' changes nothing; the graph does not use it, "
                "export the bundle again."
            )
    kinds = (
        f"{zeros} hold zeros" if zeros else "",
        f"{small} are lost in rounding" if small else "",
    )
    said = " and ".join(filter(None, kinds))
    note = f" ({said}: tried with made-up values)" if said else ""
    share = (zeros + small) / max(1, len(slots))
    return f"each of {len(slots)} slots changes the logits{note}", share


def check_logits(stand: Stand, name: str) -> tuple[str, float]:
    """Adapter `name`, or the base, against PEFT: the logits, and the adapter's effect on them.

    Also how much of the tolerance is used: of the one of the two that is nearer to its own.
    """
    prefill = stand.wanted.prefills[name]
    found = stand.serve(name, prefill)
    if found.shape != prefill.logits.shape or not np.isfinite(found).all():
        raise BundleError(
            f"{stand.file(name)}: gives logits of shape {found.shape}, all finite: "
            f"{bool(np.isfinite(found).all())}, where {prefill.logits.shape} finite ones were "
            "expected; export the bundle again."
        )
    rows = relative(found - prefill.logits, prefill.logits)
    # Rounding makes single rows of a few large, as it happens.
    rounded = stand.rounding(name) is not None
    error = float(np.sqrt(np.mean(rows**2)) if rounded else rows.max())
    tolerance = stand.tolerance(name)
    if error > tolerance:
        raise BundleError(
            f"{stand.file(name)}: the logits of '{name}' differ from PEFT's by {error:.3%} "
            f"(tolerance {tolerance:.2%}); the file belongs to another base or adapter, or "
            "its scale is wrong."
        )
    why = ", twice what rounding does in torch" if rounded else ""
    detail = f"within {error:.3%} of PEFT (tolerance {tolerance:.2%}{why})"
    used = error / tolerance
    if name == BASE:
        return detail, used
    effect, effect_used = _check_effect(stand, name, prefill, found)
    return f"{detail}; {effect}", max(used, effect_used)


def _check_effect(
    stand: Stand, name: str, prefill: Prefill, found: NDArray[np.float32]
) -> tuple[str, float]:
    """How much the adapter changes the logits, against PEFT: tells a wrong scale even where the
    whole difference is within the tolerance."""
    wanted_plain = stand.wanted.plain[name]
    plain = stand.run(BASE, prefill)
    effect = prefill.logits - wanted_plain
    rounding = stand.rounding(name)
    if rounding is not None:
        visible = EFFECT_CERTAIN * rounding.effect <= EFFECT_TOLERANCE
    else:
        own = np.sqrt(np.mean((plain - wanted_plain) ** 2))
        visible = bool(np.sqrt(np.mean(effect**2)) >= EFFECT_VISIBLE * own)
    if not visible:
        return "its effect is too small beside the engine's rounding to be judged", 0.0
    share = effect_share(found - plain, effect)
    if abs(share - 1) > EFFECT_TOLERANCE:
        raise BundleError(
            f"{stand.file(name)}: the effect of '{name}' is {share:.2f} times PEFT's (tolerance "
            f"{EFFECT_TOLERANCE}); its scale is wrong (rsLoRA?), export it again."
        )
    return f"effect {share:.3f} times PEFT's", abs(share - 1) / EFFECT_TOLERANCE


def check_calls(stand: Stand) -> str:
    """Greedy calls of the sample against those of the torch engine."""
    wanted = stand.wanted.calls
    note = f"{stand.wanted.left_out} left out as too close to call"
    if not wanted:
        return f"none to compare, {note}"
    agent = Agent(stand.bundle.assets, stand.engine)
    options = Options(max_tokens=stand.wanted.call_tokens)
    for call in wanted:
        step = agent.step([User(call.request)], options=options)
        found = (step.toolset, step.tool, dict(step.arguments))
        if found != (call.toolset, call.tool, dict(call.arguments)):
            raise BundleError(
                f"{stand.bundle.path}: {call.request!r} gives {step.tool}{dict(step.arguments)} of "
                f"{step.toolset}, with torch {call.tool}{dict(call.arguments)} of {call.toolset}; "
                "export the bundle again."
            )
    return f"{len(wanted)} greedy calls as with torch, {note}"


def _run(engine: Engine, prefill: Prefill) -> NDArray[np.float32]:
    engine.rewind(0)
    return np.stack(list(_rows(engine, prefill)))


def _rows(engine: Engine, prefill: Prefill) -> Iterator[NDArray[np.float32]]:
    yield engine.forward(prefill.prompt).copy()
    for token in prefill.decoded:
        yield engine.forward([token]).copy()


def _made_up(pair: Tensors) -> Tensors:
    """Values as large as activations are, in the shapes of `pair`."""
    rng = np.random.default_rng(0)
    return {name: rng.standard_normal(side.shape).astype(np.float32) for name, side in pair.items()}
