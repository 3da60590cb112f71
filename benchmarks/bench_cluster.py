"""What spreading costs: overhead of a task, efficiency of two workers, a schedule of a thousand.

    python benchmarks/bench_cluster.py

The schedule is Dask's own scheduler with tasks that only sleep, on as many slots as there would be
workers (50 threads of each worker stand for 50 workers); it shows how short a task may be.
"""

import time
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from trialsim.design import DropOut, TrialDesign
from trialsim.simulation.outcomes import ResamplingModel
from trialsim.simulation.pool import build_pool
from trialsim.simulation.trials import simulate_trials
from trialsim.workers.cluster import Cluster, open_cluster
from trialsim.workers.parts import PartStore
from trialsim.workers.spread import Arrays

MONTHS = (0.0, 6.0, 12.0, 24.0)


def sleep(seconds: float, _block: int) -> None:
    """Do nothing for a while."""
    time.sleep(seconds)


def keep_little(block: int) -> Arrays:
    """Return a part of no work."""
    return {"value": np.array([float(block)])}


def measure_overhead(cluster: Cluster, n: int = 300) -> float:
    """Return milliseconds of a task that does nothing, its part kept and read."""
    start = time.perf_counter()
    for _ in cluster(keep_little, range(n)):
        pass
    return 1000 * (time.perf_counter() - start) / n


def measure_simulation(folder: Path, n_workers: int) -> float:
    """Return the wall seconds of 20,000 MMRM trials."""
    rng = np.random.default_rng(1)
    pool = build_pool(6500 + 700 * rng.normal(size=(400, 4)) - 14 * np.array(MONTHS))
    design = TrialDesign(MONTHS, slowing=0.25, dropout=DropOut(0.3), analyses=("mmrm",))
    simulate = partial(
        simulate_trials, ResamplingModel(pool), design, [(150, 150)], replicates=range(20_000)
    )
    with open_cluster("local", folder, n_workers=n_workers) as cluster:
        # so that imports are not measured
        simulate(seed=1, workers=cluster, batch_size=20)
        start = time.perf_counter()
        simulate(seed=2, workers=cluster)
        return time.perf_counter() - start


def measure_schedule(n_slots: int, seconds: float, rounds: int = 4) -> float:
    """Return how much of the slots' time is spent in tasks."""
    from distributed import Client, LocalCluster

    n_workers = max(1, n_slots // 50)
    with (
        LocalCluster(
            n_workers=n_workers,
            threads_per_worker=n_slots // n_workers,
            processes=False,
            dashboard_address=None,
        ) as local,
        Client(local) as client,
    ):
        cluster = Cluster(client, PartStore(Path("unused")), "local")
        start = time.perf_counter()
        for _ in cluster.map(partial(sleep, seconds), range(rounds * n_slots)):
            pass
        return rounds * seconds / (time.perf_counter() - start)


def main() -> None:
    """Print every measurement."""
    with TemporaryDirectory() as folder:
        with open_cluster("local", Path(folder) / "little", n_workers=2) as cluster:
            print(f"overhead of a task: {measure_overhead(cluster):.1f} ms")
        one, two = (measure_simulation(Path(folder) / str(n), n) for n in (1, 2))
    print(f"20,000 MMRM trials: 1 worker {one:.1f} s, 2 workers {two:.1f} s wall, ", end="")
    print(f"{100 * one / two / 2:.0f} % of linear")
    for n_slots in (100, 1000):
        for seconds in (1.0, 10.0):
            used = measure_schedule(n_slots, seconds)
            print(f"{n_slots} workers, tasks of {seconds:g} s: {100 * used:.0f} % in use")


if __name__ == "__main__":
    main()
