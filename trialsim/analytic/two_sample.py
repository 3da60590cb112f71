"""Closed forms for one outcome a person, with or without covariates."""

import numpy as np

from cohorts.entrances import entrance
from trialsim.analytic.arguments import (
    CORRELATION,
    NOT_NEGATIVE,
    POSITIVE,
    SHARE_FROM_0,
    SHARE_TO_1,
)
from trialsim.analytic.point import DesignPoint, Quantity
from trialsim.analytic.retention import count_enrolled, count_measured
from trialsim.analytic.solver import SizeQuestion, solve_question
from trialsim.analytic.two_arm_test import Distribution


@entrance
def means(
    *,
    delta: Quantity | None = None,
    sd: Quantity,
    sd_treatment: Quantity | None = None,
    retention: Quantity = 1.0,
    retention_treatment: Quantity | None = None,
    n_control: Quantity | None = None,
    power: Quantity | None = None,
    alpha: Quantity = 0.05,
    sides: int = 2,
    allocation_ratio: Quantity = 1.0,
    distribution: Distribution = "t",
) -> DesignPoint:
    """Compare two means, for instance of the change from baseline.

    Exact noncentral t; with `sd_treatment` Welch's test with Satterthwaite degrees of freedom
    (Julious 2010, *Sample Sizes for Clinical Trials*; Chow, Shao & Wang 2008).

    Parameters
    ----------
    delta
        Difference between the arms.
    sd
        Standard deviation in the control arm, same units; in both arms unless `sd_treatment`.
    sd_treatment
        Standard deviation in the treatment arm.
    retention, retention_treatment
        Share of the enrolled whose outcome is measured, in the treatment arm if it differs: n is
        that of the measured, divided by it. That it is chance who is measured counts for nothing
        here, and costs power where fewer than 20 people of an arm are.
    n_control
        Participants in the control arm.
    power
        0-1. Exactly one of `n_control`, `power` and `delta` is None.
    alpha
        Total type I error.
    sides
        1 or 2.
    allocation_ratio
        Treatment : control.
    distribution
        "t", or "z" for the normal approximation.

    Returns
    -------
    DesignPoint
        Whichever of `delta`, `n_control` and `power` was left out, with the others.

    Raises
    ------
    DesignError
        One sentence for each argument that cannot be right.

    Examples
    --------
    >>> round(means(delta=0.5, sd=1.0, power=0.8).n_control, 4)
    63.7656
    """
    question = SizeQuestion(delta, n_control, power, alpha, sides, allocation_ratio, distribution)
    question.check(
        sd=(sd, POSITIVE),
        sd_treatment=(sd_treatment, POSITIVE),
        retention=(retention, SHARE_TO_1),
        retention_treatment=(retention_treatment, SHARE_TO_1),
    )
    measured = count_measured(question, retention, retention_treatment)
    variance = np.square(sd)
    treated = variance if sd_treatment is None else np.square(sd_treatment)
    answered = solve_question(
        measured,
        unit_variance=variance + np.divide(treated, measured.allocation_ratio),
        control_variance=np.nan if sd_treatment is None else variance,
    )
    return DesignPoint(**count_enrolled(answered, question, retention))


@entrance
def ancova(
    *,
    delta: Quantity | None = None,
    sd: Quantity,
    correlation: Quantity,
    n_covariates: Quantity = 1,
    retention: Quantity = 1.0,
    retention_treatment: Quantity | None = None,
    n_control: Quantity | None = None,
    power: Quantity | None = None,
    alpha: Quantity = 0.05,
    sides: int = 2,
    allocation_ratio: Quantity = 1.0,
    distribution: Distribution = "t",
) -> DesignPoint:
    """Compare two means adjusted for baseline covariates.

    Residual variance sd^2 (1 - correlation^2) (Frison & Pocock 1992, Stat Med 11:1685; Borm,
    Fransen & Lemmens 2007, J Clin Epidemiol 60:1234). With "t", df = N - 2 - q and the variance
    is multiplied by 1 + q / (N - q - 3), the price of estimating q random covariates (Shieh
    2020, Psychometrika 85:101); with "z", neither.

    Parameters
    ----------
    delta
        Difference between the arms.
    sd
        Standard deviation of the outcome in each arm, before adjustment.
    correlation
        Multiple correlation of the covariates with the outcome within an arm.
    n_covariates
        Number q of covariates.
    retention, retention_treatment, n_control, power, alpha, sides, allocation_ratio, distribution
        As in `means`.

    Returns
    -------
    DesignPoint
        Whichever of `delta`, `n_control` and `power` was left out, with the others.

    Raises
    ------
    DesignError
        One sentence for each argument that cannot be right.

    Examples
    --------
    >>> from trialsim import analytic
    >>> point = analytic.ancova(delta=0.4, sd=1, correlation=0.7, power=0.8)
    >>> round(float(point.n_control), 1)
    51.5
    """
    question = SizeQuestion(delta, n_control, power, alpha, sides, allocation_ratio, distribution)
    question.check(
        sd=(sd, POSITIVE),
        correlation=(correlation, CORRELATION),
        n_covariates=(n_covariates, NOT_NEGATIVE),
        retention=(retention, SHARE_TO_1),
        retention_treatment=(retention_treatment, SHARE_TO_1),
    )
    measured = count_measured(question, retention, retention_treatment)
    residual = np.square(sd) * (1 - np.square(correlation))
    answered = solve_question(
        measured,
        unit_variance=residual * (1 + np.divide(1, measured.allocation_ratio)),
        n_covariates=n_covariates,
    )
    return DesignPoint(**count_enrolled(answered, question, retention))


@entrance
def prognostic_ancova(
    *,
    delta: Quantity | None = None,
    sd: Quantity,
    r_squared: Quantity,
    deflation: Quantity = 1.0,
    inflation: Quantity = 1.0,
    n_covariates: Quantity = 1,
    retention: Quantity = 1.0,
    retention_treatment: Quantity | None = None,
    n_control: Quantity | None = None,
    power: Quantity | None = None,
    alpha: Quantity = 0.05,
    sides: int = 2,
    allocation_ratio: Quantity = 1.0,
    distribution: Distribution = "t",
) -> DesignPoint:
    """Compare two means adjusted for a prognostic score (PROCOVA).

    Residual variance (inflation sd)^2 (1 - deflation^2 r_squared) (Schuler et al. 2022,
    Int J Biostat 18(2)). After enrichment on the same score use the R^2 that is left among the
    selected, see `prognostic_enrichment`.

    Parameters
    ----------
    delta
        Difference between the arms.
    sd
        Standard deviation of the outcome in the historical data.
    r_squared
        Squared correlation of the score with the outcome in the historical data.
    deflation
        Factor on the historical correlation, greater than 0 and at most 1.
    inflation
        Factor on the historical standard deviation.
    n_covariates
        Number of covariates, the score included.
    retention, retention_treatment, n_control, power, alpha, sides, allocation_ratio, distribution
        As in `means`.

    Returns
    -------
    DesignPoint
        Whichever of `delta`, `n_control` and `power` was left out, with the others.

    Raises
    ------
    DesignError
        One sentence for each argument that cannot be right.

    Examples
    --------
    >>> from trialsim import analytic
    >>> point = analytic.prognostic_ancova(delta=0.4, sd=1, r_squared=0.3, power=0.8)
    >>> round(float(point.n_control), 1)
    70.2
    """
    question = SizeQuestion(delta, n_control, power, alpha, sides, allocation_ratio, distribution)
    question.check(
        sd=(sd, POSITIVE),
        r_squared=(r_squared, SHARE_FROM_0),
        deflation=(deflation, SHARE_TO_1),
        inflation=(inflation, POSITIVE),
        n_covariates=(n_covariates, NOT_NEGATIVE),
        retention=(retention, SHARE_TO_1),
        retention_treatment=(retention_treatment, SHARE_TO_1),
    )
    measured = count_measured(question, retention, retention_treatment)
    residual = np.square(np.multiply(inflation, sd)) * (1 - np.square(deflation) * r_squared)
    answered = solve_question(
        measured,
        unit_variance=residual * (1 + np.divide(1, measured.allocation_ratio)),
        n_covariates=n_covariates,
    )
    return DesignPoint(**count_enrolled(answered, question, retention))
