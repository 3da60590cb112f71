"""The same model drawn at random, exactly: what the closed form is checked with."""

import numpy as np
from numpy.typing import NDArray

from trialsim.accrual.plan import AccrualPlan


def simulate_months(
    plan: AccrualPlan,
    n_enrolled: int,
    *,
    fraction_enrolled: float,
    n_trials: int,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Return the month at which the last person is randomized in each trial, (n_trials,).

    Every site has its rate, the expected rate its error, and arrivals are a Poisson process whose
    rate steps up where a site opens; nothing is approximated.

    Parameters
    ----------
    plan, n_enrolled, fraction_enrolled
        As in `forecast_enrollment`.
    n_trials
        Trials drawn.
    rng
        Draws them.
    """
    rates = np.full((n_trials, plan.sites), plan.screened_per_site_per_month)
    if plan.site_variation:
        rates = rates * _draw_gamma(plan.site_variation, rates.shape, rng)
    if plan.rate_uncertainty:
        rates = rates * _draw_gamma(plan.rate_uncertainty, (n_trials, 1), rng)
    rates = rates * fraction_enrolled * (1 - plan.failure_rate)
    # the n-th arrival of a unit-rate process, then the month at which the mean reaches it
    needed = rng.gamma(n_enrolled, size=n_trials)
    total = rates.cumsum(axis=1)
    gained = np.cumsum(total[:, :-1] * np.diff(plan.openings), axis=1)
    before = np.column_stack([np.zeros(n_trials), gained])
    last = (before <= needed[:, None]).sum(axis=1) - 1
    trial = np.arange(n_trials)
    waited = (needed - before[trial, last]) / total[trial, last]
    return np.asarray(plan.openings[last] + waited + plan.screening_months)


def _draw_gamma(
    variation: float, shape: tuple[int, ...], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return factors with mean 1 and this coefficient of variation."""
    return np.asarray(rng.gamma(1 / variation**2, variation**2, size=shape))
