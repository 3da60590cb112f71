"""The processes that simulate for the explorer."""

import multiprocessing
import time
from multiprocessing.process import BaseProcess

from joblib.externals.loky.backend.process import LokyProcess


def list_simulations() -> list[BaseProcess]:
    """Return them; worker processes that tests before this one left waiting are none."""
    children = multiprocessing.active_children()
    return [process for process in children if not isinstance(process, LokyProcess)]


def outlive_simulations(seconds: float) -> bool:
    """Wait until none is left and return whether that came within a time.

    The server's own thread joins them; a second one that joined them too could come between, and be
    told for a moment that a process lives which is gone.
    """
    end = time.monotonic() + seconds
    while list_simulations():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True
