"""How many workers one command keeps busy: Dask's own scheduler, workers that only sleep.

    python benchmarks/bench_schedule.py --workers 10 100 1000 --seconds 0.5 2 5 15

A scheduler of Dask runs in a process of its own, as `dask scheduler` does; the workers are Dask's
own too, of one thread each, hundreds of them in a process; blocks are handed over, kept and joined
by what `trialsim run --cluster` uses. A block is a sleep that leaves a part as large as one of
simulated trials, or none, as one of people whose predictions lie in their own folder. Told are how
much of the workers' time was spent in blocks, and the processor time of a block that the scheduler
and the command take: these are what bounds a cluster. The time of the workers is told too, since
on one machine they share cores with the rest, which they would not on many.
"""

import argparse
import asyncio
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from trialsim.workers.cluster import Cluster, open_cluster
from trialsim.workers.spread import Arrays

_A_PROCESS = 100
"""Workers: each talks to some 70 others, and a process may have few files open."""
_PATIENCE_SECONDS = 3600
_QUIET = {
    # what a worker watches of its own process would be watched a thousand times
    "distributed.worker.profile.enabled": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.terminate": False,
    "distributed.admin.system-monitor.interval": "60s",
    "distributed.admin.tick.interval": "60s",
    "distributed.admin.tick.cycle": "60s",
    "distributed.worker.http.routes": [],
    "distributed.comm.timeouts.connect": "300s",
    "distributed.comm.timeouts.tcp": "600s",
}
_COLUMNS = (
    "workers",
    "seconds a block",
    "blocks",
    "in use %",
    "blocks a second",
    "scheduler ms",
    "command ms",
    "worker ms",
)


@dataclass(frozen=True)
class SleepingTrials:
    """A block of simulated trials: 16 batches, each of 300 estimates with errors."""

    seconds: float
    round: int

    def __call__(self, block: int) -> Arrays:
        """Sleep, and return a part."""
        time.sleep(self.seconds)
        names = ("estimate", "se", "df")
        return {f"{i}/{name}": np.full((1, 300), float(block)) for i in range(16) for name in names}


@dataclass(frozen=True)
class SleepingPeople:
    """A block of people, whose results lie elsewhere."""

    seconds: float
    round: int

    def __call__(self, _block: int) -> int:
        """Sleep, and return how many there were."""
        time.sleep(self.seconds)
        return 1


def hand_over_trials(cluster: Cluster, seconds: float, blocks: Sequence[int]) -> Iterator[Any]:
    """Return the parts of simulated trials as they are joined."""
    return cluster(SleepingTrials(seconds, len(blocks)), blocks)


def hand_over_people(cluster: Cluster, seconds: float, blocks: Sequence[int]) -> Iterator[Any]:
    """Return what becomes of blocks of people."""
    return cluster.map(SleepingPeople(seconds, len(blocks)), blocks)


KINDS = {"trials": hand_over_trials, "people": hand_over_people}


@contextmanager
def start_workers(n: int, folder: Path) -> Iterator[str]:
    """Start a scheduler and so many workers in processes of their own; give its address."""
    from distributed import Client

    file = folder / "scheduler.json"
    scheduler = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--no-dashboard"]
    options = ["--port", "0", "--host", "127.0.0.1", "--scheduler-file", str(file)]
    with ExitStack() as stack:
        stack.enter_context(_running([*scheduler, *options]))
        for start in range(0, n, _A_PROCESS):
            own = [sys.executable, __file__, "--serve", str(min(_A_PROCESS, n - start)), str(file)]
            stack.enter_context(_running(own))
        while not file.exists():
            time.sleep(0.1)
        address = str(json.loads(file.read_text())["address"])
        with Client(address, timeout=_PATIENCE_SECONDS) as client:
            client.wait_for_workers(n, timeout=_PATIENCE_SECONDS)
        yield address


@contextmanager
def _running(command: Sequence[str]) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.kill()
        process.wait()


async def serve(n: int, file: str) -> None:
    """Be so many workers until killed."""
    import dask
    from distributed import Worker

    # every worker listens to what all of its process log
    logging.disable(logging.WARNING)
    while not Path(file).exists():
        await asyncio.sleep(0.1)
    with dask.config.set(_QUIET), TemporaryDirectory() as folder:
        workers = [
            Worker(
                scheduler_file=file,
                nthreads=1,
                memory_limit=0,
                dashboard=False,
                local_directory=folder,
            )
            for _ in range(n)
        ]
        for start in range(0, n, 20):
            await asyncio.gather(*workers[start : start + 20])
        await asyncio.gather(*(worker.finished() for worker in workers))


def tell_seconds() -> tuple[int, float]:
    """Return this process and its processor seconds."""
    return os.getpid(), time.process_time()


def measure(
    cluster: Cluster, n: int, hand_over: Callable[..., Iterator[Any]], seconds: float, rounds: int
) -> dict[str, float]:
    """Return one row of the table."""
    ask = cluster.client.run_on_scheduler
    n_blocks = rounds * n
    used = dict(cluster.client.run(tell_seconds).values())
    scheduler, command, start = ask(time.process_time), time.process_time(), time.perf_counter()
    for _ in hand_over(cluster, seconds, range(n_blocks)):
        pass
    wall, command = time.perf_counter() - start, time.process_time() - command
    scheduler = ask(time.process_time) - scheduler
    after = dict(cluster.client.run(tell_seconds).values())
    worker = sum(after[own] - used[own] for own in after)
    values = (
        n,
        seconds,
        n_blocks,
        100 * rounds * seconds / wall,
        n_blocks / wall,
        *(1000 * one / n_blocks for one in (scheduler, command, worker)),
    )
    return dict(zip(_COLUMNS, values, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--seconds", type=float, nargs="+", default=[0.5, 2.0, 5.0, 15.0])
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--rounds", type=int, default=4, help="blocks a worker")
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve:
        asyncio.run(serve(int(asked.serve[0]), asked.serve[1]))
        return
    print("  ".join(("kind  ", *_COLUMNS)))
    for n in asked.workers:
        with (
            TemporaryDirectory() as scratch,
            start_workers(n, Path(scratch)) as address,
            open_cluster(address, Path(scratch) / "parts") as cluster,
        ):
            # everyone has imported what a block needs, as in a command's later steps
            for _ in hand_over_people(cluster, 0.1, range(3 * n)):
                pass
            for kind in asked.kinds:
                for seconds in asked.seconds:
                    row = measure(cluster, n, KINDS[kind], seconds, asked.rounds)
                    told = (f"{row[name]:{len(name)}.4g}" for name in _COLUMNS)
                    print("  ".join((kind, *told)), flush=True)


if __name__ == "__main__":
    main()
