"""The rungs of `verify` that run no engine: files, blobs, prompts, scales, and the reference.

Each returns its detail or raises BundleError naming the file or slot; which rungs there are, and in
what order, is `ladder`'s.
"""

from collections.abc import Collection
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgetune_export.lowering.targets import TARGETS
from edgetune_export.run import Run, run_assets
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
)
from edgetune_runtime.errors import BundleError
from edgetune_runtime.files import inside, sha256_file
from edgetune_runtime.manifest import Adapter, Manifest, Target
from edgetune_runtime.slots import slots_of, tensor_names


def judge_structure(bundle: Bundle, target: Target) -> str:
    """What can be told of a program that nothing here runs."""
    if target.name not in TARGETS:
        raise BundleError(
            f"{bundle.path / MANIFEST}: target '{target.name}' is none of {', '.join(TARGETS)}; "
            "verify with the version of edgetune that exported it, or export the bundle again."
        )
    bundle.check_target(target)
    return TARGETS[target.name].check(inside(bundle.path, target.model), bundle.manifest)


def judge_files(path: Path, manifest: Manifest, needed_by: Collection[str]) -> str:
    found = check_files(path, manifest, needed_by)
    size = sum(entry.bytes for entry in found)
    return f"{len(found)} files, {size / 1e6:.1f} MB, each as its hash says"


def judge_blob(path: Path, manifest: Manifest, adapter: Adapter, genai: bool) -> str:
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


def judge_prompts(bundle: Bundle) -> str:
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


def open_reference(bundle: Bundle, run: Run | None) -> tuple[Reference, str]:
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


def judge_scale(path: Path, adapter: Adapter, wanted: Reference) -> str:
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
