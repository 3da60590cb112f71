"""Memory that a step has let go of goes back to the system."""

import ctypes
import sys

import pyarrow as pa


def hand_back_memory() -> None:
    """Give the system the free memory that allocators keep for what may come.

    Between the steps of a million people that is a fifth of a gigabyte, which is counted as the
    command's own. It is asked for again where it is wanted.

    Examples
    --------
    >>> hand_back_memory()
    """
    pa.default_memory_pool().release_unused()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc alone
        if trim is not None:
            trim(0)
