"""Closed-form power at many sample sizes: one call with an array against loops.

Run: python benchmarks/bench_analytic.py
"""

from collections.abc import Callable
from time import process_time

import numpy as np
from statsmodels.stats.power import TTestIndPower

from trialsim import analytic

N_CONTROL = np.linspace(20, 600, 1000)


def measure(run: Callable[[], object], repeats: int) -> float:
    """Return the least processor time of `repeats` runs, in milliseconds."""
    times = []
    for _ in range(repeats):
        start = process_time()
        run()
        times.append(process_time() - start)
    return 1000 * min(times)


def main() -> None:
    """Print processor times and ratios."""
    forms: dict[str, Callable[..., analytic.DesignPoint]] = {
        "means (t)": lambda **n: analytic.means(delta=0.3, sd=1, **n),
        "ancova (t)": lambda **n: analytic.ancova(delta=0.3, sd=1, correlation=0.6, **n),
        "random_slope (z)": lambda **n: analytic.random_slope(
            delta=20,
            visit_times=[0, 0.5, 1, 1.5, 2],
            slope_variance=4900,
            residual_variance=3600,
            **n,
        ),
        "mmrm (z)": lambda **n: analytic.mmrm(
            delta=0.4,
            sd=1,
            correlation=analytic.ar1(0.7, 4),
            retention=[1, 0.9, 0.8, 0.7],
            **n,
        ),
        "prognostic_enrichment (z)": lambda **n: analytic.prognostic_enrichment(
            mean_decline=100,
            sd_decline=80,
            score_correlation=0.5,
            fraction_enrolled=0.3,
            slowing=0.25,
            **n,
        ),
    }
    print(f"Power at {N_CONTROL.size} sample sizes, milliseconds of processor time")
    print(f"{'form':<28}{'array':>9}{'loop':>10}{'ratio':>8}")
    for name, form in forms.items():
        array = measure(lambda form=form: form(n_control=N_CONTROL), 20)
        loop = measure(lambda form=form: [form(n_control=n) for n in N_CONTROL], 3)
        print(f"{name:<28}{array:>9.2f}{loop:>10.1f}{loop / array:>8.0f}")
    peer = TTestIndPower()
    loop = measure(lambda: [peer.power(0.3, n, 0.05) for n in N_CONTROL], 3)
    array = measure(lambda: analytic.means(delta=0.3, sd=1, n_control=N_CONTROL), 20)
    print(f"{'statsmodels TTestIndPower':<28}{'':>9}{loop:>10.1f}{loop / array:>8.0f}")
    sized = measure(lambda: analytic.means(delta=0.3, sd=1, power=np.linspace(0.5, 0.99, 1000)), 5)
    print(f"sample size at 1000 powers, means (t): {sized:.1f} ms")


if __name__ == "__main__":
    main()
