"""The two builds of android_demo have one table of versions."""

import tomllib
from pathlib import Path
from xml.etree import ElementTree

import pytest

ANDROID = Path(__file__).parents[2] / "android_demo"
VERSIONS = tomllib.loads((ANDROID / "gradle" / "libs.versions.toml").read_text())["versions"]
POMS = sorted(ANDROID.glob("**/pom.xml"))
MAVEN = "{http://maven.apache.org/POM/4.0.0}"


def test_maven_has_the_versions_of_the_table():
    properties = ElementTree.parse(ANDROID / "pom.xml").getroot().find(f"{MAVEN}properties")
    found = {
        each.tag.removeprefix(MAVEN).removesuffix(".version"): each.text
        for each in properties
        if each.tag.endswith(".version")
    }
    assert found.items() <= VERSIONS.items()
    libraries = {"coroutines", "serialization", "onnxruntime", "nativeloader", "junit"}
    assert found.keys() >= {"kotlin", *libraries}


@pytest.mark.parametrize("pom", POMS, ids=lambda pom: pom.parent.name)
def test_no_pom_writes_the_version_of_a_library_itself(pom):
    for dependency in ElementTree.parse(pom).getroot().iter(f"{MAVEN}dependency"):
        version = dependency.find(f"{MAVEN}version")
        assert version is None or version.text.startswith("${")
