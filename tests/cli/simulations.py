"""The processes that simulate for the explorer."""

import multiprocessing
from multiprocessing.process import BaseProcess

from joblib.externals.loky.backend.process import LokyProcess


def list_simulations() -> list[BaseProcess]:
    """Return them; worker processes that tests before this one left waiting are none."""
    children = multiprocessing.active_children()
    return [process for process in children if not isinstance(process, LokyProcess)]
