"""The ladder of checks that a bundle climbs: from its hashes up to the calls that it makes.

A rung is one kind of check, of the bundle or of each adapter; a bundle that is damaged or wrong
makes checks fail, it never makes this module raise. What is compared with was computed at export by
PEFT and the torch engine (`reference`), or is computed anew from a run. What an engine does is
judged in `engine`.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from edgetune_export.lowering.targets import TARGETS
from edgetune_export.progress import stage
from edgetune_export.run import Run, open_run, run_assets
from edgetune_export.verify.checks import Check, Verification
from edgetune_export.verify.engine import (
    Stand,
    check_base_bits,
    check_calls,
    check_logits,
    check_slots,
    check_swaps,
    open_stand,
)
from edgetune_export.verify.reference import BASE, Reference, compute_reference
from edgetune_export.verify.reference import DIRECTORY as REFERENCE
from edgetune_runtime.adapters import read_blob
from edgetune_runtime.blob_types import BLOB_TYPES
from edgetune_runtime.bundle import (
    MANIFEST,
    NAMES,
    PROMPTS,
    TOKENIZER,
    VOCABULARY,
    Bundle,
    check_blob,
    check_files,
    open_bundle,
    read_manifest,
)
from edgetune_runtime.engines import has_engine
from edgetune_runtime.errors import BundleError, EdgetuneError, InputError
from edgetune_runtime.files import inside, sha256_file
from edgetune_runtime.manifest import ANY, GENAI, VERIFY, Adapter, Manifest, Target
from edgetune_runtime.slots import slots_of, tensor_names

T = TypeVar("T")


def climb(bundle_path: Path, engine: str | None = None, run: Path | None = None) -> Verification:
    """Climb the ladder: every check in order, as far as what it stands on holds.

    `engine` None climbs it with every engine; of a target that runs on its own silicon alone the
    structure is checked. With an engine, nothing is asked for that other targets need. `run`
    computes the reference anew from that run. Raises InputError where there is no directory at
    `bundle_path`, or no finished run on an int4 base at `run`; whatever is wrong with a bundle
    makes a check fail.
    """
    if not bundle_path.is_dir():
        raise InputError(f"{bundle_path}: no such directory; give what 'edgetune export' wrote.")
    opened = None if run is None else open_run(run)
    if opened is not None:
        opened.base.require_codes(f"{run}: edgetune verify")
    ladder = _Ladder(bundle_path)
    with stage("Verifying"):
        _climb(ladder, engine, opened)
    return Verification(ladder.checks)


class _Ladder:
    """The checks so far."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.checks: list[Check] = []

    @property
    def holds(self) -> bool:
        """No check has failed yet."""
        return all(check.ok for check in self.checks)

    def open(self, rung: str, judge: Callable[[], tuple[T, str]]) -> T | None:
        """A check that gives what later ones stand on (and its detail); None where it fails."""
        return self._try(rung, None, lambda: (*judge(), 0.0))

    def check(
        self, rung: str, judge: Callable[..., str], *arguments: Any, adapter: str | None = None
    ) -> None:
        """A check that only holds or fails; `judge` returns its detail."""
        self._try(rung, adapter, lambda: (True, judge(*arguments), 0.0))

    def measure(
        self, rung: str, judge: Callable[..., tuple[str, float]], *arguments: Any, adapter: str
    ) -> None:
        """A check that comes more or less near to failing; `judge` returns detail and strain."""
        self._try(rung, adapter, lambda: (True, *judge(*arguments)))

    def _try(
        self, rung: str, adapter: str | None, judge: Callable[[], tuple[T, str, float]]
    ) -> T | None:
        try:
            value, detail, strain = judge()
        except EdgetuneError as error:
            self.checks.append(Check(rung, adapter, False, str(error)))
        except Exception as error:  # noqa: BLE001 - damaged files break libraries in any way
            said = " ".join(str(error).split())  # libraries may tell it over several lines
            detail = f"{self.path}: {type(error).__name__}: {said}; export the bundle again."
            self.checks.append(Check(rung, adapter, False, detail))
        else:
            self.checks.append(Check(rung, adapter, True, detail, strain))
            return value
        return None

    def leave(self) -> None:
        """The rungs above stand on one that failed: say that they were not tried."""
        broken = next(check.name for check in self.checks if not check.ok)
        detail = f"skipped, since '{broken}' does not hold"
        self.checks.append(Check("all further checks", None, False, detail))


def _climb(ladder: _Ladder, engine: str | None, run: Run | None) -> None:
    """Every rung in order, as far as what it stands on holds."""
    path = ladder.path
    manifest = ladder.open("manifest", lambda: (read_manifest(path), "as its digest says"))
    if manifest is None:
        return ladder.leave()
    runnable = [target.name for target in manifest.targets if has_engine(target)]
    if engine is not None and engine not in runnable:
        raise InputError(
            f"--engine {engine}: {path} has {runnable} to be run here; choose one of these or "
            "export with that target."
        )
    # All of these are tried, so that what is wrong is named as closely as can be.
    needed = {entry.needed_by for entry in manifest.files}
    if engine is not None:
        needed = {ANY, engine, *((VERIFY,) if run is None else ())}
    ladder.check("files", _check_files, path, manifest, needed)
    genai = GENAI in needed
    for adapter in manifest.adapters:
        ladder.check("blob", _check_blob, path, manifest, adapter, genai, adapter=adapter.name)
    if not ladder.holds:
        return ladder.leave()
    bundle = ladder.open("contents", lambda: (open_bundle(path, check=False), "all can be read"))
    if bundle is None:
        return ladder.leave()
    ladder.check("prompts", _check_prompts, bundle)
    wanted = ladder.open("reference", partial(_reference, bundle, run))
    if wanted is None:
        return ladder.leave()
    for adapter in manifest.adapters:
        ladder.check("scale", _check_scale, path, adapter, wanted, adapter=adapter.name)
    for target in manifest.targets:
        if engine is None and not has_engine(target):
            ladder.check(f"{target.name}: structure", _check_structure, bundle, target)
    for target in manifest.targets:
        if target.name in (runnable if engine is None else [engine]):
            for name, chosen in _chips(target).items():
                alone = manifest.model_copy(update={"targets": (chosen,)})
                judged = partial(_open, replace(bundle, manifest=alone), target.name, wanted)
                stand = ladder.open(f"engine: {name}", judged)
                if stand is not None:
                    _climb_engine(ladder, stand, name)
    return None


def _chips(target: Target) -> Mapping[str, Target]:
    """What an engine runs of `target`, by the engine's name; of what was compiled for several chips
    the graphs of each, by that and the chip's."""
    chips = str(target.options.get("socs", "")).split(",")
    if len(chips) < 2:
        return {target.name: target}
    model = PurePosixPath(target.model)
    return {
        f"{target.name} {chip}": target.model_copy(
            update={"model": str(model.parent.with_name(chip) / model.name)}
        )
        for chip in chips
    }


def _climb_engine(ladder: _Ladder, stand: Stand, engine: str) -> None:
    """What one engine, called `engine`, makes of the bundle."""
    ladder.check(f"{engine}: no adapter is the base, bit for bit", check_base_bits, stand)
    for name in stand.handles:
        ladder.measure(f"{engine}: slots", check_slots, stand, name, adapter=name)
    ladder.check(f"{engine}: a swap there and back is bit-identical", check_swaps, stand)
    for name in (BASE, *stand.handles):
        ladder.measure(f"{engine}: logits", check_logits, stand, name, adapter=name)
    ladder.check(f"{engine}: calls", check_calls, stand)


def _check_structure(bundle: Bundle, target: Target) -> str:
    """What can be told of a program that nothing here runs."""
    if target.name not in TARGETS:
        raise BundleError(
            f"{bundle.path / MANIFEST}: target '{target.name}' is none of {', '.join(TARGETS)}; "
            "verify with the version of edgetune that exported it, or export the bundle again."
        )
    bundle.check_target(target)
    return TARGETS[target.name].check(inside(bundle.path, target.model), bundle.manifest)


def _check_files(path: Path, manifest: Manifest, needed_by: Collection[str]) -> str:
    found = check_files(path, manifest, needed_by)
    size = sum(entry.bytes for entry in found)
    return f"{len(found)} files, {size / 1e6:.1f} MB, each as its hash says"


def _check_blob(path: Path, manifest: Manifest, adapter: Adapter, genai: bool) -> str:
    """The blob belongs to this base and its slots; for `genai`, its `.onnx_adapter` is alike."""
    check_blob(path, manifest, adapter)
    if genai and adapter.onnx_adapter is not None:
        import onnxruntime

        file = inside(path, adapter.onnx_adapter)
        stored = onnxruntime.AdapterFormat.read_adapter(str(file)).get_parameters()
        blob = read_blob(inside(path, adapter.file))
        if set(stored) != set(blob):
            slot = min(set(stored) ^ set(blob))
            raise BundleError(f"{file}: '{slot}' is in only one of it and the blob; export again.")
        for name, tensor in blob.items():
            value = stored[name].numpy().astype(BLOB_TYPES[adapter.dtype].numpy).astype(np.float32)
            if not np.array_equal(value, tensor):
                raise BundleError(f"{file}: '{name}' is not what the blob holds; export again.")
    return f"rank {adapter.rank}, trained on this base"


def _check_prompts(bundle: Bundle) -> str:
    """Prompts, names and vocabulary against the bundle's own tokenizer and chat template."""
    from edgetune_export.assets import make_assets
    from edgetune_export.prompts.template import Template

    path, stored = bundle.path, bundle.assets
    if sha256_file(path / TOKENIZER) != bundle.manifest.tokenizer_sha256:
        raise BundleError(
            f"{path / TOKENIZER}: is not the manifest's tokenizer; export the bundle again."
        )
    template = Template.read(path)
    if template.sha256 != bundle.manifest.template_sha256:
        raise BundleError(
            f"{path}: its chat template is not the one of the manifest; export again."
        )
    prompts = next(iter(stored.toolsets.values())).prompts
    fresh = make_assets(
        template,
        [each.toolset for each in stored.toolsets.values()],
        tools_shown=prompts.tools_shown,
        shared=prompts.shared,
        lazy=True,
    )
    token_ids = range(len(fresh.vocabulary))
    if len(stored.vocabulary) != len(fresh.vocabulary) or any(
        stored.vocabulary[token] != fresh.vocabulary[token] for token in token_ids
    ):
        raise BundleError(f"{path / VOCABULARY}: differs from the tokenizer's; export again.")
    if (stored.pieces, stored.reply) != (fresh.pieces, fresh.reply):
        raise BundleError(
            f"{path / PROMPTS}: the pieces differ from the chat template; export again."
        )
    for name, toolset in fresh.toolsets.items():
        if stored.toolsets[name].prompts != toolset.prompts:
            raise BundleError(
                f"{path / PROMPTS}: toolset '{name}' differs from what the chat template gives; "
                "export again."
            )
        if stored.toolsets[name].trie != toolset.trie:
            raise BundleError(
                f"{path / NAMES}: toolset '{name}' differs from what the tokenizer gives; export "
                "again."
            )
    if (stored.router is None) != (fresh.router is None):
        raise BundleError(f"{path / PROMPTS}: has no prompt of routing; export again.")
    if stored.router is not None and fresh.router is not None:
        for file, ours, theirs in (
            (PROMPTS, stored.router.prompts, fresh.router.prompts),
            (NAMES, stored.router.trie, fresh.router.trie),
        ):
            if ours != theirs:
                raise BundleError(
                    f"{path / file}: what routing reads differs from what the bundle's own "
                    "tokenizer and chat template give; export again."
                )
    return "equal to what the base's own tokenizer and chat template give"


def _reference(bundle: Bundle, run: Run | None) -> tuple[Reference, str]:
    directory = bundle.path / REFERENCE
    if run is None:
        wanted, detail = Reference.load(directory), "from the time of export"
    else:
        wanted, detail = _recomputed(run, bundle.manifest), f"computed anew from {run.path}"
    missing = {BASE, *bundle.assets.adapters} - set(wanted.prefills)
    if missing:
        raise BundleError(f"{directory}: lacks {sorted(missing)}; export the bundle again.")
    return wanted, detail


def _recomputed(run: Run, manifest: Manifest) -> Reference:
    if run.base.weights_sha256 != manifest.base.weights_sha256:
        raise BundleError(
            f"{run.path}: its base is {run.base.weights_sha256[:12]}…, the bundle's is "
            f"{manifest.base.weights_sha256[:12]}…; give the run that the bundle was made from."
        )
    return compute_reference(run, run_assets(run), manifest.targets)


def _check_scale(path: Path, adapter: Adapter, wanted: Reference) -> str:
    """Every slot's |A B| against PEFT's own delta, which no graph or engine takes part in."""
    blob = read_blob(inside(path, adapter.file))
    norms = wanted.deltas[adapter.name]
    tolerance = BLOB_TYPES[adapter.dtype].tolerance
    slots = slots_of(blob)
    if set(slots) != set(norms):
        slot = min(set(slots) ^ set(norms))
        raise BundleError(
            f"{path / adapter.file}: slot '{slot}' is in only one of the blob and PEFT's adapter; "
            "export the bundle again."
        )
    for slot in slots:
        found = delta_norm(*(blob[name] for name in tensor_names(slot)))
        if abs(found - norms[slot]) > tolerance * norms[slot]:
            raise BundleError(
                f"{path / adapter.file}: slot '{slot}' changes its weight by {found:.4g} where "
                f"PEFT changes it by {norms[slot]:.4g}; the scale is wrong, export it again."
            )
    return f"{len(slots)} slots, each as large as PEFT's"


def delta_norm(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """The Frobenius norm of `a` `[in, r]` times `b` `[r, out]`, without multiplying them out."""
    inner, outer = a.astype(np.float64), b.astype(np.float64)
    return float(np.sqrt(np.vdot(inner.T @ inner, outer @ outer.T)))


def _open(bundle: Bundle, engine: str, wanted: Reference) -> tuple[Stand, str]:
    stand = open_stand(bundle, engine, wanted)
    return stand, f"a context of {stand.engine.context_length} tokens"
