"""The manifest of a bundle that is about to be done: every file with its size, its hash, its use.

Who needs a file follows from where it lies. What else the manifest says is `bundle`'s.
"""

from collections.abc import Collection
from pathlib import Path, PurePosixPath

from edgetune_export.lowering.onnx_graph import DATA, MODEL
from edgetune_export.verify.reference import DIRECTORY as REFERENCE
from edgetune_runtime.bundle import DIGEST, MANIFEST, manifest_digest
from edgetune_runtime.files import sha256_file, write_bytes, write_json
from edgetune_runtime.manifest import ANY, GENAI, VERIFY, FileEntry, Manifest

MERGED = "merged"
"""The folder of models with an adapter merged in, which stock onnxruntime-genai loads."""

ONNX_ADAPTER = ".onnx_adapter"
"""How the files end that stock onnxruntime-genai takes adapters from."""


def write_manifest(directory: Path, manifest: Manifest) -> None:
    """Write `manifest` with an entry for every file in `directory`, and its digest."""
    targets = {target.name for target in manifest.targets}
    files = tuple(
        file_entry(directory, path, needed_by(PurePosixPath(path.relative_to(directory)), targets))
        for path in sorted(directory.rglob("*"))
        if path.is_file() and path.name not in (MANIFEST, DIGEST)
    )
    listed = manifest.model_copy(update={"files": files})
    write_json(directory / MANIFEST, listed.model_dump(mode="json"))
    write_bytes(directory / DIGEST, manifest_digest((directory / MANIFEST).read_bytes()))


def file_entry(directory: Path, path: Path, needed_by: str) -> FileEntry:
    """The entry of the file `path` of a bundle in `directory`."""
    return FileEntry(
        path=path.relative_to(directory).as_posix(),
        bytes=path.stat().st_size,
        sha256=sha256_file(path),
        needed_by=needed_by,
    )


def needed_by(path: PurePosixPath, targets: Collection[str]) -> str:
    """Who needs the file `path` of a bundle (`FileEntry.needed_by`)."""
    folder = path.parts[0]
    if folder == REFERENCE:
        return VERIFY
    beside_the_graph = folder == "onnx" and path.name not in (MODEL, DATA)
    if folder == MERGED or path.suffix == ONNX_ADAPTER or beside_the_graph:
        return GENAI
    return folder if folder in targets else ANY
