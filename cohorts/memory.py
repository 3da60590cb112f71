"""Memory of a process that works on volumes."""

import ctypes
import sys
from typing import Final

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
"""Parameters of glibc's `mallopt`, as its `malloc.h` numbers them."""

_LARGEST: Final = 2**31 - 1


def keep_freed_memory() -> None:
    """Let this process keep what it frees, for what it asks for next; it holds its peak.

    A volume or feature map has tens of MB, and one follows the other. What is freed of that size
    goes back to the system by default, which clears every page of the next one anew: an eighth of
    the processor time of a prediction. For worker processes, which end with their work.

    Examples
    --------
    >>> keep_freed_memory()
    """
    if sys.platform != "linux":
        return
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)  # of glibc alone
    if set_option is not None:
        set_option(_MMAP_MAX, 0)
        set_option(_TRIM_THRESHOLD, _LARGEST)
