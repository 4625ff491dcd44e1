"""What a phone lacks of a bundle: the files that its engine needs, held against what lies there.

Compares hashes; runs nothing.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgetune.phone import app
from edgetune_runtime.bundle import DIGEST, MANIFEST, Bundle, check_files
from edgetune_runtime.files import sha256_file
from edgetune_runtime.manifest import ANY, FileEntry, Target


@dataclass(frozen=True)
class Plan:
    """What brings a phone from what it holds to a bundle."""

    name: str
    """Of the bundle's folder there."""
    wanted: tuple[FileEntry, ...]
    """What is to lie in that folder; the app has the rest in its own."""
    missing: tuple[FileEntry, ...]
    """Those of `wanted` that do not lie there, or otherwise."""
    stale: tuple[str, ...]
    """Paths there that are not wanted."""
    arrived: bool
    """Nothing is to be done: it lies there whole, or the app has taken it in."""
    reopened: bool
    """Another version came whole earlier, and becomes the new one."""

    @property
    def push_bytes(self) -> int:
        """How much is to be pushed."""
        return sum(entry.bytes for entry in self.missing)


def needed_files(bundle: Bundle, target: Target) -> tuple[FileEntry, ...]:
    """What the engine of `target` needs, the manifest last.

    Raises BundleError where one of them is not as the manifest says.
    """
    bundle.check_target(target)
    entries = check_files(bundle.path, bundle.manifest, (ANY, target.name), hashes=False)
    return (*entries, *(_unlisted(bundle.path / name) for name in (DIGEST, MANIFEST)))


def _unlisted(file: Path) -> FileEntry:
    """The entry of a file that no manifest lists: the manifest itself, and its digest."""
    size, digest = file.stat().st_size, sha256_file(file)
    return FileEntry(path=file.name, bytes=size, sha256=digest, needed_by=ANY)


def make_plan(
    name: str, needed: Sequence[FileEntry], there: Mapping[str, str], held: Collection[str]
) -> Plan:
    """Hold the files `needed` against what the phone has.

    `there` is the SHA-256 of what lies in the app's shared folder, by path; `held` those of what
    the app says to have taken in.
    """
    if all(entry.sha256 in held for entry in needed):
        return Plan(name, (), (), (), arrived=True, reopened=False)
    always = (MANIFEST, DIGEST)
    wanted = tuple(each for each in needed if each.path in always or each.sha256 not in held)
    expected = {entry.path: entry.sha256 for entry in wanted}
    coming, came = below(app.incoming(name), there), below(app.arrived(name), there)
    arrived = came == expected and not coming
    reopened = bool(came) and not coming and not arrived
    found = came if arrived or reopened else coming
    return Plan(
        name,
        wanted,
        missing=tuple(entry for entry in wanted if found.get(entry.path) != entry.sha256),
        stale=tuple(sorted(found.keys() - expected.keys())),
        arrived=arrived,
        reopened=reopened,
    )


def below(folder: str, there: Mapping[str, str]) -> dict[str, str]:
    """What lies in `folder`, by path from there on."""
    start = f"{folder}/"
    return {path[len(start) :]: each for path, each in there.items() if path.startswith(start)}
