import subprocess
import sys

import pytest

FAULTS = """
import resource
import numpy as np
from {module} import {name}

def count(n_maps):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(n_maps):
        np.ones((60 << 20) // 8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

{call}
count(1)
print(count(4))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems keep memory as they like")
@pytest.mark.parametrize(
    ("module", "name", "call"),
    [
        ("cohorts.memory", "keep_freed_memory", "keep_freed_memory()"),
        ("trialsim.workers.processes", "_do", "_do(print, 'a block')"),
    ],
)
def test_pages_of_freed_maps_are_not_cleared_again(module: str, name: str, call: str) -> None:
    code = FAULTS.format(module=module, name=name, call=call)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # a page has 4 KB; given back each time, four maps of 60 MB are 60,000 of them, or 120 of 2 MB
    assert int(done.stdout.split()[-1]) < 50
