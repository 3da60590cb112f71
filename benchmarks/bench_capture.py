"""Bootstrap of a capture-rate curve: all resamples and sizes at once against a loop.

Run: python benchmarks/bench_capture.py
"""

from time import process_time

import numpy as np

from trialsim.enrichment import capture_rate

N_PEOPLE, N_BOOTSTRAP = 2000, 1000
SIZES = [round(N_PEOPLE * share / 10) for share in range(1, 10)]


def loop_over(score: np.ndarray, decline: np.ndarray, n: int, rng: np.random.Generator) -> None:
    """Do `n` resamples the plain way: sort, cut, intersect."""
    for _ in range(n):
        rows = rng.integers(N_PEOPLE, size=N_PEOPLE)
        by_score = np.argsort(-score[rows])
        by_decline = np.argsort(-decline[rows])
        for size in SIZES:
            len(set(by_score[:size]) & set(by_decline[:size]))


def main() -> None:
    """Print processor times and their ratio."""
    rng = np.random.default_rng(1)
    decline = rng.normal(size=N_PEOPLE)
    score = decline + rng.normal(size=N_PEOPLE)
    start = process_time()
    capture_rate(score, decline, SIZES, rng=rng, n_bootstrap=N_BOOTSTRAP)
    together = process_time() - start
    start = process_time()
    loop_over(score, decline, N_BOOTSTRAP // 20, rng)
    looped = 20 * (process_time() - start)
    print(f"{N_PEOPLE} people, {len(SIZES)} sizes, {N_BOOTSTRAP} resamples (processor time)")
    print(f"at once {together:.2f} s, loop {looped:.2f} s (50 resamples, scaled)")
    print(f"ratio {looped / together:.0f}")


if __name__ == "__main__":
    main()
