"""What spreading costs: overhead of a task, efficiency of two workers.

    python benchmarks/bench_cluster.py [overhead] [simulation]

Efficiency is told in wall time, which means something where two cores are free, and in processor
time, which others on the machine hardly change: what one worker takes alone, over twice what the
busier of two takes.
"""

import sys
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
from trialsim.workers.spread import Arrays

MONTHS = (0.0, 6.0, 12.0, 24.0)
N_TRIALS = 64_000
"""Twelve blocks, six for each of two workers."""


def keep_little(block: int) -> Arrays:
    """Return a part of no work."""
    return {"value": np.array([float(block)])}


def measure_overhead(cluster: Cluster, n: int = 300) -> tuple[float, float]:
    """Return milliseconds of wall time and of this process for a task of no work, kept and read."""
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in cluster(keep_little, range(n)):
        pass
    return 1000 * (time.perf_counter() - wall) / n, 1000 * (time.process_time() - cpu) / n


def measure_simulation(folder: Path, n_workers: int) -> tuple[float, float]:
    """Return the wall seconds of many MMRM trials, and processor seconds of the busiest worker."""
    rng = np.random.default_rng(1)
    pool = build_pool(6500 + 700 * rng.normal(size=(400, 4)) - 14 * np.array(MONTHS))
    design = TrialDesign(MONTHS, slowing=0.25, dropout=DropOut(0.3), analyses=("mmrm",))
    simulate = partial(
        simulate_trials, ResamplingModel(pool), design, [(150, 150)], replicates=range(N_TRIALS)
    )
    with open_cluster("local", folder, n_workers=n_workers) as cluster:
        # so that imports are not measured
        simulate(seed=1, workers=cluster, replicates=range(640), batch_size=10)
        before = cluster.client.run(time.process_time)
        start = time.perf_counter()
        simulate(seed=2, workers=cluster)
        wall = time.perf_counter() - start
        after = cluster.client.run(time.process_time)
        return wall, max(after[worker] - before[worker] for worker in after)


def tell_overhead(folder: Path) -> None:
    """Print what handing a task over costs."""
    with open_cluster("local", folder / "little", n_workers=2) as cluster:
        wall, cpu = measure_overhead(cluster)
    print(f"overhead of a task: {wall:.1f} ms wall, {cpu:.1f} ms of the process that asks")


def tell_simulation(folder: Path) -> None:
    """Print how much two workers do of twice what one does."""
    (wall, cpu), (wall_2, cpu_2) = (measure_simulation(folder / str(n), n) for n in (1, 2))
    print(f"{N_TRIALS:,} MMRM trials of {1000 * cpu / N_TRIALS:.2f} ms, by 1 and by 2 workers")
    for kind, one, two in (("wall", wall, wall_2), ("processor, the busier", cpu, cpu_2)):
        print(f"{kind}: {one:.1f} s and {two:.1f} s, {100 * one / two / 2:.0f} % of linear")


PARTS = {"overhead": tell_overhead, "simulation": tell_simulation}


def main(names: list[str]) -> None:
    """Print every measurement, or those that are named."""
    with TemporaryDirectory() as folder:
        for name in names or PARTS:
            PARTS[name](Path(folder))


if __name__ == "__main__":
    main(sys.argv[1:])
