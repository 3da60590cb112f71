"""Blocks done by the workers of a Dask cluster: on this machine, at an address, or in a queue.

Workers write what they finish into a folder that all share, so nothing is lost whatever dies: the
same command finds the parts again. Each works with one thread, and a block's numbers depend on
nothing but the block.
"""

import logging
import pickle
import platform
import shutil
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from threadpoolctl import threadpool_limits

from cohorts.errors import StorageError
from trialsim import __version__
from trialsim.analysis.inputs import count_cores
from trialsim.errors import ClusterError
from trialsim.workers.digest import compute_digest
from trialsim.workers.parts import PartStore, find_file_system
from trialsim.workers.spread import Arrays

if TYPE_CHECKING:
    from distributed import Client, Future

_LOGGER: Final = logging.getLogger(__name__)
_ROUNDS: Final = 3
_TAKEN_AT_ONCE: Final = 100
_CONNECT_SECONDS = 20.0
_PATIENCE_SECONDS = 120.0
_PROCESSORS: Final = Path("/proc/cpuinfo")

Result = TypeVar("Result")


@dataclass(frozen=True)
class Cluster:
    """Workers that are connected; a `Spread`.

    Attributes
    ----------
    client
        Of Dask.
    parts
        Where finished blocks are kept; workers see the same folder.
    address
        As it was asked for.
    """

    client: "Client"
    parts: PartStore
    address: str

    @property
    def n_workers(self) -> int:
        """How many workers there are now, at least 1."""
        return max(1, len(self.client.scheduler_info(n_workers=-1)["workers"]))

    def __call__(self, work: Callable[[Any], Arrays], blocks: Sequence[Any], /) -> Iterator[Arrays]:
        """Yield `work(block)` of each block, in order; what is kept already is not done again.

        Raises
        ------
        ClusterError
            Where the scheduler or all workers are lost. What is finished is kept.
        """
        base = compute_digest(__version__, work)
        named = {compute_digest(base, block): block for block in blocks}
        waiting = [key for key in named if self.parts.read(key) is None]
        made = self.map(partial(_keep, work, self.parts), [(key, named[key]) for key in waiting])
        results = dict.fromkeys(waiting, made)
        for key, block in named.items():
            carried = next(results[key]) if key in results else None
            if carried is not None:
                self.parts.write(key, carried)
            arrays = self.parts.read(key)
            # a worker may have written what this machine does not see yet
            yield work(block) if arrays is None else arrays

    def map(self, work: Callable[[Any], Result], blocks: Sequence[Any]) -> Iterator[Result]:
        """Yield what workers make of each block, in order, without keeping it.

        Raises
        ------
        ClusterError
            Where the scheduler or all workers are lost.
        """
        futures, place, losses = self._submit(work, blocks), 0, 0
        while place < len(futures):
            try:
                found: list[Result] = self._take(futures[place : place + _TAKEN_AT_ONCE])
            except self._losses() as error:
                losses += 1
                if losses == _ROUNDS or not self._is_reachable():
                    raise ClusterError(
                        f"The workers at {self.address} were lost "
                        f"({type(error).__name__}). What is finished is kept: the same "
                        "command goes on."
                    ) from error
                _LOGGER.warning("block %s of %s is given out again", place, len(blocks))
                # else the traceback that each keeps would keep it, and workers do blocks twice
                _let_go(futures[place:])
                futures[place:] = self._submit(work, blocks[place:])
                continue
            losses = 0
            _let_go(futures[place : place + len(found)])
            place += len(found)
            yield from found

    def _take(self, futures: "Sequence[Future[Result]]") -> list[Result]:
        """Return what became of the first, once it is done, and of those after it that are."""
        from distributed import wait

        wait(futures[0])
        done = list(takewhile(lambda one: one.status == "finished", futures))
        if not done:
            return [futures[0].result()]
        return list(self.client.gather(done))

    def _submit(
        self, work: Callable[[Any], Result], blocks: Sequence[Any]
    ) -> "list[Future[Result]]":
        if not blocks:
            return []
        # once to every worker, so that it is not lost with one of them
        shared = self.client.scatter(_freeze(work), broadcast=True, hash=False)
        # one group of tasks: the scheduler gives the next to whoever is free, and does not compare
        # all workers for each, as it does for tasks that come one by one
        frozen = [_freeze(block) for block in blocks]
        return self.client.map(_do, frozen, work=shared, pure=False, retries=_ROUNDS)

    def _losses(self) -> tuple[type[BaseException], ...]:
        from concurrent.futures import CancelledError

        from distributed import KilledWorker
        from distributed import TimeoutError as DaskTimeoutError
        from distributed.comm.core import CommClosedError

        return CancelledError, CommClosedError, KilledWorker, DaskTimeoutError

    def _is_reachable(self) -> bool:
        try:
            self.client.wait_for_workers(1, timeout=_PATIENCE_SECONDS)
        except Exception as error:
            _LOGGER.warning("no worker within %s s (%s)", _PATIENCE_SECONDS, type(error).__name__)
            return False
        return bool(self.client.status == "running")


def _let_go(futures: "Sequence[Future[Any]]") -> None:
    for one in futures:
        one.release()


@contextmanager
def open_cluster(
    where: str, parts: Path | str, *, n_workers: int | None = None
) -> Iterator[Cluster]:
    """Connect to workers, and let them go at the end.

    Parameters
    ----------
    where
        `local` for processes of this machine; the address of a Dask scheduler, such as
        tcp://node1:8786; or the path of a TOML file that says how a queue is asked for workers.
    parts
        The folder for finished blocks, or an address that fsspec knows.
    n_workers
        Processes of a local cluster; one a core when None.

    Raises
    ------
    ClusterError
        Where no worker comes, the workers have another version of this program, or nothing is
        known of the parts' address.
    """
    if isinstance(parts, str):
        find_file_system(parts)
    import dask
    from distributed import Client

    seconds = f"{_CONNECT_SECONDS:g}s"
    with (
        dask.config.set({"distributed.comm.timeouts.connect": seconds}),
        _find_scheduler(where, n_workers) as scheduler,
    ):
        try:
            client = Client(scheduler, timeout=seconds)
        except (OSError, ValueError) as error:
            raise ClusterError(
                f"No Dask scheduler answers at {where}: start one with `dask scheduler`, and "
                "workers with `dask worker ADDRESS --nthreads 1`, or take --cluster local."
            ) from error
        try:
            _check_workers(client, where)
            yield Cluster(client, PartStore(parts), where)
        finally:
            client.close(timeout=5)


@contextmanager
def _find_scheduler(where: str, n_workers: int | None) -> Iterator[Any]:
    if where == "local":
        from distributed import LocalCluster

        with LocalCluster(
            n_workers=n_workers or count_cores(),
            threads_per_worker=1,
            dashboard_address=None,
            silence_logs=logging.CRITICAL,
        ) as local:
            yield local
    elif "://" in where:
        yield where
    else:
        queue = _ask_queue(Path(where).expanduser())
        try:
            yield queue
        finally:
            # Dask asserts that every job was taken by the queue; one that was not, ends with it
            with suppress(AssertionError):
                queue.close()


def _ask_queue(path: Path) -> Any:
    """Return the workers that a TOML asks a queue for.

    `queue` is SLURM, PBS, SGE or another of dask-jobqueue's, `jobs` how many are submitted; every
    other key is one of its `<queue>Cluster`, such as cores, memory, walltime.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ClusterError(
            f"The cluster {path} cannot be read ({error.strerror}): it is local, an address such "
            "as tcp://node1:8786, or a TOML file."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ClusterError(f"{path} is not valid TOML: {error}.") from error
    import dask_jobqueue

    kind, jobs = content.pop("queue", None), content.pop("jobs", 1)
    maker = getattr(dask_jobqueue, f"{kind}Cluster", None)
    job = getattr(maker, "job_cls", None)
    if maker is None or job is None or not isinstance(jobs, int) or jobs < 1:
        raise ClusterError(
            f'{path} must say queue = "SLURM" (or PBS, SGE, LSF ...) and jobs = a whole number '
            f"from 1, got {kind!r} and {jobs!r}."
        )
    if shutil.which(job.submit_command) is None:
        raise ClusterError(
            f"{path} asks {kind} for workers, but there is no command {job.submit_command} here: "
            f"run this where jobs are given to {kind}, such as its login node."
        )
    try:
        # one thread a process, as many processes as cores
        made = maker(**{"processes": content.get("cores", 1), **content})
        made.scale(jobs=jobs)
    except (TypeError, ValueError) as error:
        raise ClusterError(f"{path} does not describe a {kind} cluster: {error}.") from error
    return made


def _check_workers(client: "Client", where: str) -> None:
    from distributed import TimeoutError as DaskTimeoutError

    try:
        client.wait_for_workers(1, timeout=_PATIENCE_SECONDS)
    except (DaskTimeoutError, TimeoutError, OSError) as error:
        raise ClusterError(
            f"No worker came to {where} within {_PATIENCE_SECONDS:g} s; start some with "
            "`dask worker ADDRESS --nthreads 1`, or look at what the queue says of its jobs."
        ) from error
    # of very many, one may just have ended: it is given nothing
    told = client.run(_describe_worker, on_error="return").values()
    found = [one for one in told if isinstance(one, tuple)]
    if not found:
        raise ClusterError(f"None of the workers at {where} answers; start them anew.")
    versions = {version for version, _ in found}
    if versions != {__version__}:
        raise ClusterError(
            f"The workers at {where} have trialsim {', '.join(sorted(versions))}, this is "
            f"{__version__}: install the same everywhere."
        )
    processors = sorted({processor for _, processor in found})
    if len(processors) > 1:
        _LOGGER.warning(
            "workers have %s types of processors (%s): the last digits may differ",
            len(processors),
            "; ".join(processors),
        )


def _describe_worker() -> tuple[str, str]:
    return __version__, _name_processor(_PROCESSORS)


def _name_processor(source: Path) -> str:
    """Return the processor's model where the system tells it (Linux), else its architecture."""
    try:
        lines = source.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def _freeze(value: Any) -> bytes:
    """Return a value as bytes that hold its arrays too.

    Dask hands arrays over as views of what it received, at any address; sums over such arrays are
    rounded otherwise than over aligned ones.
    """
    import cloudpickle

    return bytes(cloudpickle.dumps(value))


def _do(block: bytes, *, work: bytes) -> Any:
    with threadpool_limits(1):
        return _thaw(work)(pickle.loads(block))  # noqa: S301 - from this program's own client


@lru_cache(maxsize=2)
def _thaw(work: bytes) -> Callable[[Any], Any]:
    return cast("Callable[[Any], Any]", pickle.loads(work))  # noqa: S301 - as above


def _keep(work: Callable[[Any], Arrays], parts: PartStore, named: tuple[str, Any]) -> Arrays | None:
    """Do a block and keep it; return it instead where this worker cannot write."""
    key, block = named
    arrays = work(block)
    try:
        parts.write(key, arrays)
    except StorageError:
        return arrays
    return None
