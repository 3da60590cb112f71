"""Sample size and power with twins, in closed form."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from trialsim.analysis.result import Floats
from trialsim.analytic.arguments import raise_problems
from trialsim.analytic.point import DesignPoint, refuse_too_many
from trialsim.analytic.repeated_measures import compute_variance_inflation
from trialsim.analytic.retention import find_retention_problems
from trialsim.analytic.two_arm_test import Distribution
from trialsim.analytic.two_sample import ancova
from trialsim.errors import DesignError
from trialsim.twins.scenario import check_twin_correlation
from trialsim.twins.selection import restrict_to_selected

PLANNED: Final = {
    "ancova": 1,
    "mmrm": 1,
    "procova": 2,
    "ppi": 1,
    "aipw": 4,
    "weighted_procova": 2,
    "procova_mmrm": 2,
}
"""The estimators that a plan compares, those without a twin first, and the coefficients that each
estimates beside the arms' means: of baseline and twin, of AIPW in each arm, of PPI++ lambda."""

_COLUMNS: Final = [
    "estimator", "allocation_ratio", "n_control", "n_treatment", "n_total", "power",
]  # fmt: skip


def plan_with_twins(
    *,
    delta: float,
    sd: float,
    correlation: npt.ArrayLike,
    twin_correlation: npt.ArrayLike,
    retention: npt.ArrayLike | None = None,
    deflation: float = 1.0,
    fraction_enrolled: float = 1.0,
    error_spread: float = 0.0,
    allocation_ratios: Sequence[float] = (1.0, 2.0, 3.0),
    n_control: float | None = None,
    power: float | None = None,
    alpha: float = 0.05,
    sides: int = 2,
    distribution: Distribution = "t",
) -> pd.DataFrame:
    """Return size or power of each estimator at each allocation.

    All analyses adjust for baseline, so that correlations are those given baseline. Without the
    twin the variance of the last visit is that of `trialsim.analytic.mmrm`; the twin takes
    rho rho' off the covariance of the visits (PROCOVA: 1 - rho^2 of the last one, Schuler et al.
    2022). PPI++ and AIPW have the variance of PROCOVA where the twin has seen the baseline, and
    AIPW lives of the people seen at the last visit as PROCOVA does. Right weights divide it by
    1 + (coefficient of variation of the error variance)^2. With "t" each pays for the coefficients
    that it estimates as `trialsim.analytic.ancova` does, of as many people as its last visit's mean
    is worth. Robust errors of small arms cost more than that: simulate such plans.

    Parameters
    ----------
    delta
        Difference at the last visit.
    sd
        At the last visit given baseline, in everyone eligible.
    correlation
        Of the visits after baseline, given baseline, (n_visits, n_visits).
    twin_correlation
        Of the twin with each visit given baseline, (n_visits,), in everyone eligible.
    retention
        Share still in at each visit, (n_visits,); everyone when None.
    deflation
        The twin's correlation is multiplied by it: what the next trial keeps of what the last
        promised, greater than 0 and at most 1.
    fraction_enrolled
        Top share by the twin's predicted decline that is enrolled.
    error_spread
        Coefficient of variation between people of the error variance (for weighted PROCOVA).
    allocation_ratios
        Treatment to control, each finite.
    n_control, power
        Exactly one: the other is solved for.
    alpha, sides
        Type I error in total.
    distribution
        "t", or "z" for normal quantiles.

    Returns
    -------
    pandas.DataFrame
        `estimator`, `allocation_ratio`, `n_control`, `n_treatment`, `n_total`, `power`,
        `controls_spared` (fewer than ANCOVA at 1:1 needs; where size was asked for).

    Raises
    ------
    DesignError
        Arguments that cannot be, a design without concurrent controls among them.
    """
    _check(deflation, error_spread, allocation_ratios)
    rho = deflation * np.asarray(twin_correlation, dtype=float)
    full = np.asarray(correlation, dtype=float)
    check_twin_correlation(full, rho)
    visits = restrict_to_selected(full, rho, fraction_enrolled)
    raise_problems(find_retention_problems(retention, rho.size, name="retention"))

    def solve(name: str, ratio: float) -> DesignPoint:
        left, residual = _describe(name, visits.correlation, visits.twin_correlation)
        left /= np.sqrt(1 + error_spread**2) if name == "weighted_procova" else 1.0
        # of everyone seen it is 1 but for rounding, which may leave a little more
        worth = 1 / float(compute_variance_inflation(residual, retention))
        return ancova(
            delta=delta,
            sd=left * sd * float(visits.sd[-1]),
            correlation=0.0,
            n_covariates=PLANNED[name],
            retention=min(1.0, worth),
            n_control=n_control,
            power=power,
            alpha=alpha,
            sides=sides,
            allocation_ratio=ratio,
            distribution=distribution,
        )

    rows = []
    for name in PLANNED:
        for ratio in allocation_ratios:
            point = solve(name, ratio)
            size = float(point.n_control)
            refuse_too_many(size)
            rows.append((name, float(ratio), size, size * ratio, size * (1 + ratio), point.power))
    table = pd.DataFrame(rows, columns=_COLUMNS)
    if power is not None:
        equal = solve("ancova", 1.0)
        table["controls_spared"] = float(equal.n_control) - table["n_control"]
    return table


def _describe(name: str, correlation: Floats, rho: Floats) -> tuple[float, Floats]:
    """Return the last visit's residual sd in units of its sd, and the residual correlation."""
    none = np.eye(len(rho))
    if name == "ancova":
        return 1.0, none
    if name == "mmrm":
        return 1.0, correlation
    left = np.sqrt(1 - rho**2)
    if name == "procova_mmrm":
        residual = (correlation - np.outer(rho, rho)) / np.outer(left, left)
        return float(left[-1]), residual
    return float(left[-1]), none


def _check(deflation: float, error_spread: float, ratios: Sequence[float]) -> None:
    problems = []
    if not 0 < deflation <= 1:
        problems.append(f"deflation must be greater than 0 and at most 1, got {deflation:g}.")
    if error_spread < 0:
        problems.append(f"error_spread must be 0 or more, got {error_spread:g}.")
    if not ratios or any(not ratio > 0 for ratio in ratios):
        problems.append("allocation_ratios must hold numbers greater than 0.")
    if any(np.isinf(ratio) for ratio in ratios):
        problems.append(
            "A trial without concurrent controls is not planned here: nothing then tells the "
            "treatment from what the model gets wrong, and a drift of its predictions becomes an "
            "effect; twins spare some controls and replace none."
        )
    if problems:
        raise DesignError(*problems)
