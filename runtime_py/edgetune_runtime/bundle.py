"""Reading a bundle: everything in it is checked against its manifest before any of it is used.

What every engine needs is checked when a bundle is opened, a target's own files when its engine is
(`engines`), the rest by `edgetune verify`: so a part of a bundle is whole for the engine whose
files it has. Writing one is `edgetune_export.bundle`'s. This module knows the bundle's layout and
hashes; it opens no engine.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from tokenizers import Tokenizer

from edgetune_runtime.adapters import BASE_KEY, read_blob, read_blob_metadata
from edgetune_runtime.assets import AdapterSource, Assets, RouterAssets, ToolsetAssets
from edgetune_runtime.automaton import Automaton
from edgetune_runtime.calls import Toolset
from edgetune_runtime.errors import AdapterError, BundleError, InputError
from edgetune_runtime.files import inside, sha256_bytes, sha256_file
from edgetune_runtime.manifest import (
    ANY,
    SCHEMA_VERSION,
    SKILL,
    Adapter,
    FileEntry,
    Manifest,
    Target,
    ToolsetEntry,
)
from edgetune_runtime.prompt import Prompts
from edgetune_runtime.slots import base_shapes, check_tensors
from edgetune_runtime.toolsets import read_toolsets, toolset_sha256
from edgetune_runtime.trie import NameTrie, Tries
from edgetune_runtime.vocabulary import Vocabulary

MANIFEST = "manifest.json"
DIGEST = "manifest.sha256"
TOKENIZER = "tokenizer.json"
TOOLS = "tools.json"
PROMPTS = "prompts.json"
NAMES = "names.json"
VOCABULARY = "vocabulary.safetensors"

KV_TYPES = ("float32", "float16")
"""Types of keys and values that engines here have."""

_NAMED = 3
"""Missing files of a kind that a sentence names; the others it counts."""

_Model = TypeVar("_Model", bound=BaseModel)


@dataclass(frozen=True)
class Bundle:
    """A bundle that was found whole, but for what belongs to single targets (`check_target`)."""

    path: Path
    manifest: Manifest
    assets: Assets
    hashes: bool = True
    """Whether a target's files are held against their hashes, or their sizes alone."""

    def check_target(self, target: Target) -> None:
        """Every file of `target` is there as the manifest says. Raises BundleError naming one."""
        check_files(self.path, self.manifest, (target.name,), hashes=self.hashes)
        _check_listed(self.path, self.manifest, [target.model], target.name)

    def kv_type(self, target: Target) -> str:
        """The type of its keys and values. Raises BundleError for one that no engine here has."""
        if target.kv_type not in KV_TYPES:
            raise BundleError(
                f"{self.path / MANIFEST}: target '{target.name}' keeps keys and values in "
                f"'{target.kv_type}', expected one of {', '.join(KV_TYPES)}; use the version of "
                "edgetune that exported it, or export the bundle again."
            )
        return target.kv_type

    def number(self, target: Target, option: str) -> int:
        """An option of `target` that is a whole number from 1 on. Raises BundleError naming it."""
        found = target.options.get(option)
        if not isinstance(found, int) or found < 1:
            raise BundleError(
                f"{self.path / MANIFEST}: target '{target.name}', option '{option}' is {found!r} "
                "where a whole number was expected; export the bundle again."
            )
        return found


def open_bundle(path: Path, check: bool = True) -> Bundle:
    """The bundle in directory `path`.

    With `check` the digest of the manifest, the SHA-256 of every file that any engine needs and
    every blob's base and slots are compared first, and those of a target when its engine is opened;
    without, only sizes (for a bundle that was checked before). Raises InputError where there is no
    bundle and BundleError for the first thing that does not match.
    """
    manifest = read_manifest(path)
    check_files(path, manifest, (ANY,), hashes=check)
    _check_listed(path, manifest, _shared_paths(manifest), ANY)
    if check:
        for adapter in manifest.adapters:
            check_blob(path, manifest, adapter)
    return Bundle(path, manifest, _assets(path, manifest), hashes=check)


def read_manifest(path: Path) -> Manifest:
    """The manifest of the bundle at `path`, held against its digest and schema version."""
    if not (path / MANIFEST).is_file():
        raise InputError(
            f"{path}: no bundle is here ({MANIFEST} is missing); give the directory that "
            "'edgetune export' wrote."
        )
    content = (path / MANIFEST).read_bytes()
    if not (path / DIGEST).is_file():
        raise BundleError(f"{path / DIGEST}: missing, so nothing can be checked; export again.")
    expected = manifest_digest(content)
    if (path / DIGEST).read_bytes() != expected:
        raise BundleError(
            f"{path / MANIFEST}: {DIGEST} is not its SHA-256 ({expected[:12].decode()}…) and name: "
            "one of the two was changed; copy or export the bundle again."
        )
    try:
        version = json.loads(content)["schema_version"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BundleError(
            f"{path / MANIFEST}: is no manifest ({error!r}); export again."
        ) from error
    if version != SCHEMA_VERSION:
        raise BundleError(
            f"{path / MANIFEST}: schema version {version}, but this edgetune reads "
            f"{SCHEMA_VERSION}; export the bundle again with this version of edgetune."
        )
    return _parse(Manifest, path / MANIFEST)


def manifest_digest(content: bytes) -> bytes:
    """All that `manifest.sha256` holds for a manifest of `content`, as `sha256sum` writes it."""
    return f"{sha256_bytes(content)}  {MANIFEST}\n".encode()


def check_files(
    path: Path, manifest: Manifest, needed_by: Collection[str], hashes: bool = True
) -> list[FileEntry]:
    """The files that one of `needed_by` needs, each of its size (and, with `hashes`, its SHA-256).

    Raises BundleError naming those that are missing, or the first that is another.
    """
    needed = [entry for entry in manifest.files if entry.needed_by in needed_by]
    missing = [entry for entry in needed if not inside(path, entry.path).is_file()]
    if missing:
        raise BundleError(_missing(path, missing))
    for entry in needed:
        file = inside(path, entry.path)
        size = file.stat().st_size
        if size != entry.bytes:
            raise BundleError(
                f"{file}: has {size} bytes where the manifest says {entry.bytes}; copy or export "
                "the bundle again."
            )
        if hashes and sha256_file(file) != entry.sha256:
            raise BundleError(
                f"{file}: its content is not what the manifest says (SHA-256 differs); copy or "
                "export the bundle again."
            )
    return needed


def _missing(path: Path, entries: Sequence[FileEntry]) -> str:
    """Which files a bundle, or a part of one, lacks, and who needs them."""
    lacking: dict[str, list[str]] = {}
    for entry in entries:
        lacking.setdefault(entry.needed_by, []).append(entry.path)
    told = []
    for needed_by, names in lacking.items():
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        told.append(f"{', '.join(names[:_NAMED])}{more} (needed by {needed_by})")
    return f"{path}: lacks {', '.join(told)}; copy the bundle again, or export it."


def _check_listed(path: Path, manifest: Manifest, used: Sequence[str], needed_by: str) -> None:
    """Every file of `used` is among those that `needed_by` needs, so that it was checked."""
    listed = {entry.path for entry in manifest.files if entry.needed_by == needed_by}
    for name in used:
        if name not in listed:
            raise BundleError(
                f"{path / name}: used by the bundle but not listed in {MANIFEST} as needed by "
                f"'{needed_by}', so that it cannot be checked; export the bundle again."
            )


def check_blob(path: Path, manifest: Manifest, adapter: Adapter) -> None:
    """The adapter's blob was trained on this base, and its tensors fit the base's slots.

    Raises BundleError naming the file, and the tensor where one does not fit.
    """
    file = inside(path, adapter.file)
    trained_on = read_blob_metadata(file).get(BASE_KEY)
    for said_by, base in ((file, trained_on), (path / MANIFEST, adapter.base_sha256)):
        if base != manifest.base.weights_sha256:
            raise BundleError(
                f"{said_by}: adapter '{adapter.name}' was trained on base "
                f"{str(base)[:12]}…, but this bundle's base is "
                f"{manifest.base.weights_sha256[:12]}…; train the adapter on this base."
            )
    try:
        check_tensors(read_blob(file), base_shapes(manifest.slots), adapter.rank)
    except AdapterError as error:
        raise BundleError(f"{file}: {error}") from error


def _shared_paths(manifest: Manifest) -> list[str]:
    used = [TOKENIZER, VOCABULARY, TOOLS, PROMPTS, NAMES]
    used += [adapter.file for adapter in manifest.adapters]
    for toolset in manifest.toolsets:
        used += toolset.grammars.values()
    return used


def _assets(path: Path, manifest: Manifest) -> Assets:
    toolsets = read_toolsets(path / TOOLS)
    prompts, tries = _parse(Prompts, path / PROMPTS), _parse(Tries, path / NAMES)
    sizes = {entry.path: entry for entry in manifest.files}
    adapters = {
        adapter.name: AdapterSource(
            adapter.name,
            adapter.rank,
            sizes[adapter.file].sha256,
            sizes[adapter.file].bytes,
            partial(read_blob, inside(path, adapter.file)),
            adapter.invocation,
            adapter.selection_temperature,
        )
        for adapter in manifest.adapters
    }
    try:
        tokenizer = Tokenizer.from_file(str(path / TOKENIZER))
    except Exception as error:
        raise BundleError(
            f"{path / TOKENIZER}: cannot be read as a tokenizer ({error}); export again."
        ) from error
    return Assets(
        tokenizer,
        _vocabulary(path, manifest, tokenizer),
        prompts.pieces,
        prompts.reply,
        {
            entry.name: _toolset_assets(path, manifest, entry, toolsets, prompts, tries, adapters)
            for entry in manifest.toolsets
        },
        adapters,
        manifest.base.end_tokens,
        _router(path, manifest, prompts, tries, adapters),
        next((adapter.name for adapter in manifest.adapters if adapter.role == SKILL), None),
    )


def _vocabulary(path: Path, manifest: Manifest, tokenizer: Tokenizer) -> Vocabulary:
    """The bytes of the tokenizer's ids, none beyond the base's logits."""
    vocabulary = Vocabulary.load(path / VOCABULARY)
    least, most = tokenizer.get_vocab_size(), manifest.base.vocab_size
    if len(vocabulary) < least or vocabulary.text_ids.max(initial=0) >= most:
        raise BundleError(
            f"{path / VOCABULARY}: has {len(vocabulary)} tokens where the tokenizer has {least} "
            f"and the base {most}; export the bundle again."
        )
    return vocabulary


def _router(
    path: Path,
    manifest: Manifest,
    prompts: Prompts,
    tries: Tries,
    adapters: Mapping[str, AdapterSource],
) -> RouterAssets | None:
    if manifest.router is not None and manifest.router not in adapters:
        raise BundleError(
            f"{path / MANIFEST}: routing uses adapter '{manifest.router}', which the bundle does "
            "not hold; export again."
        )
    if prompts.router is None:
        if manifest.router is not None:
            raise BundleError(
                f"{path / PROMPTS}: has no prompt for the adapter '{manifest.router}'; export "
                "again."
            )
        return None
    names = [entry.name for entry in manifest.toolsets]
    trie = _trie(path, manifest, "the router", tries.router, names)
    return RouterAssets(prompts.router, trie, manifest.router)


def _toolset_assets(
    path: Path,
    manifest: Manifest,
    entry: ToolsetEntry,
    toolsets: Mapping[str, Toolset],
    prompts: Prompts,
    tries: Tries,
    adapters: Mapping[str, AdapterSource],
) -> ToolsetAssets:
    for file, names in ((TOOLS, toolsets), (PROMPTS, prompts.toolsets)):
        if entry.name not in names:
            raise BundleError(
                f"{path / file}: toolset '{entry.name}' of the manifest is missing; export again."
            )
    toolset = toolsets[entry.name]
    if toolset_sha256(toolset) != entry.tools_sha256:
        raise BundleError(
            f"{path / TOOLS}: toolset '{entry.name}' is not the one that the bundle was made for; "
            "export the bundle again with these tools."
        )
    used = [entry.selector, entry.monolithic, *entry.arguments.values()]
    for adapter in used:
        if adapter is not None and adapter not in adapters:
            raise BundleError(
                f"{path / MANIFEST}: toolset '{entry.name}' uses adapter '{adapter}', which the "
                "bundle does not hold; export again."
            )
    for tool in toolset.tools:
        if tool.has_parameters and tool.name not in entry.grammars:
            raise BundleError(
                f"{path / MANIFEST}: tool '{tool.name}' has no grammar; export the bundle again."
            )
        if tool.name not in prompts.toolsets[entry.name].arguments:
            raise BundleError(
                f"{path / PROMPTS}: tool '{tool.name}' has no prompt; export the bundle again."
            )
    trie = tries.toolsets.get(entry.name)
    return ToolsetAssets(
        toolset,
        prompts.toolsets[entry.name],
        _trie(path, manifest, f"toolset '{entry.name}'", trie, toolset.names),
        {tool: Automaton.load(inside(path, grammar)) for tool, grammar in entry.grammars.items()},
        entry.selector,
        entry.arguments,
        entry.monolithic,
        entry.copied,
    )


def _trie(
    path: Path, manifest: Manifest, owner: str, trie: NameTrie | None, names: Sequence[str]
) -> NameTrie:
    if trie is None or sorted(trie.names) != sorted(names):
        raise BundleError(
            f"{path / NAMES}: {owner} has the names {trie and list(trie.names)} where "
            f"{list(names)} were expected; export the bundle again."
        )
    if trie.largest_id >= manifest.base.vocab_size:
        raise BundleError(
            f"{path / NAMES}: {owner} has token {trie.largest_id} where the base has "
            f"{manifest.base.vocab_size}; export the bundle again."
        )
    return trie


def _parse(model: type[_Model], path: Path) -> _Model:
    try:
        return model.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise BundleError(f"{path}: {place}: {first['msg']}; export the bundle again.") from error
