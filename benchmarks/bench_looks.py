"""Time of trials with looks, and the type I error over all looks.

    python benchmarks/bench_looks.py [--replicates 10000] [--seed 1]

Prints the CPU time of three looks over that of one analysis, then the share of trials without an
effect that reject at any look, for every analysis, spending function and pool of people.
"""

import argparse
import time

import numpy as np

from trialsim.analytic import group_sequential
from trialsim.design import DropOut, TrialDesign
from trialsim.simulation import ResamplingModel, build_pool, simulate_trials
from trialsim.simulation.looks import simulate_looks
from trialsim.simulation.stopping import tabulate_stops

MONTHS = (0.0, 6.0, 12.0, 18.0)
ANALYSES = (
    "change", "ancova", "ancova_score", "random_slope", "random_slope_score", "mmrm", "mmrm_score",
)  # fmt: skip
FAMILIES = (
    ("lan_demets_obrien_fleming", None),
    ("lan_demets_pocock", None),
    ("hwang_shih_decani", -4.0),
    ("kim_demets", 2.0),
)


def build_people(n: int, skewness: float) -> tuple[np.ndarray, np.ndarray]:
    """Return volumes of people whose decline is skewed, (n, n_visits), and a score, (n,).

    The score is the true decline with an error of its own: what is known at baseline holds nothing
    of the measurement errors of later visits.
    """
    rng = np.random.default_rng(11)
    decline = 5 + 5 * (rng.gamma(4 / skewness**2, size=n) - 4 / skewness**2) * skewness / 2
    noise = rng.normal(0, 40, (n, len(MONTHS)))
    volume = rng.normal(3000, 350, (n, 1)) - decline[:, None] * np.array(MONTHS) + noise
    return volume, MONTHS[-1] * decline + rng.normal(0, 80, n)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--replicates", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    replicates = range(asked.replicates)
    people, score = build_people(300, 1.9)
    fast = np.argsort(people[:, -1] - people[:, 0])[:100]
    design = TrialDesign(visits_months=MONTHS, dropout=DropOut(control=0.2), slowing=0.3)
    model = ResamplingModel(build_pool(people))
    start = time.process_time()
    simulate_trials(model, design, [(100, 100)], seed=asked.seed, replicates=replicates, workers=1)
    single = time.process_time() - start
    options = {"accrual": 8.0, "by": "completers", "seed": asked.seed, "replicates": replicates}
    start = time.process_time()
    simulate_looks(model, design, (100, 100), [0.4, 0.7], workers=1, **options)
    print(f"three looks over one analysis: {(time.process_time() - start) / single:.2f}")
    mcse = np.sqrt(0.025 * 0.975 / len(replicates))
    for name, chosen in (("everyone", slice(None)), ("fastest third", fast)):
        simulated = simulate_looks(
            ResamplingModel(build_pool(people[chosen], score[chosen])),
            design.change(analyses=ANALYSES),
            (65, 65),
            [0.4, 0.7],
            **options,
        )
        for analysis in ANALYSES:
            fits = simulated.null[analysis]
            information = np.nanmean(fits.se**-2.0, axis=1)
            for family, parameter in FAMILIES:
                bounds = group_sequential(
                    information / information[-1], efficacy=family, efficacy_parameter=parameter
                )
                table = tabulate_stops(simulated, bounds, analysis)
                error = table[table["effect"] == 0]["reject_by_look"].iloc[-1]
                print(
                    f"{name:14} {analysis:13} {family:26} {error:.4f} "
                    f"{(error - 0.025) / mcse:+.1f} MCSE"
                )


if __name__ == "__main__":
    main()
