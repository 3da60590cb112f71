"""Whether the estimates of a trial's looks have independent increments."""

from dataclasses import replace

import numpy as np

from trialsim.analytic import LookPlan
from trialsim.simulation.looks import SimulatedLooks
from trialsim.simulation.stopping import estimate_correlation

_FAR = 4.0
"""Standard errors of a correlation that are no chance."""


def correlate_plan(plan: LookPlan, simulated: SimulatedLooks, analysis: str) -> LookPlan:
    """Return the plan with bounds at the correlation that trials without an effect show."""
    correlation = estimate_correlation(simulated.null[analysis])
    return replace(plan, design=plan.design.correlate(correlation))


def find_dependence(plan: LookPlan, simulated: SimulatedLooks, analysis: str) -> str | None:
    """Return a sentence where increments are clearly dependent; None where they are not.

    Correlations of Z over looks of simulated trials are compared with those of the planned
    information, sqrt(t_j / t_k), by their standard error (1 - r^2) / sqrt(n).
    """
    seen = estimate_correlation(simulated.null[analysis])
    root = np.sqrt(plan.design.information_rates)
    ratio = np.divide.outer(root, root)
    expected = np.minimum(ratio, 1 / ratio)
    error = (1 - expected**2) / np.sqrt(simulated.months.shape[1])
    pairs = np.triu_indices(len(root), 1)
    score = (seen[pairs] - expected[pairs]) / error[pairs]
    if not score.size or np.abs(score).max() <= _FAR:
        return None
    worst = int(np.abs(score).argmax())
    first, second = (int(index[worst]) + 1 for index in pairs)
    return (
        f"Z at looks {first} and {second} correlates {seen[pairs][worst]:.3f} in simulated trials, "
        f"{expected[pairs][worst]:.3f} with independent increments: the estimator is not "
        'efficient for these people; bounds = "covariance" in [interim] takes bounds from the '
        "correlation estimated."
    )
