"""Time and memory of whole simulations.

    python benchmarks/bench_simulation.py

First ANCOVA by resampling, then a comparison of 6 strategies at 12 sample sizes with 5,000 MMRM
trials each and their type I error. Prints wall and CPU seconds, peak memory, and the time of the
same fits without sharing people between sizes.
"""

import resource
import time
from collections.abc import Callable

import numpy as np
import pandas as pd

from trialsim.comparison.comparison import compare_strategies
from trialsim.design import DropOut, TrialDesign
from trialsim.simulation.outcomes import ResamplingModel
from trialsim.simulation.pool import build_pool
from trialsim.simulation.trials import simulate_trials

SEED = 20260101
MONTHS = (0.0, 6.0, 12.0, 24.0)


def build_people(n: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return trajectories (mm3) and scores of synthetic people."""
    rng = np.random.default_rng(SEED)
    slope = -14 + 5 * rng.normal(size=n)
    volumes = 6500 + 700 * rng.normal(size=(n, 1)) + slope[:, None] * MONTHS
    volumes = volumes + 70 * rng.normal(size=(n, len(MONTHS)))
    truth = -(slope - slope.mean()) / slope.std()
    quality = {"random": 0.0, "baseline_volume": 0.2, "regression": 0.4, "brlp": 0.5,
               "stacked": 0.6, "oracle": 1.0}  # fmt: skip
    scores = {
        name: r * truth + np.sqrt(1 - r**2) * rng.normal(size=n) for name, r in quality.items()
    }
    return pd.DataFrame(volumes, columns=list(MONTHS)), pd.DataFrame(scores)


def measure(name: str, work: Callable[[], object]) -> float:
    """Print and return CPU seconds, with wall seconds and peak memory."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{name}: {wall:.2f} s wall, {cpu:.2f} s CPU, {memory:.2f} GB at most")
    return cpu


def main() -> None:
    """Print every measurement."""
    trajectories, scores = build_people(600)
    design = TrialDesign(MONTHS, slowing=0.25, dropout=DropOut(0.3), analyses=("mmrm",))
    ancova = TrialDesign((0.0, 24.0), slowing=0.25, dropout=DropOut(0.3), analyses=("ancova",))
    ends = ResamplingModel(build_pool(trajectories[[0.0, 24.0]].to_numpy()))
    measure(
        "ANCOVA, 20,000 resampled trials of 200",
        lambda: simulate_trials(ends, ancova, [(100, 100)], seed=SEED, replicates=range(20_000)),
    )
    sizes = np.linspace(50, 600, 12).astype(int)
    together = measure(
        "6 strategies x 12 sizes x 5,000 MMRM trials",
        lambda: compare_strategies(
            trajectories, scores, design, sample_sizes=sizes.tolist(), fractions_enrolled=[0.5],
            n_simulations=5000, n_bootstrap=0, seed=SEED,
        ),
    )  # fmt: skip
    model = ResamplingModel(build_pool(trajectories.to_numpy()))
    alone = measure(
        "the 12 sizes of one strategy, each on its own",
        lambda: [
            simulate_trials(model, design, [design.split(int(n))], seed=SEED,
                            replicates=range(5000))
            for n in sizes
        ],
    )  # fmt: skip
    print(f"sharing people between sizes: {6 * alone / together:.1f} times less work")


if __name__ == "__main__":
    main()
