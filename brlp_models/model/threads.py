"""How many threads of the processor networks use."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def limited_threads(n_threads: int) -> Iterator[None]:
    """Keep PyTorch on so many threads.

    With one, a sum always runs in the same order, and two processes get through twice the scans of
    one process of two threads, which wait for each other at every layer.

    Parameters
    ----------
    n_threads
        From 1.

    Examples
    --------
    >>> with limited_threads(1):
    ...     torch.get_num_threads()
    1
    """
    before = torch.get_num_threads()
    torch.set_num_threads(n_threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
