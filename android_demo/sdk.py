"""What an Android SDK gives and this build needs, fetched once, without root: no SDK is installed.

aapt2, zipalign, apksigner and dexdump are Debian's; the framework's classes and R8 are Maven's;
ExecuTorch, whose AAR Maven cannot read, is what npm's react-native-executorch carries of it, on
Maven's fbjni. All of it lies in one folder (`EDGETUNE_ANDROID`, else ~/.cache/edgetune/android),
which later runs find again. Run as a script it makes what the modules need: `python3 sdk.py fetch`,
`… resources APP`, `… executorch CLASSES`.
"""

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

PACKAGE = "dev.edgetune.demo"
MIN_SDK, TARGET_SDK = 26, 34
"""Android 8.0, below which the app does not start, and 14, which it is made and tested for."""

_TABLE = Path(__file__).parent / "gradle" / "libs.versions.toml"
_VERSIONS = tomllib.loads(_TABLE.read_text())["versions"]
FRAMEWORK = f"org.robolectric:android-all:{_VERSIONS['android-all']}"
INSTRUMENTED = f"org.robolectric:android-all-instrumented:{_VERSIONS['android-all-instrumented']}"
MONITOR = f"androidx.test:monitor:{_VERSIONS['monitor']}:aar"
R8 = f"com.android.tools:r8:{_VERSIONS['r8']}"

FBJNI = f"com.facebook.fbjni:fbjni:{_VERSIONS['fbjni']}:aar"

MAVEN = (FRAMEWORK, INSTRUMENTED, MONITOR, R8)

EXECUTORCH = f"react-native-executorch@{_VERSIONS['react-native-executorch']}"
EXECUTORCH_SHA512 = (
    "MnJed2mO0Up8+iznsI9mAhmS1ZOTLeCoSRbemETGU1aPq3veib55inm1N1eCr1ktklKK25KeU8Hww177JNDcZg=="
)
"""Of the package as npm has it, in base64 as npm writes it; another version has another."""
ABIS = ("arm64-v8a", "x86_64")

DEBIAN = (
    *("aapt", "zipalign", "apksigner", "libapksig-java", "dexdump"),
    *("android-libaapt", "android-libandroidfw", "android-libart", "android-libbacktrace"),
    *("android-libbase", "android-libcutils", "android-liblog", "android-libnativebridge"),
    *("android-libnativeloader", "android-libutils", "android-libziparchive"),
    *("libprotobuf-lite32", "libzopfli1", "libexpat1", "libpng16-16", "p7zip-full", "libunwind8"),
)


class Unavailable(Exception):
    """Something cannot be had here; its message says what, and what to install."""


class Sdk:
    """The tools and jars, in the folder `place`."""

    def __init__(self, place: Path | None = None) -> None:
        default = Path.home() / ".cache" / "edgetune" / "android"
        self.place = place or Path(os.environ.get("EDGETUNE_ANDROID", default))
        self.framework = self._jar(FRAMEWORK)
        self.monitor = self.place / "monitor" / "classes.jar"
        self.r8 = self._jar(R8)
        self.executorch = self.place / "executorch"
        """`classes`, and `natives` as an APK has them."""

    def fetch(self) -> None:
        """Everything, unless it is here already. Raises Unavailable."""
        self._once("debian", DEBIAN, self._fetch_debian)
        self._once("maven", MAVEN, self._fetch_maven)
        self.fetch_executorch()

    def fetch_executorch(self) -> None:
        """ExecuTorch alone, unless it is here already. Raises Unavailable."""
        self._once("executorch", (EXECUTORCH, EXECUTORCH_SHA512, FBJNI), self._unpack_executorch)

    def run(self, tool: str, *arguments: str | Path, cwd: Path | None = None) -> str:
        """Run one of Debian's tools; its output. Raises Unavailable where it fails."""
        root = self.place / "debian" / "root"
        folders = sorted({str(path.parent) for path in root.glob("usr/lib/**/*.so*")})
        environment = {**os.environ, "LD_LIBRARY_PATH": ":".join(folders)}
        return run([root / "usr" / "bin" / tool, *arguments], cwd, environment)

    def java(self, *arguments: str | Path) -> str:
        """Run Java with `arguments`; its output."""
        return run(["java", *arguments])

    def apksigner(self, *arguments: str | Path) -> str:
        share = self.place / "debian" / "root" / "usr" / "share"
        jars = [*share.glob("apksigner/*.jar"), *share.glob("java/apks*.jar")]
        path = os.pathsep.join(str(jar) for jar in sorted(jars))
        return self.java("-cp", path, "com.android.apksigner.ApkSignerTool", *arguments)

    def link(self, app: Path, target: Path, *options: str | Path) -> Path:
        """Link resources and manifest of the module `app` as base.apk in `target`, with R.java."""
        target.mkdir(parents=True, exist_ok=True)
        compiled, apk, generated = target / "res.zip", target / "base.apk", target / "gen"
        self.run("aapt2", "compile", "--dir", app / "src/main/res", "-o", compiled)
        shutil.rmtree(generated, ignore_errors=True)
        levels = ("--min-sdk-version", str(MIN_SDK), "--target-sdk-version", str(TARGET_SDK))
        self.run(
            *("aapt2", "link", "-I", self.framework, "--manifest", merged_manifest(app, target)),
            *("--java", generated, "-o", apk, compiled, *levels, *options),
        )
        return apk

    def resources(self, app: Path) -> None:
        """What Robolectric reads of the module `app`: a resource APK, and where it lies."""
        target = app / "target" / "android"
        apk = self.link(app, target)
        config = target / "config" / "com" / "android" / "tools" / "test_config.properties"
        config.parent.mkdir(parents=True, exist_ok=True)
        config.write_text(
            f"android_merged_manifest={target / 'AndroidManifest.xml'}\n"
            f"android_resource_apk={apk}\nandroid_custom_package={PACKAGE}\n"
        )

    def _jar(self, coordinates: str) -> Path:
        _, artifact, version, *kind = coordinates.split(":")
        return self.place / "maven" / f"{artifact}-{version}.{(kind or ['jar'])[0]}"

    def _once(self, part: str, wanted: Sequence[str], make: Callable[[], None]) -> None:
        marker, text = self.place / f"{part}.made", "\n".join(wanted)
        if not marker.exists() or marker.read_text() != text:
            marker.parent.mkdir(parents=True, exist_ok=True)
            make()
            marker.write_text(text)

    def _fetch_debian(self) -> None:
        state = self.place / "debian"
        unpack_debian(DEBIAN, state / "root", state)

    def _fetch_maven(self) -> None:
        for coordinates in MAVEN:
            self._fetch_jar(coordinates)
        with zipfile.ZipFile(self._jar(MONITOR)) as archive:
            archive.extract("classes.jar", self.monitor.parent)

    def _fetch_jar(self, coordinates: str) -> None:
        get = ["mvn", "-q", "-B", "dependency:get", "-Dtransitive=false"]
        run([*get, f"-Dartifact={coordinates}"])
        copy = ["mvn", "-q", "-B", "dependency:copy", f"-DoutputDirectory={self.place / 'maven'}"]
        run([*copy, f"-Dartifact={coordinates}"])

    def _unpack_executorch(self) -> None:
        self._fetch_jar(FBJNI)
        package = npm_package(EXECUTORCH, EXECUTORCH_SHA512, self.place / "npm")
        unpack_executorch(package, self._jar(FBJNI), self.executorch)


def merged_manifest(app: Path, target: Path) -> Path:
    """The manifest with what Gradle's build puts into it: the package and the levels of the API."""
    levels = f'android:minSdkVersion="{MIN_SDK}" android:targetSdkVersion="{TARGET_SDK}"'
    text = (app / "src/main/AndroidManifest.xml").read_text()
    text = text.replace("<manifest ", f'<manifest package="{PACKAGE}" ', 1)
    merged = target / "AndroidManifest.xml"
    merged.write_text(text.replace("<application", f"<uses-sdk {levels} />\n    <application", 1))
    return merged


def npm_package(name: str, sha512: str, folder: Path) -> Path:
    """npm's package `name`, as an archive in `folder`. Raises Unavailable where it is another."""
    folder.mkdir(parents=True, exist_ok=True)
    run(["npm", "pack", "--silent", "--ignore-scripts", "--pack-destination", folder, name])
    archive = folder / f"{name.replace('@', '-')}.tgz"
    found = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if found != sha512:
        raise Unavailable(f"{archive}: its SHA-512 is {found}, expected {sha512}; fetch it again.")
    return archive


def unpack_executorch(package: Path, fbjni: Path, target: Path) -> None:
    """Java classes and natives of ExecuTorch and of fbjni, on which it stands, into `target`."""
    shutil.rmtree(target, ignore_errors=True)
    jars = [target / "executorch.jar", target / "fbjni.jar"]
    wanted = {"package/android/libs/classes.jar": jars[0]}
    from_aar = {"classes.jar": jars[1]}
    for abi in ABIS:
        folder = target / "natives" / abi
        folder.mkdir(parents=True)
        library = "libexecutorch.so"
        wanted[f"package/third-party/android/libs/executorch/{abi}/{library}"] = folder / library
        for library in ("libfbjni.so", "libc++_shared.so"):
            from_aar[f"jni/{abi}/{library}"] = folder / library
    with tarfile.open(package) as tar:
        for name, file in wanted.items():
            content = tar.extractfile(name)
            assert content is not None, name
            file.write_bytes(content.read())
    with zipfile.ZipFile(fbjni) as aar:
        for name, file in from_aar.items():
            file.write_bytes(aar.read(name))
    for jar in jars:
        with zipfile.ZipFile(jar) as archive:
            classes = [name for name in archive.namelist() if name.endswith(".class")]
            archive.extractall(target / "classes", classes)


def unpack_debian(packages: Sequence[str], target: Path, state: Path) -> None:
    """Fetch Debian packages with lists of our own, and unpack them into `target`."""
    debs = state / "debs"
    for folder in (debs, state / "lists" / "partial", state / "cache" / "archives" / "partial"):
        folder.mkdir(parents=True, exist_ok=True)
    options = [f"Dir::State={state}", f"Dir::Cache={state / 'cache'}", "APT::Sandbox::User=root"]
    given = [word for option in options for word in ("-o", option)]
    run(["apt-get", *given, "-qq", "update"])
    run(["apt-get", *given, "-qq", "download", *packages], debs)
    for deb in sorted(debs.glob("*.deb")):
        run(["dpkg", "-x", deb, target])


def run(
    command: Sequence[str | Path], cwd: Path | None = None, env: dict[str, str] | None = None
) -> str:
    """Run `command`; what it printed. Raises Unavailable with the end of its complaint."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words, cwd=cwd, env=env, capture_output=True, text=True, timeout=1800, check=False
        )
    except FileNotFoundError as error:
        needs = "JDK 17, Maven, npm and, for Android's tools, a Debian or Ubuntu (apt-get, dpkg)"
        raise Unavailable(f"{words[0]} is not here; building for Android takes {needs}.") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{words[0]}: {error}") from error
    if done.returncode:
        raise Unavailable(f"{' '.join(words[:2])}: {(done.stdout + done.stderr).strip()[-2000:]}")
    return done.stdout


def main() -> int:
    sdk = Sdk()
    try:
        match sys.argv[1:]:
            case ["executorch", classes]:
                sdk.fetch_executorch()
                shutil.copytree(sdk.executorch / "classes", classes, dirs_exist_ok=True)
            case ["resources", app]:
                sdk.fetch()
                sdk.resources(Path(app).resolve())
            case _:
                sdk.fetch()
    except Unavailable as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
