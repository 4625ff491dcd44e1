"""Checkpoints of the Hugging Face hub, through its own client: downloads resume, and files are
shared with whatever else uses the client.

Knows nothing of what is in a checkpoint, but for the names of its files.
"""

import json
from pathlib import Path

from edgetune_runtime.errors import InputError

FILES = ("*.json", "*.safetensors", "*.jinja", "merges.txt", "tokenizer.model")
"""What is downloaded of a repository."""

PATIENCE = 5.0
"""Seconds until a hub that does not answer is taken for absent."""


class NoAnswer(InputError):
    """A repository could be had neither from the hub nor from what was downloaded before."""


def snapshot(repository: str, revision: str | None = None) -> Path:
    """The directory of a repository's files, named by its commit.

    Of a hub that does not answer soon, or is not to be asked (`HF_HUB_OFFLINE`), what was
    downloaded before. Raises NoAnswer where that is nothing.
    """
    from huggingface_hub import HfApi, snapshot_download

    failure: Exception | None = None
    try:
        # Asked first, since the download itself waits for an answer without an end.
        HfApi().model_info(repository, revision=revision, timeout=PATIENCE)
    except Exception as error:  # noqa: BLE001 - the client raises a dozen unrelated types
        failure = error
    try:
        return Path(
            snapshot_download(
                repository,
                revision=revision,
                allow_patterns=list(FILES),
                local_files_only=failure is not None,
            )
        )
    except Exception as error:
        raise NoAnswer(
            f"The base '{repository}' is no directory and could not be downloaded "
            f"({type(failure or error).__name__}); check the path, the name and the network."
        ) from error


def downloaded(repository: str) -> Path | None:
    """The whole checkpoint that was downloaded of `repository`, without asking the hub."""
    from huggingface_hub import snapshot_download

    try:
        found = Path(snapshot_download(repository, local_files_only=True))
    except Exception:  # noqa: BLE001 - as above; none was downloaded
        return None
    index = found / "model.safetensors.index.json"
    if index.is_file():
        weights = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    else:
        weights = {"model.safetensors"}
    needed = {"config.json", "tokenizer.json", *weights}
    return found if all((found / name).is_file() for name in needed) else None


def check_hashes(repository: str, directory: Path) -> None:
    """Raise InputError where a file of a snapshot is another than the hub has; it is removed."""
    from huggingface_hub import HfApi

    try:
        told = HfApi().verify_repo_checksums(repository, revision=directory.name)
    except Exception as error:
        raise NoAnswer(
            f"{directory}: was downloaded, but the hub did not tell its hashes "
            f"({type(error).__name__}); run the same command again."
        ) from error
    for mismatch in told.mismatches:
        file = directory / mismatch["path"]
        file.resolve().unlink(missing_ok=True)
        file.unlink(missing_ok=True)
    if told.mismatches:
        raise InputError(
            f"{file}: its hash was not the hub's, it was damaged and is removed; run the same "
            "command again."
        )
