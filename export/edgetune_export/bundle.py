"""Writing a bundle: everything that a phone needs of a run, with a hash for each byte of it.

    manifest.json  manifest.sha256  tokenizer.json (and its configuration)  vocabulary.safetensors
    tools.json  prompts.json  names.json
    grammars/<toolset>/<tool>.safetensors   adapters/<adapter>.safetensors
    onnx/  executorch/  qnn/<soc>/  merged/<adapter>/  reference/

A bundle is written beside its place and renamed, so that a good one never gives way to a half. What
the files mean to a phone is the runtime's (`edgetune_runtime.bundle`).
"""

import json
import re
import tempfile
import zipfile
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePosixPath

from edgetune_export.base_size import is_large
from edgetune_export.listing import MERGED, ONNX_ADAPTER, write_manifest
from edgetune_export.lowering import cache
from edgetune_export.lowering.chips import DEFAULT_CHIPS, find_chips
from edgetune_export.lowering.onnx import accuracy_level, export_onnx, write_onnx_adapter
from edgetune_export.lowering.targets import TARGETS, Wishes, find_lowering
from edgetune_export.merge import merge_adapter
from edgetune_export.progress import stage, track
from edgetune_export.run import Run, RunAdapter, read_adapter, run_assets
from edgetune_export.slots import write_blob
from edgetune_export.verify.reference import DIRECTORY as REFERENCE
from edgetune_export.verify.reference import compute_reference
from edgetune_runtime.adapters import BASE_KEY
from edgetune_runtime.assets import Assets
from edgetune_runtime.blob_types import BLOB_TYPES, DEFAULT_BLOB_TYPE, HALF_BLOB_TYPE
from edgetune_runtime.bundle import (
    DIGEST,
    MANIFEST,
    NAMES,
    PROMPTS,
    TOKENIZER,
    TOOLS,
    VOCABULARY,
)
from edgetune_runtime.errors import InputError, unknown
from edgetune_runtime.files import (
    replaced_directory,
    require_own_directory,
    require_replaceable,
    sha256_file,
    write_bytes,
    write_json,
)
from edgetune_runtime.manifest import Adapter, Base, Manifest, ToolsetEntry
from edgetune_runtime.prompt import Prompts
from edgetune_runtime.toolsets import dump_toolsets, toolset_sha256
from edgetune_runtime.trie import Tries


def write_bundle(
    run: Run,
    output: Path,
    targets: Sequence[str],
    *,
    merge: str | None = None,
    blob_type: str | None = None,
    socs: Sequence[str] = DEFAULT_CHIPS,
    int8_activations: bool | None = None,
    genai: bool = False,
    zip: bool = False,
    force: bool = False,
) -> None:
    """Write the bundle of `run` into the directory `output`, and `output`.zip with `zip`.

    `blob_type` None is float32, or float16 for a large base (`base_size`); `socs` are what `qnn`
    compiles for; `int8_activations` is `onnx`'s choice (`Wishes`); `merge` names an adapter of
    which a single merged model is written too; `genai` also writes each adapter as stock
    onnxruntime-genai takes it. Raises InputError for an unknown target, chip, adapter or blob type,
    for a run on a float base, and where `output` is something else than a bundle, or, without
    `force`, the zip than the zip of one or a file in `output` than one of the bundle's;
    GrammarError for a schema that cannot be compiled. `output` is untouched then.
    """
    run.base.require_codes(f"{run.path}: edgetune export")
    targets = list(dict.fromkeys(targets))
    lowerings = [find_lowering(target) for target in targets]
    for lowering in [*lowerings, *([] if merge is None else [TARGETS["onnx"]])]:
        lowering.accept(run.base)
    chips = find_chips(socs)
    if blob_type is None:
        blob_type = HALF_BLOB_TYPE if is_large(run.base.parameters) else DEFAULT_BLOB_TYPE
    if blob_type not in BLOB_TYPES:
        raise unknown("--blob-type", blob_type, BLOB_TYPES)
    require_own_directory(output, (MANIFEST, DIGEST), "bundle")
    strangers = [] if force else _strangers(output)
    if strangers:
        raise InputError(
            f"{strangers[0]}: is no file of the bundle and would be lost with it; move it, or give "
            "--force."
        )
    if zip:
        require_replaceable(_zip_path(output), _is_bundle_zip, force=force)
    merged = None if merge is None else run.adapter(merge)
    assets = run_assets(run)
    with replaced_directory(output) as fresh:
        largest = max((adapter.rank for adapter in assets.adapters.values()), default=0)
        wishes = Wishes(largest, chips, int8_activations)
        lowered = tuple(cache.lower(name, run.base, fresh, wishes) for name in targets)
        adapters = tuple(
            _write_adapter(run, adapter, fresh, blob_type, genai)
            for adapter in track(run.adapters, "Writing adapters")
        )
        toolsets = _write_toolsets(run, assets, fresh)
        if merged is not None:
            _write_merged(run, merged, fresh, int8_activations)
        compute_reference(run, assets, lowered).save(fresh / REFERENCE)
        write_manifest(
            fresh,
            Manifest(
                edgetune=_version(),
                name=output.resolve().name,
                base=_base(run),
                tokenizer_sha256=sha256_file(fresh / TOKENIZER),
                template_sha256=run.base.template.sha256,
                slots=run.base.slots(),
                toolsets=toolsets,
                router=assets.router.adapter if assets.router else None,
                adapters=adapters,
                targets=lowered,
                files=(),
            ),
        )
        if zip:
            with stage("Zipping"):
                _write_zip(fresh, output)


def _write_adapter(run: Run, adapter: RunAdapter, fresh: Path, dtype: str, genai: bool) -> Adapter:
    """Write an adapter as a blob and, for `genai`, as an `.onnx_adapter` beside it."""
    found = read_adapter(run, adapter)
    file = f"adapters/{_file_name(adapter.name)}.safetensors"
    metadata = {
        "format": "edgetune-delta-1",
        "adapter": adapter.name,
        BASE_KEY: run.base.weights_sha256,
        "rank": str(found.rank),
        "scale_in_b": repr(found.scale),
        "rslora": str(found.rslora).lower(),
    }
    write_blob(fresh / file, found.tensors, metadata, dtype)
    onnx_file = file.removesuffix(".safetensors") + ONNX_ADAPTER if genai else None
    if onnx_file is not None:
        write_onnx_adapter(found.tensors, fresh / onnx_file)
    return Adapter(
        name=adapter.name,
        role=adapter.role,
        toolset=adapter.toolset,
        tool=adapter.tool,
        rank=found.rank,
        scale=found.scale,
        rslora=found.rslora,
        kind="alora" if found.invocation else "lora",
        invocation=found.invocation,
        file=file,
        dtype=dtype,
        base_sha256=run.base.weights_sha256,
        data_sha256=adapter.data_sha256,
        onnx_adapter=onnx_file,
        selection_temperature=adapter.selection_temperature,
        start_base_sha256=adapter.start_base_sha256,
    )


def _write_toolsets(run: Run, assets: Assets, fresh: Path) -> tuple[ToolsetEntry, ...]:
    """Write tokenizer, vocabulary, tools, prompts, names and grammars."""
    run.base.tokenizer.save_pretrained(fresh)
    # As training encoded: without what a batch's padding has left in the tokenizer.
    write_bytes(fresh / TOKENIZER, assets.tokenizer.to_str(pretty=True).encode())
    assets.vocabulary.save(fresh / VOCABULARY)
    write_json(fresh / TOOLS, dump_toolsets(run.toolsets.values()))
    prompts = Prompts(
        pieces=assets.pieces,
        reply=assets.reply,
        toolsets={name: toolset.prompts for name, toolset in assets.toolsets.items()},
        router=assets.router.prompts if assets.router else None,
    )
    write_json(fresh / PROMPTS, prompts.model_dump(mode="json"))
    tries = Tries(
        toolsets={name: toolset.trie for name, toolset in assets.toolsets.items()},
        router=assets.router.trie if assets.router else None,
    )
    write_json(fresh / NAMES, tries.model_dump(mode="json"))
    entries = []
    for name, toolset in assets.toolsets.items():
        grammars = {
            tool: f"grammars/{_file_name(name)}/{_file_name(tool)}.safetensors"
            for tool in toolset.automata
        }
        for tool, automaton in toolset.automata.items():
            automaton.save(fresh / grammars[tool])
        entries.append(
            ToolsetEntry(
                name=name,
                description=toolset.toolset.description,
                tools_sha256=toolset_sha256(toolset.toolset),
                selector=toolset.selector,
                arguments=dict(toolset.arguments),
                monolithic=toolset.monolithic,
                grammars=grammars,
                copied={tool: tuple(keys) for tool, keys in toolset.copied.items()},
            )
        )
    return tuple(entries)


def _write_merged(
    run: Run, adapter: RunAdapter, fresh: Path, int8_activations: bool | None
) -> None:
    """One model with the adapter merged in, for whoever wants a single task and no slots."""
    with (
        stage(f"Merging {adapter.name}"),
        tempfile.TemporaryDirectory(prefix=".merging-", dir=fresh) as place,
    ):
        merged = merge_adapter(run.base, adapter.directory, Path(place) / "base")
        level = accuracy_level(merged, int8_activations)
        directory = fresh / MERGED / _file_name(adapter.name)
        export_onnx(merged, directory, slots=False, accuracy_level=level)


def _base(run: Run) -> Base:
    shape = run.base.shape
    return Base(
        name=run.base.name,
        revision=run.base.revision,
        family=shape.family,
        weights_sha256=run.base.weights_sha256,
        embedding_bits=run.base.embedding_bits,
        vocab_size=shape.vocab_size,
        hidden_size=shape.hidden_size,
        layers=shape.layers,
        attention_heads=shape.attention_heads,
        kv_heads=shape.kv_heads,
        head_dim=shape.head_dim,
        context_length=shape.context_length,
        end_tokens=run.base.end_tokens,
    )


def _write_zip(directory: Path, output: Path) -> None:
    """`output`.zip, whole or not at all; its one top-level folder is called as the bundle is."""
    target = _zip_path(output)
    handle = tempfile.NamedTemporaryFile(  # noqa: SIM115 - renamed, so not the context's to remove
        prefix=f".{target.name}.", dir=target.parent, delete=False
    )
    fresh = Path(handle.name)
    try:
        with handle, zipfile.ZipFile(handle, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(directory.rglob("*")):
                if path.is_file():
                    archive.write(path, Path(target.stem) / path.relative_to(directory))
        fresh.chmod(0o644)
        fresh.replace(target)
    finally:
        fresh.unlink(missing_ok=True)


def _strangers(bundle: Path) -> list[Path]:
    """Files in an earlier bundle that were put there by somebody else."""
    try:
        listed = json.loads((bundle / MANIFEST).read_bytes())["files"]
        own = {bundle / entry["path"] for entry in listed} | {bundle / MANIFEST, bundle / DIGEST}
    except (OSError, ValueError, LookupError, TypeError):
        return []  # nothing there, or nothing that tells
    return sorted(path for path in bundle.rglob("*") if path.is_file() and path not in own)


def _zip_path(output: Path) -> Path:
    output = output.resolve()
    return output.with_name(output.name + ".zip")


def _is_bundle_zip(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(PurePosixPath(name).name == DIGEST for name in archive.namelist())


def _file_name(name: str) -> str:
    """`name` as a file name: what a path could be misread by becomes `_`."""
    return re.sub(r"[^\w.-]", "_", name)


def _version() -> str:
    try:
        return version("edgetune")
    except PackageNotFoundError:
        return "unknown"
