"""Whole people, and everything that follows from their number."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trialsim.analysis.result import Floats
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
    [row] = enroll_whole_trials([candidate], design, np.array([n_control]), costs).tolist()
    people = [int(n) for n in row[:3]] if np.isfinite(n_control) else row[:3]
    return WholeTrial(*people, *row[3:])


def enroll_whole_trials(
    candidates: Sequence[Candidate], design: TrialDesign, n_control: Floats, costs: Costs
) -> Floats:
    """Return `enroll_whole` of each of many candidates, (n_candidates, 5): its fields, in order.

    Parameters
    ----------
    candidates
        Whom the trials enroll.
    design
        Of all trials.
    n_control
        People in control that each candidate needs, (n_candidates,); NaN where no size does.
    costs
        Of a person screened and a person enrolled.
    """
    wanted = np.where(np.isfinite(n_control), n_control, np.nan)
    # a size that is whole but for its last digits stays
    control = np.ceil(wanted - 1e-9)
    treatment = np.ceil(wanted * design.allocation_ratio - 1e-9)
    needed = costs.compute_enrollments(
        control + treatment,
        fractions_enrolled=np.array([one.fraction_enrolled for one in candidates]),
        are_screened=np.array([one.is_screened for one in candidates]),
        months=design.duration_months,
        n_visits=len(design.times),
    )
    return np.column_stack([control, treatment, needed])
