"""What `android_demo/apk` does to a zip before it is signed, on libraries made here."""

import importlib.machinery
import importlib.util
import sys
import zipfile
from pathlib import Path

import pytest

ANDROID = Path(__file__).parents[2] / "android_demo"
PAGE = 16 * 1024


@pytest.fixture(scope="module")
def apk():
    sys.path.insert(0, str(ANDROID))
    try:
        loader = importlib.machinery.SourceFileLoader("apk", str(ANDROID / "apk"))
        spec = importlib.util.spec_from_loader("apk", loader)
        module = importlib.util.module_from_spec(spec)
        loader.exec_module(module)
    finally:
        sys.path.remove(str(ANDROID))
    return module


def library(alignment: int) -> bytes:
    """A 64-bit ELF file with one segment to load and nothing in it."""
    head = bytearray(64)
    head[:4] = b"\x7fELF"
    head[32:40] = (64).to_bytes(8, "little")
    head[54:56], head[56:58] = (56).to_bytes(2, "little"), (1).to_bytes(2, "little")
    segment = bytearray(56)
    segment[:4] = (1).to_bytes(4, "little")
    segment[48:56] = alignment.to_bytes(8, "little")
    return bytes(head + segment)


def packed(folder: Path, apk, alignment: int, compression: int) -> Path:
    source, target = folder / "source.zip", folder / "target.zip"
    with zipfile.ZipFile(source, "w") as archive:
        archive.writestr("resources.arsc", b"stored", zipfile.ZIP_STORED)
        archive.writestr("classes.dex", b"deflated" * 100, zipfile.ZIP_DEFLATED)
        for abi in ("arm64-v8a", "x86_64"):
            archive.writestr(f"lib/{abi}/libone.so", library(alignment), compression)
    apk.align(source, target)
    return target


def test_libraries_lie_at_pages_and_resources_at_words(tmp_path, apk):
    target = packed(tmp_path, apk, PAGE, zipfile.ZIP_STORED)
    content = target.read_bytes()
    with zipfile.ZipFile(target) as archive:
        assert archive.testzip() is None
        assert apk.check_pages(target, archive) == [
            "lib/arm64-v8a/libone.so",
            "lib/x86_64/libone.so",
        ]
    assert content.index(library(PAGE)) % PAGE == 0
    assert content.index(b"stored") % 4 == 0


@pytest.mark.parametrize(
    ("alignment", "compression", "said"),
    [
        (4096, zipfile.ZIP_STORED, "pages of 4096 bytes"),
        (PAGE, zipfile.ZIP_DEFLATED, "does not lie at a page"),
    ],
)
def test_a_library_that_cannot_be_mapped_is_refused(tmp_path, apk, alignment, compression, said):
    target = packed(tmp_path, apk, alignment, compression)
    with zipfile.ZipFile(target) as archive, pytest.raises(apk.Wrong, match=said):
        apk.check_pages(target, archive)
