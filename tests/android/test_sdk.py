"""What `android_demo/sdk.py` makes of npm's package of ExecuTorch, on archives made here."""

import base64
import hashlib
import importlib
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

ANDROID = Path(__file__).parents[2] / "android_demo"
NAME = "react-native-executorch@0.8.5"


@pytest.fixture
def sdk(monkeypatch):
    monkeypatch.syspath_prepend(str(ANDROID))
    return importlib.import_module("sdk")


def zipped(**content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return file.getvalue()


def test_a_package_that_is_another_one_is_refused(tmp_path, sdk, monkeypatch):
    archive = tmp_path / "react-native-executorch-0.8.5.tgz"
    monkeypatch.setattr(sdk, "run", lambda command: archive.write_bytes(b"content"))
    sha512 = base64.b64encode(hashlib.sha512(b"content").digest()).decode()
    assert sdk.npm_package(NAME, sha512, tmp_path) == archive
    with pytest.raises(sdk.Unavailable, match=r"its SHA-512 is .*, expected other; fetch it again"):
        sdk.npm_package(NAME, "other", tmp_path)


def test_executorch_is_its_classes_and_its_natives_with_those_they_need(tmp_path, sdk):
    package, fbjni, target = (tmp_path / name for name in ("package.tgz", "fbjni.aar", "target"))
    with tarfile.open(package, "w:gz") as tar:
        place = "third-party/android/libs/executorch"
        libraries = {f"{place}/{abi}/libexecutorch.so" for abi in sdk.ABIS}
        jar = zipped(**{"org/pytorch/executorch/Module.class": b"m", "META-INF/MANIFEST.MF": b""})
        for name in ("android/libs/classes.jar", "third-party/ios/unneeded", *libraries):
            content = jar if name.endswith(".jar") else name.encode()
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    aar = {"classes.jar": zipped(**{"com/facebook/jni/HybridData.class": b"h"})}
    for abi in (*sdk.ABIS, "x86"):
        for name in ("libfbjni.so", "libc++_shared.so"):
            aar[f"jni/{abi}/{name}"] = f"{abi} {name}".encode()
    fbjni.write_bytes(zipped(**aar))
    sdk.unpack_executorch(package, fbjni, target)
    made = {str(path.relative_to(target)) for path in target.rglob("*") if path.is_file()}
    names = ("libexecutorch.so", "libfbjni.so", "libc++_shared.so")
    assert made - {"executorch.jar", "fbjni.jar"} == {
        "classes/org/pytorch/executorch/Module.class",
        "classes/com/facebook/jni/HybridData.class",
        *(f"natives/{abi}/{name}" for abi in ("arm64-v8a", "x86_64") for name in names),
    }
    assert (target / "natives/x86_64/libfbjni.so").read_bytes() == b"x86_64 libfbjni.so"
