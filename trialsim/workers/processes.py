"""Blocks done by processes of this machine, each with one thread."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from joblib import Parallel, delayed, parallel_config
from joblib.externals.loky.process_executor import TerminatedWorkerError

from cohorts.memory import keep_freed_memory
from trialsim.errors import ClusterError

Result = TypeVar("Result")


@dataclass(frozen=True)
class Processes:
    """Worker processes, which stay for the next work until this program ends.

    They do not import the script that asks for them, so that no `if __name__ == "__main__":` is
    needed there.

    Attributes
    ----------
    n_workers
        How many.
    """

    n_workers: int

    def map(self, work: Callable[[Any], Result], blocks: Sequence[Any]) -> Iterator[Result]:
        """Yield what workers make of each block, in order.

        Raises
        ------
        ClusterError
            Where a worker dies. What it finished before is kept, if `work` keeps it.
        """
        # a worker whose memory has grown is replaced by a new one: nothing that a user can act on
        warnings.filterwarnings("ignore", "A worker stopped while some jobs", UserWarning)
        jobs = [delayed(_do)(work, block) for block in blocks]
        with parallel_config("loky", n_jobs=self.n_workers, inner_max_num_threads=1):
            try:
                yield from Parallel(return_as="generator", max_nbytes=None)(jobs)
            except TerminatedWorkerError as error:
                raise ClusterError(
                    "A worker process died, most likely for lack of memory. What is finished is "
                    "kept: the same command goes on, with fewer workers if need be."
                ) from error


def _do(work: Callable[[Any], Result], block: Any) -> Result:
    keep_freed_memory()
    return work(block)
