"""Replicates worked on in batches, on several threads or by workers elsewhere."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from trialsim.analysis.inputs import count_cores
from trialsim.workers.packing import pack
from trialsim.workers.spread import Arrays, Spread, Workers

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_BATCH_VALUES = 400_000
"""Outcomes a batch; results do not depend on it."""

_BATCHES_A_BLOCK: Final = 16
"""That workers elsewhere are given at once: seconds of work for milliseconds of handing over."""

Part = TypeVar("Part", bound="DataclassInstance")


def run_batches(
    run: Callable[[range], Part],
    replicates: range,
    *,
    values_each: int,
    workers: Workers,
    batch_size: int | None,
    unpack: Callable[[Arrays], Part],
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
        Threads, all cores when None; or what spreads blocks of batches further.
    batch_size
        Replicates a batch, chosen by memory when None.
    unpack
        Makes of arrays what `pack` made them of.
    """
    size = batch_size or max(1, _BATCH_VALUES // values_each)
    batches = [replicates[i : i + size] for i in range(0, len(replicates), size)]
    if not isinstance(workers, int | None):
        yield from _spread(run, batches, workers, unpack)
        return
    n_workers = min(len(batches), workers or count_cores())
    if n_workers == 1:
        yield from map(run, batches)
        return
    pool = ThreadPoolExecutor(n_workers)
    try:
        yield from pool.map(run, batches)
    finally:
        pool.shutdown(cancel_futures=True)


@dataclass(frozen=True)
class _Block:
    """What is done of one block of batches."""

    run: "Callable[[range], DataclassInstance]"

    def __call__(self, batches: Sequence[range]) -> Arrays:
        return {
            f"{place}/{name}": array
            for place, batch in enumerate(batches)
            for name, array in pack(self.run(batch)).items()
        }


def _spread(
    run: Callable[[range], Part],
    batches: Sequence[range],
    spread: Spread,
    unpack: Callable[[Arrays], Part],
) -> Iterator[Part]:
    """Yield what is made of each batch; the batches are those that one process would work on."""
    blocks = [
        tuple(batches[i : i + _BATCHES_A_BLOCK]) for i in range(0, len(batches), _BATCHES_A_BLOCK)
    ]
    for block, arrays in zip(blocks, spread(_Block(run), blocks), strict=True):
        for place in range(len(block)):
            own = f"{place}/"
            yield unpack(
                {name.removeprefix(own): a for name, a in arrays.items() if name.startswith(own)}
            )
