"""Blocks done by processes of this machine, each with one thread."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from threading import Lock, Thread
from typing import Any, Final, TypeVar

from joblib import Parallel, delayed, parallel_config
from joblib.externals.loky import process_executor
from joblib.externals.loky.process_executor import TerminatedWorkerError

from cohorts.memory import keep_freed_memory
from trialsim.errors import ClusterError

Result = TypeVar("Result")

_GROWTH: Final = 4 * 10**9
"""Bytes by which a worker may grow after its first block before it is replaced by a new one."""

_STARTING: Final = Lock()


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

    def get_ready(self, *modules: str) -> None:
        """Let processes start, and import modules, while this one goes on with something else.

        Parameters
        ----------
        *modules
            Names of those that the next work needs.
        """
        blocks = [modules] * self.n_workers
        Thread(target=lambda: list(self.map(import_all, blocks)), daemon=True).start()

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
                # joblib hands out processes to one thread at a time
                with _STARTING:
                    results = Parallel(return_as="generator", max_nbytes=None)(jobs)
                yield from results
            except TerminatedWorkerError as error:
                raise ClusterError(
                    "A worker process died, most likely for lack of memory. What is finished is "
                    "kept: the same command goes on, with fewer workers if need be."
                ) from error


def _do(work: Callable[[Any], Result], block: Any) -> Result:
    keep_freed_memory()
    # joblib's own 0.3 GB are less than a network takes after a block of work without one
    process_executor._MAX_MEMORY_LEAK_SIZE = _GROWTH
    return work(block)


def import_all(modules: Sequence[str]) -> None:
    """Import modules; what is not installed is told by the work that needs it."""
    with suppress(ImportError):
        for name in modules:
            import_module(name)
