"""What a step frees is there for the next one."""

import subprocess
import sys

import pytest

COUNT_FAULTS = """
import resource, sys
import numpy as np
from edgetune.machine.allocator import keep_freed_memory
if sys.argv[1] == "kept":
    keep_freed_memory()
def step():
    blocks = [np.full(2 << 20, 1.0) for _ in range(8)]
step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator is told")
def test_a_step_takes_no_new_pages():
    faults = {
        how: int(subprocess.check_output([sys.executable, "-c", COUNT_FAULTS, how]))
        for how in ("given back", "kept")
    }
    assert faults["kept"] < 100 < faults["given back"]


GIVE_BACK = """
import numpy as np
from pathlib import Path
from edgetune.machine.allocator import give_back_memory, keep_freed_memory

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

keep_freed_memory()
blocks, pins = [], []
for _ in range(100):
    blocks.append(np.full(1 << 18, 1.0))
    pins.append(np.full(1 << 10, 1.0))
full = resident()
del blocks
kept = resident()
give_back_memory()
print(full, kept, resident())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator is told")
def test_what_lies_between_kept_blocks_is_given_back_when_told_so():
    output = subprocess.check_output([sys.executable, "-c", GIVE_BACK])
    full, kept, after = map(int, output.split())
    assert kept > full - (20 << 20)
    assert after < full - (150 << 20)
