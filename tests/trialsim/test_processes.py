"""Worker processes: they get ready while their program does something else, and stay."""

import os
import sys
import time
from collections.abc import Callable
from typing import Any

from trialsim.workers.processes import Processes

RARE = "tabnanny"


def tell(seconds: float) -> tuple[int, bool]:
    time.sleep(seconds)
    return os.getpid(), RARE in sys.modules


def find(ask: Callable[[float], Any], blocks: list[float]) -> list[Any]:
    return list(Processes(2).map(ask, blocks))


def test_processes_import_what_they_need_next_and_do_all_that_comes() -> None:
    Processes(2).get_ready(RARE, "a_module_that_is_not_installed")
    first = find(tell, [0.3, 0.3])
    # one that comes up first may have taken what the other was to import
    assert any(is_there for _, is_there in first)
    assert {pid for pid, _ in find(tell, [0.3, 0.3])} == {pid for pid, _ in first}
