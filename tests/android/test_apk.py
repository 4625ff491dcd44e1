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


def library(alignment: int, *needed: str) -> bytes:
    """A 64-bit ELF file that is mapped whole, and says which libraries it needs."""
    count, mapped = 2, 0x10000  # so that places in the file are none in memory
    strings = b"\0" + b"".join(f"{name}\0".encode() for name in needed)
    places = [strings.index(f"{name}\0".encode()) for name in needed]
    table = 64 + 56 * count
    dynamic = table + len(strings)
    entries = [(1, place) for place in places] + [(5, mapped + table), (0, 0)]
    end = dynamic + 16 * len(entries)

    def numbers(width: int, *values: int) -> bytes:
        return b"".join(value.to_bytes(width, "little") for value in values)

    def segment(kind: int, begin: int, alignment: int) -> bytes:
        size = end - begin
        places = (begin, mapped + begin, mapped + begin, size, size, alignment)
        return numbers(4, kind, 0) + numbers(8, *places)

    head = bytearray(64)
    head[:4] = b"\x7fELF"
    head[32:40] = numbers(8, 64)
    head[54:58] = numbers(2, 56, count)
    return (
        bytes(head)
        + segment(1, 0, alignment)
        + segment(2, dynamic, 8)
        + strings
        + b"".join(numbers(8, *entry) for entry in entries)
    )


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


def folder_of(place: Path, *names: str, content: bytes = b"") -> Path:
    for name in names:
        (place / "x86_64").mkdir(parents=True, exist_ok=True)
        (place / "x86_64" / name).write_bytes(content)
    return place


def test_libraries_come_from_what_is_known_by_name_and_from_folders(tmp_path, apk):
    one = folder_of(tmp_path / "one", "libone.so", "libshared.so")
    two = folder_of(tmp_path / "two", "libtwo.so", "libshared.so")
    assert apk.libraries(["one", str(two)], {"one": one}) == {
        "lib/x86_64/libone.so": one / "x86_64/libone.so",
        "lib/x86_64/libshared.so": one / "x86_64/libshared.so",
        "lib/x86_64/libtwo.so": two / "x86_64/libtwo.so",
    }
    assert apk.libraries([], {"one": one}) == {}


def test_a_folder_without_libraries_is_refused(tmp_path, apk):
    with pytest.raises(apk.Wrong, match=r"nowhere: has no <abi>/lib….so; choose \['one'\]"):
        apk.libraries([str(tmp_path / "nowhere")], {"one": tmp_path})


def test_two_libraries_of_one_name_are_refused(tmp_path, apk):
    one = folder_of(tmp_path / "one", "libshared.so")
    two = folder_of(tmp_path / "two", "libshared.so", content=b"other")
    with pytest.raises(apk.Wrong, match=r"libshared\.so is not .*; pack one engine alone"):
        apk.libraries([str(one), str(two)], {})


def test_a_library_whose_own_libraries_are_not_packed_is_refused(tmp_path, apk):
    target = tmp_path / "target.zip"
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("lib/x86_64/libone.so", library(PAGE, "libc.so", "libtwo.so"))
        archive.writestr("lib/arm64-v8a/libtwo.so", library(PAGE, "liblog.so"))
    with (
        zipfile.ZipFile(target) as archive,
        pytest.raises(apk.Wrong, match=r"x86_64/libone.so needs libtwo.so, which is not packed"),
    ):
        apk.check_links(target, archive)
    with zipfile.ZipFile(target, "a") as archive:
        archive.writestr("lib/x86_64/libtwo.so", library(PAGE))
        apk.check_links(target, archive)
