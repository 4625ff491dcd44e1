"""What a call costs in Kotlin, beside the same call in Python: warm, the same threads and release.

    python benchmarks/kotlin.py BUNDLE --threads N [--json FILE]

Both sides answer the same requests in turn, by the release of ONNX Runtime that android_demo has,
and tell the median of each request's times; `python_ms` and `kotlin_ms` are the means of those.
The Kotlin side is `dev.edgetune.onnx.Benchmark`, built by Maven first.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import mean, median
from time import monotonic
from typing import Annotated, Any

import typer

ROOT = Path(__file__).resolve().parents[1]
ANDROID = ROOT / "android_demo"
REQUESTS = (
    "set a timer for 5 minutes",
    "wake me at half past seven tomorrow",
    "play some jazz",
    "how far is it to the station?",
    "thank you",
)
ROUNDS = 15
WARM_UP = 10
"""Seconds, and three rounds at the least: by then the JVM has compiled what a step does."""
MOST_TOKENS = 64

sys.path.insert(0, str(ANDROID))


def measure_python(bundle_path: Path, threads: int) -> list[float]:
    """Median time of each request, in ms, in this process."""
    from edgetune_runtime.agent import Agent
    from edgetune_runtime.bundle import open_bundle
    from edgetune_runtime.engines import open_engine
    from edgetune_runtime.options import Options
    from edgetune_runtime.prompt import User

    bundle = open_bundle(bundle_path)
    agent = Agent(bundle.assets, open_engine(bundle, "onnx", threads))
    options = Options(max_tokens=MOST_TOKENS)

    def answer() -> list[float]:
        return [agent.step([User(each)], None, options).timing["ms"] for each in REQUESTS]

    begin, warm_up = monotonic(), 0
    while warm_up < 3 or monotonic() - begin < WARM_UP:
        answer()
        warm_up += 1
    rounds = [answer() for _ in range(ROUNDS)]
    return [median(each) for each in zip(*rounds, strict=True)]


def _python(bundle: Path, threads: int) -> list[float]:
    """`measure_python` in a process that has the Kotlin side's release."""
    from check import onnxruntime_folder

    paths = [onnxruntime_folder(), ROOT / "toolkit", ROOT / "export", ROOT / "runtime_py"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))}
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import json, kotlin; "
        f"from pathlib import Path; "
        f"print(json.dumps(kotlin.measure_python(Path({str(bundle)!r}), {threads})))"
    )
    return _last_line([sys.executable, "-c", code], environment)


def _kotlin(bundle: Path, threads: int) -> list[float]:
    from check import class_path

    java = ["java", "-cp", class_path(), "dev.edgetune.onnx.Benchmark"]
    numbers = [str(number) for number in (threads, WARM_UP, ROUNDS, MOST_TOKENS)]
    return _last_line([*java, str(bundle), *numbers, *REQUESTS], dict(os.environ))


def _last_line(command: list[str], environment: dict[str, str]) -> list[float]:
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return [float(each) for each in json.loads(done.stdout.strip().splitlines()[-1])]


def main(
    bundle: Annotated[Path, typer.Argument(help="A bundle with the target onnx.")],
    threads: Annotated[int, typer.Option(min=1, help="Of each side.")] = 1,
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE")] = None,
) -> None:
    """Time both sides, one after the other, on a machine that does nothing else."""
    python, kotlin = _python(bundle.resolve(), threads), _kotlin(bundle.resolve(), threads)
    result: dict[str, Any] = {
        "python_ms": round(mean(python), 3),
        "kotlin_ms": round(mean(kotlin), 3),
        "calls": len(REQUESTS) * ROUNDS,
    }
    text = json.dumps(result)
    if json_file is not None:
        json_file.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    typer.run(main)
