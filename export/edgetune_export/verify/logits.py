"""The rungs of `verify` that hold logits, and an adapter's effect on them, to what PEFT gave."""

import numpy as np
from numpy.typing import NDArray

from edgetune_export.verify.reference import BASE
from edgetune_export.verify.rounding import effect_share, relative
from edgetune_export.verify.stand import Stand
from edgetune_runtime.errors import BundleError

EFFECT_TOLERANCE = 0.15
"""How far the effect of an adapter on the logits, projected on what it is with PEFT, may be from 1.
A scale that is off by sqrt(r) is off by 0.41 at the least (rank 2) or 0.29 (its inverse)."""

EFFECT_VISIBLE = 4.0
"""An effect is judged where it is this many times as large as the engine's own rounding."""

EFFECT_CERTAIN = 3.0
"""Or, where activations are rounded: where this many times what that makes of the effect in
torch is within the tolerance."""

Logits = NDArray[np.float32]


def check_logits(stand: Stand, name: str) -> tuple[str, float]:
    """Adapter `name`, or the base, against PEFT: the logits, and the adapter's effect on them.

    Also how much of the tolerance is used: of the one of the two that is nearer to its own.
    """
    prefill = stand.wanted.prefills[name]
    found = stand.serve(name, prefill)
    detail, used = _check_difference(stand, name, found, prefill.logits)
    if name == BASE:
        return detail, used
    plain = stand.run(BASE, prefill)
    wanted_plain = stand.wanted.plain[name]
    effect, effect_used = _check_effect(stand, name, found, prefill.logits, plain, wanted_plain)
    return f"{detail}; {effect}", max(used, effect_used)


def check_few_logits(stand: Stand, name: str) -> tuple[str, float]:
    """The same for adapter `name` and the base on what that adapter reads, behind its prompt and
    one token more: a graph of a chunk and one of a token run both."""
    prefill = stand.wanted.prefills[name].first(2)
    wanted_plain = stand.wanted.plain[name][:2]
    found, plain = stand.serve(name, prefill), stand.run(BASE, prefill)
    base, base_used = _check_difference(stand, BASE, plain, wanted_plain)
    own, used = _check_difference(stand, name, found, prefill.logits)
    effect, effect_used = _check_effect(stand, name, found, prefill.logits, plain, wanted_plain)
    tokens = len(prefill.ids)
    detail = f"{tokens} tokens: the base {base}, the adapter {own}; {effect}"
    return detail, max(base_used, used, effect_used)


def _check_difference(stand: Stand, name: str, found: Logits, wanted: Logits) -> tuple[str, float]:
    if found.shape != wanted.shape or not np.isfinite(found).all():
        raise BundleError(
            f"{stand.file(name)}: gives logits of shape {found.shape}, all finite: "
            f"{bool(np.isfinite(found).all())}, where {wanted.shape} finite ones were expected; "
            "export the bundle again."
        )
    rows = relative(found - wanted, wanted)
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
    why = " by what rounding does in torch" if rounded else ""
    return f"within {error:.3%} of PEFT (tolerance {tolerance:.2%}{why})", error / tolerance


def _check_effect(
    stand: Stand, name: str, found: Logits, wanted: Logits, plain: Logits, wanted_plain: Logits
) -> tuple[str, float]:
    """How much the adapter changes the logits, against PEFT: tells a wrong scale even where the
    whole difference is within the tolerance."""
    effect = wanted - wanted_plain
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
