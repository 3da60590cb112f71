"""What is assumed of twins and of outcomes when a trial is planned."""

from dataclasses import dataclass

import numpy as np

from trialsim.analysis.result import Floats
from trialsim.analytic.arguments import CORRELATION, find_problems, raise_problems
from trialsim.analytic.correlation import find_correlation_problems
from trialsim.errors import DesignError


@dataclass(frozen=True)
class TwinScenario:
    """Outcomes given baseline, in standard deviations of each visit, and how good their twins are.

    A person's outcome at visit j is rho_j s + e_j with the person's prognosis s, standard normal,
    and errors e whose covariance makes the visits' correlation R. The twin sees
    `slope` s + `shift` + `noise` z (+ `site_shift` for half of the people), z its own error.

    Attributes
    ----------
    correlation
        R of the visits given baseline, (n_visits, n_visits).
    twin_correlation
        rho_j of a right twin with the outcome at each visit given baseline, (n_visits,).
    retention
        Share still in at each visit, (n_visits,).
    effect
        Mean effect at the last visit; it grows in proportion to the visit's number.
    effect_by_prognosis
        What a standard deviation of prognosis adds to a person's effect at the last visit.
    slope, shift, noise, site_shift
        Of the twin: calibration slope (0: it knows nothing), constant error, random error, and an
        error of half of the people (scanners that the model was not trained on).
    error_spread
        Coefficient of variation between people of the error variance, which the twin's sd tells.
    treated_error
        Standard deviation of e in treated people over that in control.
    """

    correlation: Floats
    twin_correlation: Floats
    retention: Floats
    effect: float = 0.0
    effect_by_prognosis: float = 0.0
    slope: float = 1.0
    shift: float = 0.0
    noise: float = 0.0
    site_shift: float = 0.0
    error_spread: float = 0.0
    treated_error: float = 1.0

    def __post_init__(self) -> None:
        check_twin_correlation(self.correlation, self.twin_correlation)

    @property
    def n_visits(self) -> int:
        """Visits after baseline."""
        return len(self.twin_correlation)

    @property
    def error_covariance(self) -> Floats:
        """Return R - rho rho', the covariance of what the prognosis leaves."""
        rho = np.asarray(self.twin_correlation, dtype=float)
        return np.asarray(self.correlation, dtype=float) - np.outer(rho, rho)


def check_twin_correlation(correlation: Floats, twin_correlation: Floats) -> None:
    """Refuse twins whose correlation with the visits cannot be.

    Raises
    ------
    DesignError
        A correlation of the visits that is none, another number of visits, or twins that know more
        than the visits' correlation allows.
    """
    rho, matrix = np.asarray(twin_correlation, float), np.asarray(correlation, float)
    problems = find_correlation_problems(matrix)
    if problems:
        raise DesignError(*problems)
    if rho.shape != (len(matrix),):
        raise DesignError(
            f"twin_correlation must hold one number a visit ({len(matrix)}), got shape {rho.shape}."
        )
    raise_problems(find_problems(twin_correlation=(rho, CORRELATION)))
    if np.linalg.eigvalsh(matrix - np.outer(rho, rho)).min() < -1e-9:
        shown = ", ".join(f"{value:g}" for value in rho)
        raise DesignError(
            f"A twin cannot correlate {shown} with visits that correlate so little with each other."
        )
