"""Whole people, and everything that follows from their number."""

import math
from dataclasses import dataclass

from trialsim.comparison.candidates import Candidate
from trialsim.costs import Costs
from trialsim.design import TrialDesign


@dataclass(frozen=True)
class WholeTrial:
    """A trial of whole people; NaN throughout where no size reaches the target.

    Attributes
    ----------
    n_control, n_treatment
        People in each arm, each rounded up.
    n_to_screen
        People screened for them, rounded up.
    cost, months_to_enroll
        Of these people.
    """

    n_control: float
    n_treatment: float
    n_to_screen: float
    cost: float
    months_to_enroll: float


def enroll_whole(
    candidate: Candidate, design: TrialDesign, n_control: float, costs: Costs
) -> WholeTrial:
    """Return the trial of a candidate's people whose arms are at least as large as asked for."""
    if not math.isfinite(n_control):
        return WholeTrial(*[math.nan] * 5)
    # a size that is whole but for its last digits stays
    control = math.ceil(n_control - 1e-9)
    treatment = math.ceil(n_control * design.allocation_ratio - 1e-9)
    needed = costs.compute_enrollment(
        control + treatment,
        fraction_enrolled=candidate.fraction_enrolled,
        is_screened=candidate.is_screened,
        months=design.duration_months,
        n_visits=len(design.times),
    )
    return WholeTrial(control, treatment, needed.n_to_screen, needed.cost, needed.months_to_enroll)
