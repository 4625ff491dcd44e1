"""The wheel as people get it: built, installed into empty environments, used from an empty folder.

The runtime has the `[onnx]` and `[tools]` extras and nothing else. The workstation sees the tested
packages of the environment that runs these tests, since torch takes minutes to install, but takes
edgetune itself from the wheel.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import time
import venv
from pathlib import Path

import pytest

from edgetune_runtime.agent import Agent
from edgetune_runtime.bundle import open_bundle
from edgetune_runtime.engines import open_engine
from edgetune_runtime.prompt import User

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ("toolkit", "export", "runtime_py", "configs")
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check")
REQUEST = "set an alarm for half past seven"


class Installed:
    """An environment with the wheel, and an empty folder to use it from."""

    def __init__(self, directory: Path) -> None:
        self.home, self.folder = directory / "env", directory / "empty"
        self.folder.mkdir()
        venv.create(self.home, symlinks=True)
        path = f"{self.home / 'bin'}{os.pathsep}{os.environ['PATH']}"
        self.environment = os.environ | {"PATH": path, "OMP_NUM_THREADS": "1"}
        self.environment.pop("PYTHONPATH", None)

    def install(self, *arguments: str) -> None:
        run(*PIP, "--python", self.home / "bin" / "python", "install", "--quiet", *arguments)

    def __call__(self, *command: str, code: int = 0) -> str:
        """What a command prints from within the folder."""
        return run(*command, code=code, cwd=self.folder, env=self.environment)


def run(*command: str | Path, code: int = 0, **options) -> str:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, **options)
    assert done.returncode == code, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout + (done.stderr if code else "")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built from a copy of the sources, so that the checkout stays as it is."""
    directory = tmp_path_factory.mktemp("wheel")
    pinned = (ROOT / "constraints.txt").read_text().splitlines()
    (small,) = (line for line in pinned if line.startswith("shellingham=="))
    command = [*PIP, "download", "--quiet", "--no-deps", "--dest", str(directory / "probe"), small]
    probe = subprocess.run(command, capture_output=True, text=True)
    if probe.returncode and not os.environ.get("CI"):
        pytest.skip(f"the package index cannot be reached: {probe.stderr.strip()[-200:]}")
    source = directory / "source"
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    for name in SOURCES:
        shutil.copytree(ROOT / name, source / name, ignore=ignored)
    for file in ROOT.iterdir():
        if file.is_file():
            shutil.copy(file, source)
    run(*PIP, "wheel", "--quiet", "--no-deps", "--wheel-dir", directory, source)
    (built,) = directory.glob("edgetune-*.whl")
    return built


@pytest.fixture(scope="module")
def runtime(wheel, tmp_path_factory) -> Installed:
    made = Installed(tmp_path_factory.mktemp("runtime"))
    made.install("--constraint", str(ROOT / "constraints.txt"), f"{wheel}[onnx,tools]")
    return made


@pytest.fixture(scope="module")
def workstation(wheel, tmp_path_factory) -> Installed:
    made = Installed(tmp_path_factory.mktemp("workstation"))
    made.install("--no-deps", str(wheel))
    (site,) = made.home.glob("lib/python*/site-packages")
    # A path in a .pth file comes last, and the .pth files there (an editable edgetune) do nothing.
    (site / "tested.pth").write_text(sysconfig.get_path("purelib") + "\n")
    where = made("python", "-c", "import edgetune; print(edgetune.__file__)")
    assert Path(where.strip()).is_relative_to(made.home)
    return made


def test_the_runtime_answers_a_request_with_its_engine_alone(runtime, tiny_bundle):
    told = json.loads(runtime("edgetune", "doctor", "--json", "-"))
    installed = {each["name"] for each in told["packages"] if each["installed"]}
    assert "onnxruntime" in installed
    assert not installed & {"torch", "transformers", "peft", "onnx"}
    engines = {
        each["name"]: each["missing"] for each in told["abilities"] if each["kind"] == "engine"
    }
    assert engines["onnx"] == []
    assert engines["executorch"] == ["executorch", "torch"]

    answer = runtime("edgetune", "run", str(tiny_bundle), REQUEST, "--threads", "1", "--json", "-")
    (step,) = json.loads(answer)["steps"]
    opened = open_bundle(tiny_bundle)
    here = Agent(opened.assets, open_engine(opened, threads=1)).step([User(REQUEST)])
    assert (step["tool"], step["arguments"]) == (here.tool, dict(here.arguments))


UNTRAINED = """
import sys
from pathlib import Path
from edgetune_export.assets import make_assets, read_toolset
from edgetune_export.prompts.template import Template
from edgetune_runtime.agent import Agent
from edgetune_runtime.bundle import open_bundle
from edgetune_runtime.engines import open_engine
from edgetune_runtime.options import Options
from edgetune_runtime.prompt import User

bundle = open_bundle(Path(sys.argv[1]))
schema = {"type": "object", "properties": {"lines": {"type": "integer"}}, "required": ["lines"]}
toolset = read_toolset("server", [{"name": "tail_log", "inputSchema": schema}])
agent = Agent(make_assets(Template.read(bundle.path), [toolset]), open_engine(bundle, threads=1))
print(agent.arguments([User("hi")], "server", "tail_log", Options(system="base")).text)
"""


def test_tools_that_nobody_trained_are_served_without_torch(runtime, tiny_bundle):
    said = json.loads(runtime("python", "-c", UNTRAINED, str(tiny_bundle)))
    assert isinstance(said["lines"], int)


def test_the_command_line_says_what_the_runtime_alone_lacks(runtime):
    assert "doctor" in runtime("edgetune", "--help")
    assert "nano/own_tools" in runtime("edgetune", "init", "--list")
    targets = {
        each["target"]: each["missing"]
        for each in json.loads(runtime("edgetune", "targets", "--json", "-"))["targets"]
    }
    assert "torch" in targets["onnx"]
    said = runtime("edgetune", "train", "recipe.yaml", code=2)
    assert "pip install edgetune[all]" in said
    assert "Traceback" not in said


def test_a_recipe_from_the_wheel_goes_the_whole_way(workstation):
    told = json.loads(workstation("edgetune", "init", "mine", "--json", "-"))
    recipe = workstation.folder / "mine" / "recipe.yaml"
    text = recipe.read_text()
    few = text.replace("{train: 3000, dev: 200, test: 500,", "{train: 20, dev: 4, test: 4,")
    assert few != text
    recipe.write_text(few)
    workstation(*shlex.split(told["command"]))
    workstation("edgetune", "export", "mine/run", "-o", "mine/bundle", "--target", "onnx")
    answer = workstation("edgetune", "run", "mine/bundle", "lock the doors", "--json", "-")
    (step,) = json.loads(answer)["steps"]
    tools = json.loads((workstation.folder / "mine/own_tools/tools.json").read_text())
    assert step["tool"] in {"respond", *(tool["function"]["name"] for tool in tools)}


def test_the_demo_finds_its_recipe_in_the_wheel(workstation):
    command = ["edgetune", "demo", "--output", "demo"]
    records = workstation.folder / "demo" / "run" / "data" / "test.jsonl"
    with subprocess.Popen(
        command, cwd=workstation.folder, env=workstation.environment, stderr=subprocess.PIPE
    ) as demo:
        end = time.monotonic() + 300
        while demo.poll() is None and not records.is_file() and time.monotonic() < end:
            time.sleep(0.2)
        demo.terminate()
        _, said = demo.communicate()
    assert records.is_file(), said.decode()
