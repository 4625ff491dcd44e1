"""The rungs of `verify` that run the engine for what it must keep apart: bits, swaps, slots, calls.

Each takes a `Stand` and returns its detail (where that is measured, how near it came to failing,
too), or raises BundleError naming the file or slot. Hashes were compared before; logits are
`logits`'s; which rungs there are, and in what order, is `ladder`'s.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgetune_export.listing import file_entry
from edgetune_export.lowering.slotless import write_slotless
from edgetune_export.verify.reference import BASE, Prefill
from edgetune_export.verify.stand import Stand, run_through
from edgetune_runtime.agent import Agent
from edgetune_runtime.assets import Tensors
from edgetune_runtime.bundle import Bundle
from edgetune_runtime.engines import open_engine
from edgetune_runtime.errors import BundleError
from edgetune_runtime.manifest import Slot
from edgetune_runtime.options import Options
from edgetune_runtime.prompt import User
from edgetune_runtime.slots import slots_of, tensor_names


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
        plain, wanted = "slots of zeros", run_through(stand.engine, prefill)
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
        return run_through(open_engine(bundle, stand.engine.name), prefill)


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
        return not np.array_equal(run_through(stand.engine, probe), plain)

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


def _made_up(pair: Tensors) -> Tensors:
    """Values as large as activations are, in the shapes of `pair`."""
    rng = np.random.default_rng(0)
    return {name: rng.standard_normal(side.shape).astype(np.float32) for name, side in pair.items()}
