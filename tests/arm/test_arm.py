"""The bundle on 64-bit ARM, as on a phone: the same logits and calls as on this machine.

ONNX Runtime is the version that is tested here; ExecuTorch is an older one (`machine.EXECUTORCH`),
which runs this version's program.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from machine import ArmMachine, Unavailable

from edgetune_export.bundle import write_bundle
from edgetune_export.run import open_run

pytestmark = [pytest.mark.arm, pytest.mark.timeout(1800)]

PROBE = str(Path(__file__).with_name("probe.py"))
REQUESTS = [
    "Weather in Oslo?",
    "wake me at 7:30",
    "cancel all alarms",
    "what is the forecast for Lima for three days",
    "set an alarm for half past six called gym",
    "how warm is it in Rome in fahrenheit",
    "alarm at noon please",
    "is it going to rain in Bergen tomorrow",
]
TOLERANCE = {"onnx": 1e-4, "executorch": 0.1}
"""Of the logits' spread: ExecuTorch rounds activations to int8, on each processor differently."""


@pytest.fixture(scope="module")
def arm():
    place = Path(os.environ.get("EDGETUNE_ARM", Path.home() / ".cache" / "edgetune" / "arm"))
    try:
        return ArmMachine(place)
    except Unavailable as error:
        pytest.skip(f"no ARM machine can be made here: {error}")


@pytest.fixture(scope="module")
def bundle(tiny_run, tmp_path_factory):
    path = tmp_path_factory.mktemp("arm") / "home"
    write_bundle(open_run(tiny_run()), path, ["onnx", "executorch"])
    return path


@pytest.mark.parametrize("engine", ["onnx", "executorch"])
def test_a_bundle_gives_the_same_on_arm(arm, bundle, engine, tmp_path, capsys):
    asked = tmp_path / "requests.json"
    asked.write_text(json.dumps(REQUESTS))
    results = [tmp_path / "here.npz", tmp_path / "arm.npz"]
    commands = [[PROBE, str(bundle), engine, str(asked), str(result)] for result in results]
    subprocess.run([sys.executable, *commands[0]], check=True, capture_output=True)
    arm.python(*commands[1], timeout=1500)
    here, there = (dict(np.load(result)) for result in results)
    calls = [json.loads(str(found.pop("calls"))) for found in (here, there)]
    worst = max(np.abs(there[name] - here[name]).max() / here[name].std() for name in here)
    same = np.mean([one == other for one, other in zip(*calls, strict=True)])
    with capsys.disabled():
        print(
            f"\n{engine} on ARM: {same:.0%} of {len(REQUESTS)} calls equal, logits {worst:.1e} off"
        )
    assert worst < TOLERANCE[engine]
    assert same == 1
