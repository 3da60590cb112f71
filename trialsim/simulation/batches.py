"""Replicates worked on in batches, on several threads."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from trialsim.analysis.inputs import count_cores

_BATCH_VALUES = 400_000
"""Outcomes a batch; results do not depend on it."""

Part = TypeVar("Part")


def run_batches(
    run: Callable[[range], Part],
    replicates: range,
    *,
    values_each: int,
    workers: int | None,
    batch_size: int | None,
) -> Iterator[Part]:
    """Yield what `run` returns of consecutive replicates, in order.

    Parameters
    ----------
    run
        Does the replicates of one range.
    replicates
        Numbers of the replicates, from 0.
    values_each
        Outcomes of one replicate.
    workers
        Threads, all cores when None.
    batch_size
        Replicates a batch, chosen by memory when None.
    """
    size = batch_size or max(1, _BATCH_VALUES // values_each)
    batches = [replicates[i : i + size] for i in range(0, len(replicates), size)]
    n_workers = min(len(batches), workers or count_cores())
    if n_workers == 1:
        yield from map(run, batches)
        return
    pool = ThreadPoolExecutor(n_workers)
    try:
        yield from pool.map(run, batches)
    finally:
        pool.shutdown(cancel_futures=True)
