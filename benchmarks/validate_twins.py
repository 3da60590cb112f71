"""Type I error, power and bias of every estimator under good and bad twins; borrowing; coverage.

    python benchmarks/validate_twins.py [--trials 10000] [--mixed-trials 10000]

Prints the tables of docs/methods-twins.md of trials of 200 people: three visits after baseline that
correlate .5 given baseline, 15 % gone by the last one; a right twin correlates .3, .45, .6 with
them. No trials: none of these tables. Those of small arms are validate_small_trials.py's.
"""

import argparse
import math

import numpy as np
import pandas as pd

from trialsim.analytic.correlation import exchangeable
from trialsim.finished.conformal import compute_conformal_reach
from trialsim.twins import TwinScenario, measure_borrowing, measure_estimators

SEED = 20260101
VISITS = {
    "correlation": exchangeable(0.5, 3),
    "twin_correlation": np.array([0.3, 0.45, 0.6]),
    "retention": np.array([0.95, 0.9, 0.85]),
}
TWINS: dict[str, dict[str, float]] = {
    "useless": {"slope": 0.0, "noise": 1.0},
    "good": {},
    "miscalibrated": {"slope": 0.4, "shift": 0.5, "noise": 0.3},
    "shifted": {"site_shift": 1.0},
}
LINEAR = [
    "change", "ancova", "procova", "procova_interacted", "weighted_procova", "aipw", "ppi",
]  # fmt: skip
MIXED = ["mmrm", "procova_mmrm"]


def measure(
    n_trials: int, estimators: list[str], sizes: tuple[int, int], **scenario: float
) -> pd.Series:
    """Return the share of trials that each estimator rejects."""
    found = measure_estimators(
        TwinScenario(**VISITS, **scenario),
        n_control=sizes[0],
        n_treatment=sizes[1],
        n_trials=n_trials,
        estimators=estimators,
        seed=SEED,
    )
    return found.set_index(["estimator", "standard_error"])["rejected"]


def print_errors(n_trials: int, estimators: list[str]) -> None:
    """Print type I error where nobody has an effect, and where the mean effect is 0."""
    settings = {
        "no effect, 100 + 100": ((100, 100), {}),
        "no effect, 150 + 50": ((150, 50), {}),
        "no effect, 50 + 150": ((50, 150), {}),
        "mean effect 0, 100 + 100": ((100, 100), {"effect_by_prognosis": 0.8}),
        "mean effect 0, 150 + 50": ((150, 50), {"effect_by_prognosis": 0.8}),
        "mean effect 0, 50 + 150, treated vary less": (
            (50, 150), {"effect_by_prognosis": -0.4, "treated_error": 0.8},
        ),
    }  # fmt: skip
    for name, (sizes, effect) in settings.items():
        columns = {
            twin: measure(n_trials, estimators, sizes, error_spread=0.5, **kind, **effect)
            for twin, kind in TWINS.items()
        }
        print(
            f"\n{name}, {n_trials} trials\n{pd.DataFrame(columns).round(3).to_string()}", flush=True
        )


def print_power(n_trials: int, estimators: list[str]) -> None:
    """Print power at an effect of .4, for twins that keep less than they promised."""
    columns = {
        twin: measure(n_trials, estimators, (70, 70), effect=0.4, **kind)
        for twin, kind in {
            **TWINS,
            # a correlation of .7 x what was promised: 1 / sqrt(1 + 1.02^2)
            "deflated by .7": {"noise": 1.02},
            "heteroscedastic": {"error_spread": 1.0},
        }.items()
    }
    shown = pd.DataFrame(columns).round(3).to_string()
    print(f"\npower at an effect of .4, 70 + 70, {n_trials} trials\n{shown}", flush=True)


def print_borrowing(n_trials: int) -> None:
    """Print the type I error of twins as patients under drift."""
    found = measure_borrowing(
        TwinScenario(**VISITS), n_control=50, n_treatment=150, n_trials=n_trials, seed=SEED
    )
    print("\nborrowing, no effect, 50 + 150")
    print(found.pivot_table(index="drift", columns="analysis", values="rejected").round(3))


def print_coverage(n_trials: int) -> None:
    """Print coverage of conformal intervals, exchangeable and not."""
    rng = np.random.default_rng(SEED)
    print("\nconformal 95 % intervals: n controls, expected, covered, covered if twins err by 1 sd")
    for n in (19, 39, 60, 100):
        errors = rng.standard_t(4, size=(n_trials, n))
        new = rng.standard_t(4, size=(n_trials, 500))
        reach = np.array([compute_conformal_reach(own) for own in errors])[:, None]
        expected = math.ceil(0.95 * (n + 1)) / (n + 1)
        covered = (np.abs(new) <= reach).mean()
        moved = (np.abs(new + np.sqrt(2.0)) <= reach).mean()
        print(f"{n:5d} {expected:.4f} {covered:.4f} {moved:.4f}")


def main() -> None:
    """Print every table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--mixed-trials", type=int, default=10_000)
    asked = parser.parse_args()
    if asked.trials:
        print_coverage(2000)
        print_borrowing(asked.trials)
    for estimators, n_trials in ((LINEAR, asked.trials), (MIXED, asked.mixed_trials)):
        if not n_trials:
            continue
        print_errors(n_trials, estimators)
        print_power(n_trials, estimators)


if __name__ == "__main__":
    main()
