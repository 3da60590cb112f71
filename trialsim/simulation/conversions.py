"""Simulated trials whose endpoint is the time to conversion."""

import math

import numpy as np
import numpy.typing as npt
from scipy import special

from trialsim.analysis.result import Floats
from trialsim.analytic import Hazard
from trialsim.analytic.arguments import (
    COUNT,
    NOT_NEGATIVE,
    OPEN_SHARE,
    POSITIVE,
    find_problems,
    find_sides_problems,
    raise_problems,
)


def simulate_conversion(
    hazard: Hazard,
    *,
    hazard_ratio: float,
    n_control: float,
    n_treatment: float,
    accrual_months: float,
    followup_months: float,
    dropout_per_month: float = 0.0,
    alpha: float = 0.05,
    sides: int = 2,
    n_simulations: int = 5000,
    seed: int = 1,
) -> dict[str, float]:
    """Return power of the log-rank test in simulated trials, in the direction of benefit.

    Parameters
    ----------
    n_control, n_treatment
        People in each arm, rounded up.
    n_simulations, seed
        Trials, and the stream they come from.
    hazard, hazard_ratio, accrual_months, followup_months, dropout_per_month, alpha, sides
        As in `conversion_trial`; a hazard ratio of 1 shows the type I error.

    Returns
    -------
    dict
        power, mcse, mean_events.
    """
    raise_problems(
        find_problems(
            hazard_ratio=(hazard_ratio, POSITIVE),
            n_control=(n_control, POSITIVE),
            n_treatment=(n_treatment, POSITIVE),
            accrual_months=(accrual_months, NOT_NEGATIVE),
            followup_months=(followup_months, POSITIVE),
            dropout_per_month=(dropout_per_month, NOT_NEGATIVE),
            alpha=(alpha, OPEN_SHARE),
            n_simulations=(n_simulations, COUNT),
        )
        + find_sides_problems(sides)
    )
    n_control, n_treatment = (math.ceil(n - 1e-9) for n in (n_control, n_treatment))
    rng, n = np.random.default_rng(seed), n_control + n_treatment
    treated = np.arange(n) >= n_control
    rejected, events = 0, 0
    for start in range(0, n_simulations, 1000):
        shape = (min(1000, n_simulations - start), n)
        target = rng.exponential(size=shape) / np.where(treated, hazard_ratio, 1.0)
        converts = hazard.invert(target)
        ends = accrual_months * (1 - rng.random(shape)) + followup_months
        if dropout_per_month > 0:
            ends = np.minimum(ends, rng.exponential(1 / dropout_per_month, shape))
        z = compute_logrank(np.minimum(converts, ends), converts <= ends, treated)
        rejected += int((z > -special.ndtri(alpha / sides)).sum())
        events += int((converts <= ends).sum())
    power = rejected / n_simulations
    return {
        "power": power,
        "mcse": float(np.sqrt(power * (1 - power) / n_simulations)),
        "mean_events": events / n_simulations,
    }


def compute_logrank(
    months: Floats, converted: npt.NDArray[np.bool_], treated: npt.NDArray[np.bool_]
) -> Floats:
    """Return the log-rank z of many trials; positive where treated people convert later.

    Parameters
    ----------
    months, converted
        (n_trials, n_people), no ties.
    treated
        (n_people,).
    """
    order = np.argsort(months, axis=1)
    arm = treated[order].astype(float)
    event = np.take_along_axis(converted, order, axis=1)
    at_risk = np.arange(months.shape[1], 0, -1)
    share = np.cumsum(arm[:, ::-1], axis=1)[:, ::-1] / at_risk
    surplus = ((share - arm) * event).sum(axis=1)
    variance = (share * (1 - share) * event).sum(axis=1)
    # a trial without conversions shows nothing
    known = np.where(variance > 0, variance, np.inf)
    return np.asarray(surplus / np.sqrt(known))
