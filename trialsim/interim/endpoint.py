"""What an analysis of the people enrolled estimates, for closed forms of its looks."""

from dataclasses import dataclass

import numpy as np

from trialsim.analyses import ANALYSES
from trialsim.analysis.result import Floats
from trialsim.analytic import CompleterEndpoint, MmrmEndpoint, SlopeEndpoint
from trialsim.analytic.sequential.endpoint import Endpoint
from trialsim.comparison.closed_form import Moments
from trialsim.design import TrialDesign
from trialsim.errors import DesignError
from trialsim.simulation.looks import refuse_imputing


def build_endpoint(analysis: str, moments: Moments, design: TrialDesign) -> Endpoint:
    """Return what an analysis estimates, with its variances among the people enrolled.

    Raises
    ------
    DesignError
        The variances of the random-slope model are not known, or outcomes are imputed.
    """
    covariance, times, kind = moments.covariance, design.times, ANALYSES[analysis]
    refuse_imputing([analysis])
    if kind.model == "random_slope":
        if moments.growth is None:
            raise DesignError("The closed form of the random-slope model needs its variances.")
        growth = moments.growth
        total = growth.covariance if kind.uses_score else growth.total_covariance
        return SlopeEndpoint(
            times,
            float(total[1, 1]),
            float(growth.residual_variance),
            float(total[0, 0]),
            float(total[0, 1]),
            "common" if design.common_baseline else "free",
        )
    last = len(covariance) - 2
    if kind.model == "change":
        variance = covariance[last, last] + covariance[0, 0] - 2 * covariance[0, last]
        return CompleterEndpoint(times[-1], float(np.sqrt(variance)))
    has_score = kind.uses_score and covariance[-1, -1] > 0
    known = [0, last + 1] if has_score else [0]
    given = _condition(covariance, known, list(range(1, last + 1)))
    sd = np.sqrt(np.diag(given))
    if kind.model == "ancova":
        return CompleterEndpoint(times[-1], float(sd[-1]))
    return MmrmEndpoint(times[1:], sd=float(sd[-1]), correlation=given / np.outer(sd, sd))


@dataclass(frozen=True)
class ScaledEndpoint:
    """An endpoint whose estimate has another variance than its model says.

    Attributes
    ----------
    model
        The endpoint.
    factor
        Variance over that of the model.
    """

    model: Endpoint
    factor: float

    @property
    def visit_months(self) -> Floats:
        """Months of the visits, (n_visits,)."""
        return self.model.visit_months

    @property
    def n_visits_needed(self) -> int:
        """Visits that the estimate needs."""
        return self.model.n_visits_needed

    def compute_unit_variance(
        self, seen_control: Floats, seen_treatment: Floats, allocation_ratio: float
    ) -> float:
        """Return the variance of the estimate times the size of the control arm."""
        seen = (seen_control, seen_treatment)
        return self.factor * self.model.compute_unit_variance(*seen, allocation_ratio)


def compute_final_variance(endpoint: Endpoint, design: TrialDesign) -> float:
    """Return the variance of the last look's estimate times the size of the control arm."""
    retained = [np.exp(-design.compute_hazard(arm) * endpoint.visit_months) for arm in (0, 1)]
    return endpoint.compute_unit_variance(retained[0], retained[1], design.allocation_ratio)


def get_sd(endpoint: Endpoint, design: TrialDesign) -> float:
    """Return the sd of a comparison of means that is as precise with as many people.

    Its arms are equal, whatever those of the design.
    """
    variance = compute_final_variance(endpoint, design) * (1 + design.allocation_ratio)
    return float(np.sqrt(variance / 4))


def _condition(covariance: Floats, known: list[int], rest: list[int]) -> Floats:
    """Return the covariance of some variables given others."""
    shared = covariance[np.ix_(known, rest)]
    explained = shared.T @ np.linalg.solve(covariance[np.ix_(known, known)], shared)
    return np.asarray(covariance[np.ix_(rest, rest)] - explained)
