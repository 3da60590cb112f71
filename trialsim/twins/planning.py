"""Sample size and power with twins: in closed form, of few people by simulated trials."""

from collections.abc import Callable, Sequence
from itertools import product
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from trialsim.analysis.result import Floats
from trialsim.analytic.arguments import (
    NOT_NEGATIVE,
    POSITIVE,
    SHARE_TO_1,
    find_problems,
)
from trialsim.analytic.point import DesignPoint, refuse_too_many
from trialsim.analytic.repeated_measures import compute_variance_inflation
from trialsim.analytic.retention import (
    complete_retention,
    count_enrolled,
    count_measured,
    find_retention_problems,
)
from trialsim.analytic.solver import SizeQuestion, solve_question
from trialsim.analytic.two_arm_test import Distribution
from trialsim.errors import DesignError
from trialsim.finished.trial import are_balanced
from trialsim.twins.plan_simulation import PlannedTrials
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

FEW: Final = 20
"""People of the smaller arm at the last visit, as expected, below whom closed forms may miss."""

N_SIMULATIONS: Final = 4000
"""Trials of each size that is simulated."""

_COLUMNS: Final = [
    "estimator", "allocation_ratio", "n_control", "n_treatment", "n_total", "power", "method",
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
    n_simulations: int = N_SIMULATIONS,
    seed: int = 1,
    on_row: Callable[[], None] = lambda: None,
) -> pd.DataFrame:
    """Return size or power of each estimator at each allocation.

    All analyses adjust for baseline, so that correlations are those given baseline. Without the
    twin the variance of the last visit is that of `trialsim.analytic.mmrm`; the twin takes
    rho rho' off the covariance of the visits (PROCOVA: 1 - rho^2 of the last one, Schuler et al.
    2022). PPI++ and AIPW have the variance of PROCOVA where the twin has seen the baseline, and
    AIPW lives of the people seen at the last visit as PROCOVA does. Right weights divide it by
    1 + (coefficient of variation of the error variance)^2. With "t" each pays for the coefficients
    that it estimates as `trialsim.analytic.ancova` does, of as many people as its last visit's mean
    is worth. The robust errors of unequal arms have the smaller arm's degrees
    of freedom. Where fewer than 20 people of an arm are left at the last visit, these errors, the
    chance of who leaves and the covariates of who stays cost more than any of the formulas knows:
    the size is then the fewest people with whom simulated trials, analysed as `trialsim analyze`
    does, have the power.

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
        "t", or "z" for normal quantiles, whose trials are never simulated: they hold for many
        people alone.
    n_simulations
        Trials of each size that is simulated, at least 100.
    seed
        Of these trials.
    on_row
        Called after each estimator at each allocation.

    Returns
    -------
    pandas.DataFrame
        `estimator`, `allocation_ratio`, `n_control`, `n_treatment`, `n_total`, `power`, `method`
        ("closed form", or "simulated": people are whole then, and power is that of these trials),
        `controls_spared` (fewer than ANCOVA at 1:1 needs; where size was asked for).

    Raises
    ------
    DesignError
        Arguments that cannot be, a design without concurrent controls among them; arms of fewer
        than 5 people.
    """
    _check(deflation, error_spread, allocation_ratios)
    rho = deflation * np.asarray(twin_correlation, dtype=float)
    full = np.asarray(correlation, dtype=float)
    check_twin_correlation(full, rho)
    visits = restrict_to_selected(full, rho, fraction_enrolled)
    leaving = find_retention_problems(retention, rho.size, name="retention")
    for ratio in allocation_ratios:
        question = SizeQuestion(delta, n_control, power, alpha, sides, ratio, distribution)
        question.check(*leaving, sd=(sd, POSITIVE))
    left = float(complete_retention(retention, rho.size)[-1])
    trials = PlannedTrials.build(
        visits,
        effect=delta / sd,
        retention=retention,
        error_spread=error_spread,
        n_simulations=n_simulations,
        alpha=alpha,
        sides=sides,
        seed=seed,
    )

    def solve(name: str, ratio: float, power: float | None = power) -> DesignPoint:
        share, residual = _describe(name, visits.correlation, visits.twin_correlation)
        share /= np.sqrt(1 + error_spread**2) if name == "weighted_procova" else 1.0
        # of everyone seen it is 1 but for rounding, which may leave a little more
        worth = 1 / float(compute_variance_inflation(residual, retention))
        question = SizeQuestion(delta, n_control, power, alpha, sides, ratio, distribution)
        variance = (share * sd * float(visits.sd[-1])) ** 2
        treated = ratio / (1 + ratio)
        unequal = not are_balanced(treated)
        answered = solve_question(
            count_measured(question, min(1.0, worth), None),
            unit_variance=variance * (1 + 1 / ratio),
            # the error of unequal arms is the robust one, which the smaller arm carries
            control_variance=variance if unequal else np.nan,
            n_covariates=_count_coefficients(name, treated),
        )
        return DesignPoint(**count_enrolled(answered, question, min(1.0, worth)))

    def find(name: str, ratio: float) -> tuple[str, float, float, float, float, float, str]:
        point, method = solve(name, ratio), "closed form"
        control, shown = float(point.n_control), float(point.power)
        refuse_too_many(control)
        treatment = control * ratio
        if distribution == "t" and min(control, treatment) * left < FEW:
            method = "simulated"
            if power is None:
                shown = trials.measure(name, control, treatment)[0]
            else:
                control, shown = trials.find_size(
                    name, ratio, power, lambda asked: float(solve(name, ratio, asked).n_control)
                )
            control, treatment = (float(np.ceil(n - 1e-9)) for n in (control, control * ratio))
        return name, float(ratio), control, treatment, control + treatment, shown, method

    rows = []
    for name, ratio in product(PLANNED, allocation_ratios):
        rows.append(find(name, ratio))
        on_row()
    table = pd.DataFrame(rows, columns=_COLUMNS)
    if power is not None:
        ones = [row for row in rows if row[:2] == ("ancova", 1.0)]
        table["controls_spared"] = (ones or [find("ancova", 1.0)])[0][2] - table["n_control"]
    return table


def _count_coefficients(name: str, treated: float) -> float:
    """Return the coefficients that an estimator pays for, by the share that is treated.

    AIPW's lines are each of one arm: the smaller one, which has most of the variance, pays more.
    """
    if name != "aipw":
        return PLANNED[name]
    shares = np.array([treated, 1 - treated])
    return float(PLANNED[name] * ((1 - shares) ** 2 / shares).sum())


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
    problems = find_problems(
        deflation=(deflation, SHARE_TO_1), error_spread=(error_spread, NOT_NEGATIVE)
    )
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
