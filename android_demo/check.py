"""`make test-android`: the Kotlin runtime, built, tested and held to this one.

    python android_demo/check.py [BUNDLE] [--keep]

Makes a bundle (unless one is given) and golden vectors, by the release of ONNX Runtime that the
Kotlin side has, in an environment of its own; runs every Kotlin test through Maven; writes
`android_demo/build/parity.json`; packs the APK (`./apk`); and ends with one line of counts. With
`--keep`, bundle and vectors of the last run are taken again. ktlint reads all Kotlin with it.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from xml.etree import ElementTree

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
BUILD = HERE / "build"
JAVA = 17
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "edgetune" / "android"


def main(arguments: list[str]) -> int:
    if missing := _missing():
        print(missing)
        return 2
    keep = "--keep" in arguments
    given = [argument for argument in arguments if argument != "--keep"]
    try:
        bundle = Path(given[0]).resolve() if given else _quick_bundle(keep)
        _vectors(bundle, keep)
        uncompiled = None if given else _uncompiled(bundle, keep)
    except subprocess.CalledProcessError as error:  # it has said why itself
        print(f"Exit code {error.returncode} of {shlex.join(error.cmd)}")
        return 1
    (BUILD / "parity.json").unlink(missing_ok=True)
    failed_build = _maven("maven.log", *_tests(bundle, uncompiled))
    failed_style = _maven("ktlint.log", "--non-recursive", "antrun:run@ktlint")
    passed, failed = _counts()
    failed_apk = subprocess.run([sys.executable, str(HERE / "apk")]).returncode != 0
    parity = BUILD / "parity.json"
    differences = json.loads(parity.read_text())["differences"] if parity.is_file() else None
    print(f"parity: {parity.read_text().strip()}" if parity.is_file() else "parity: not measured")
    print(f"{passed} passed, {failed} failed")
    wrong = failed_build or failed_style or failed_apk or failed
    return 1 if wrong or differences != 0 or not passed else 0


def _missing() -> str | None:
    """What to install, in one sentence; None where everything is there."""
    found = _java()
    maven, npm = shutil.which("mvn"), shutil.which("npm")
    if maven and npm and found is not None and found >= JAVA:
        return None
    have = ", ".join(
        (
            "Maven" if maven else "no Maven",
            "no JDK" if found is None else f"JDK {found}",
            "npm" if npm else "no npm",
        )
    )
    return (
        f"android_demo is built by Maven with a JDK {JAVA} or newer, and takes classes "
        f"of ExecuTorch from npm (found: {have}): install what is missing, for instance by "
        f"`apt install maven openjdk-{JAVA}-jdk-headless npm`."
    )


def _java() -> int | None:
    """The major version of the JDK, None where there is no compiler."""
    try:
        told = subprocess.run(["javac", "-version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    found = re.search(r"(\d+)", told.stdout + told.stderr)
    return int(found[1]) if found else None


def _quick_bundle(keep: bool) -> Path:
    """A bundle of the embedded base, trained for a minute or two."""
    run, bundle = BUILD / "run", BUILD / "bundle"
    if keep and (bundle / "manifest.sha256").is_file():
        return bundle
    shutil.rmtree(run, ignore_errors=True)
    shutil.rmtree(bundle, ignore_errors=True)
    shutil.rmtree(BUILD / "skill", ignore_errors=True)
    edgetune = [sys.executable, "-c", "from edgetune.cli import main; main()"]
    _run([*edgetune, "skill", "make", "nano", "-o", str(BUILD / "skill"), "--lessons", "10"])
    _run([*edgetune, "train", str(HERE / "parity.yaml"), "--output", str(run)])
    _run([*edgetune, "export", str(run), "-o", str(bundle), "--target", "onnx", "--genai"])
    return bundle


def _vectors(bundle: Path, keep: bool) -> None:
    folder = BUILD / "vectors"
    if keep and (folder / "tokens.json").is_file():
        golden = json.loads((folder / "golden.json").read_text(encoding="utf-8"))
        digest = (bundle / "manifest.sha256").read_text().split()[0]
        if golden["bundle"]["manifest_sha256"] == digest:
            return
    shutil.rmtree(folder, ignore_errors=True)
    _run([sys.executable, str(HERE / "vectors.py"), str(bundle), str(folder)], _environment())


def _uncompiled(bundle: Path, keep: bool) -> Path:
    """A folder with the bundle for NPUs before compilation, and its vectors."""
    folder = BUILD / "uncompiled"
    if not (keep and (folder / "golden.json").is_file()):
        script = [sys.executable, str(HERE / "uncompiled.py")]
        _run([*script, str(bundle), str(BUILD / "run"), str(folder)], _environment())
    return folder


def _environment() -> dict[str, str]:
    """edgetune from here, on the Kotlin side's release of ONNX Runtime."""
    paths = [
        str(onnxruntime_folder()),
        *(str(ROOT / each) for each in ("toolkit", "export", "runtime_py")),
    ]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def onnxruntime_folder() -> Path:
    """A folder with Python's ONNX Runtime of the Kotlin side's release, to be put first."""
    table = tomllib.loads((HERE / "gradle" / "libs.versions.toml").read_text())
    release = table["versions"]["onnxruntime"]
    folder = CACHE / f"onnxruntime-{release}"
    if not (folder / "onnxruntime").is_dir():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--upgrade"]
        _run([*pip, "--target", str(folder), f"onnxruntime=={release}"])
    return folder


def _tests(bundle: Path, uncompiled: Path | None) -> list[str]:
    """What Maven is to do to run all tests, whose earlier reports go."""
    for report in HERE.glob("*/target/surefire-reports"):
        shutil.rmtree(report)
    command = ["--fail-at-end", "test", f"-Dedgetune.bundle={bundle}"]
    command.append(f"-Dedgetune.vectors={BUILD / 'vectors'}")
    if uncompiled is not None:
        command.append(f"-Dedgetune.uncompiled={uncompiled}")
    return command


def _maven(log_name: str, *goals: str) -> bool:
    """Runs Maven; whether anything failed. What it says lies in `build/` by the log's name."""
    log = BUILD / log_name
    log.parent.mkdir(exist_ok=True)
    command = ["mvn", "--batch-mode", "--file", str(HERE / "pom.xml"), *goals]
    with log.open("w") as file:
        code = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT).returncode
    if code:
        text = log.read_text()
        lines = [line for line in text.splitlines() if line.startswith("[ERROR]") or ".kt:" in line]
        print("\n".join(lines[:40]))
        print(f"Maven failed; all that it said: {log}")
    return code != 0


def class_path() -> str:
    """Where Java finds the modules, their tests and all that these need; builds them first."""
    listing = BUILD / "classpath.txt"
    listing.parent.mkdir(exist_ok=True)
    command = ["mvn", "--batch-mode", "--quiet", "--file", str(HERE / "pom.xml"), "-DskipTests"]
    command += ["test-compile", "dependency:build-classpath", f"-Dmdep.outputFile={listing}"]
    subprocess.run([*command, "-pl", "core,engine-onnx"], check=True, stdout=sys.stderr)
    own = [HERE / "engine-onnx" / "target" / each for each in ("classes", "test-classes")]
    return os.pathsep.join([*map(str, own), listing.read_text().strip()])


def _counts() -> tuple[int, int]:
    """How many tests passed and failed, by Surefire's reports."""
    passed = failed = 0
    for file in HERE.glob("*/target/surefire-reports/TEST-*.xml"):
        suite = ElementTree.parse(file).getroot()
        total, *other = (
            int(suite.get(key, 0)) for key in ("tests", "failures", "errors", "skipped")
        )
        failed += other[0] + other[1]
        passed += total - sum(other)
    return passed, failed


def _run(command: list[str], environment: dict[str, str] | None = None) -> None:
    subprocess.run(command, check=True, env=environment)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
