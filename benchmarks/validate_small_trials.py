"""Type I error of robust errors in trials of few people.

    python benchmarks/validate_small_trials.py [--trials 20000]

Prints the tables of docs/methods-twins.md of small arms: nobody has an effect; nobody is missing
(covariates normal, and log-normal with a skewness of 6), covariates tell who is missing, or the
line runs through someone. Trials of more than 60 people are half as many.
"""

import argparse

import numpy as np
from numpy.typing import NDArray

from trialsim.analysis.adjusted import fit_adjusted
from trialsim.analysis.augmented import fit_augmented, fit_prediction_powered
from trialsim.analysis.mmrm import fit_mmrm
from trialsim.analysis.result import FitResult

Floats = NDArray[np.float64]
SEED = 20260101
SIZES = [(3, 20), (5, 20), (8, 16), (10, 40), (15, 15), (20, 60), (30, 90)]
LEAVING = [
    (100, 100, 4, 2.5, 1.0),
    (50, 50, 4, 0.9, 0.8),
    (30, 30, 4, 0.9, 0.8),
    (25, 25, 6, 0.7, 0.8),
    (15, 15, 2, 0.9, 0.8),
    (100, 50, 4, 0.5, 1.2),
]
"""People of both arms, covariates, and by which logit people stay: this one less this slope times
the sum of the first two covariates."""


def draw_covariates(rng: np.random.Generator, shape: tuple[int, ...], *, skewed: bool) -> Floats:
    """Return covariates of mean 0 and sd 1."""
    x = rng.standard_normal(shape)
    if not skewed:
        return x
    return np.asarray((np.exp(x) - np.exp(0.5)) / np.sqrt((np.e - 1) * np.e))


def count(n_trials: int, n: int) -> int:
    """Return how many trials of n people are simulated."""
    return n_trials if n <= 60 else n_trials // 2


def reject(fit: FitResult) -> float:
    """Return the share of the trials that are significant at .05, those that fail among them."""
    return float((fit.p_value < 0.05).mean())


def print_small_arms(n_trials: int) -> None:
    """Print the type I error where nobody is missing: the second covariate is the twin."""
    print(f"\n{n_trials} trials: unadjusted ancova procova_interacted aipw ppi")
    for skewed in (False, True):
        for treated, control in SIZES:
            rng, n = np.random.default_rng(SEED), treated + control
            x = draw_covariates(rng, (count(n_trials, n), n, 2), skewed=skewed)
            y = x.sum(axis=2) / 2 + rng.standard_normal(x.shape[:2])
            arm = np.repeat([1.0, 0.0], [treated, control])
            fits = [
                fit_adjusted(y, arm),
                fit_adjusted(y, arm, x[..., :1]),
                fit_adjusted(y, arm, x, n_interacted=1),
                fit_augmented(y, arm, x),
                fit_prediction_powered(y, arm, x[..., 1]),
            ]
            shown = " ".join(f"{reject(fit):.3f}" for fit in fits)
            print(f"{'skewed' if skewed else 'normal'} {treated} + {control}: {shown}", flush=True)


def print_leaving(n_trials: int) -> None:
    """Print AIPW where covariates tell who leaves: missing, type I error, error over the true."""
    print("\nAIPW where two covariates tell who leaves: missing, type I error, se / sd")
    for control, treated, n_covariates, level, slope in LEAVING:
        rng, n = np.random.default_rng(SEED), control + treated
        x = rng.standard_normal((count(n_trials, n), n, n_covariates))
        y = x.sum(axis=2) / 2 + rng.standard_normal(x.shape[:2])
        stays = 1 / (1 + np.exp(slope * x[..., :2].sum(axis=2) - level))
        y[rng.random(y.shape) > stays] = np.nan
        fit = fit_augmented(y, np.repeat([0.0, 1.0], [control, treated]), x)
        fine = fit.converged
        ratio = np.sqrt(np.mean(fit.se[fine] ** 2)) / fit.estimate[fine].std()
        print(
            f"{control} + {treated}, {n_covariates} covariates: {np.isnan(y).mean():.2f} "
            f"{(fit.p_value[fine] < 0.05).mean():.3f} {ratio:.2f} ({1 - fine.mean():.3f} fail)",
            flush=True,
        )


def print_met(n_trials: int) -> None:
    """Print the type I error where the line runs through someone."""
    rng, few = np.random.default_rng(SEED), n_trials // 5
    one = np.repeat([1.0, 0.0], [1, 20])
    print(f"\none treated beside 20: {reject(fit_adjusted(rng.normal(size=(few, 21)), one)):.3f}")
    arm, sites = np.repeat([1.0, 0.0], [5, 20]), np.zeros((25, 4))
    sites[np.arange(4), np.arange(4)] = 1.0
    y = rng.normal(size=(few, 25))
    print(f"five, four of them alone of a site: {reject(fit_adjusted(y, arm, sites)):.3f}")
    visits = rng.normal(size=(few // 6, 25, 2)) + rng.normal(size=(few // 6, 25, 1))
    fit = fit_mmrm(visits, arm, [6.0, 12.0], sites, standard_error="cr2")
    print(f"the same, MMRM by CR2: {reject(fit):.3f}")
    arm, sites = np.repeat([1.0, 0.0], 20), np.zeros((40, 3))
    for site in range(3):
        sites[[site, 20 + 5 * site, 21 + 5 * site], site] = 1.0
    fit = fit_augmented(rng.normal(size=(few, 40)), arm, sites)
    print(f"AIPW of 20 + 20, three of four sites have one treated: {reject(fit):.3f}")


def main() -> None:
    """Print every table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=20_000)
    n_trials = parser.parse_args().trials
    print_small_arms(n_trials)
    print_leaving(n_trials)
    print_met(n_trials)


if __name__ == "__main__":
    main()
