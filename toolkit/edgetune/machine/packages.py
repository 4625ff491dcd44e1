"""The packages that edgetune asks for: what is installed here, and what was tested.

Reads metadata alone and imports none of them.
"""

from dataclasses import dataclass, field
from importlib import metadata

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from edgetune.shipped import shipped
from edgetune_runtime.errors import InputError

_SUMMARIES = ("all", "dev")
"""Extras for whoever wants everything, or works on edgetune itself."""


@dataclass
class Package:
    """One package that edgetune asks for."""

    name: str
    installed: str | None
    """Version, None where it is not installed."""
    tested: str | None
    """The version in constraints.txt."""
    asked: SpecifierSet = field(default_factory=SpecifierSet)
    """Which versions serve."""
    extras: list[str] = field(default_factory=list)
    """The extras of edgetune's that bring it; none where it always comes along."""

    @property
    def serves(self) -> bool | None:
        """Whether the installed version is one of those asked for; None where none is installed."""
        return None if self.installed is None else self.asked.contains(self.installed, True)

    @property
    def is_the_tested_one(self) -> bool:
        """Whether the installed version is the tested one; builds (`+cpu`) are not told apart."""
        if self.installed is None or self.tested is None:
            return False
        return Version(self.installed).public == self.tested


def read_packages() -> list[Package]:
    """All packages that this edgetune asks for, those first that always come along.

    Raises InputError where edgetune itself is not installed, only importable.
    """
    try:
        lines = metadata.requires("edgetune") or []
    except metadata.PackageNotFoundError as error:
        raise InputError(
            "edgetune: can be imported but is not installed, so nothing tells what it asks for; "
            "run 'pip install -e .' in its folder."
        ) from error
    known = metadata.metadata("edgetune").get_all("Provides-Extra") or []
    tested = _tested()
    found: dict[str, Package] = {}
    for requirement in map(Requirement, lines):
        name, marker = canonicalize_name(requirement.name), requirement.marker
        extras = [each for each in known if marker and marker.evaluate({"extra": each})]
        served = set(extras) - set(_SUMMARIES)
        if name == "edgetune" or (marker and not served):  # or a package of other platforms
            continue
        package = found.setdefault(name, Package(name, _installed(name), tested.get(name)))
        package.asked &= requirement.specifier
        package.extras += sorted(served - set(package.extras))
    return sorted(found.values(), key=lambda package: (bool(package.extras), package.name))


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _tested() -> dict[str, str]:
    """Version by name, from constraints.txt; empty where it did not come along."""
    try:
        lines = shipped("constraints.txt").read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    pinned = [line.split("==") for line in lines if "==" in line and not line.startswith("#")]
    return {canonicalize_name(name): version.strip() for name, version in pinned}
