"""What the treatment does to the outcomes of the people enrolled."""

from dataclasses import dataclass

import numpy as np

from trialsim.analyses import ANALYSES
from trialsim.analysis.result import Floats
from trialsim.design import TrialDesign
from trialsim.design_checks import EVENTS
from trialsim.errors import DesignError


def compute_shift(design: TrialDesign, true_change: Floats) -> Floats:
    """Return the mean difference treatment minus control at each visit, (n_visits,).

    Parameters
    ----------
    design
        The trial's design.
    true_change
        Mean change of the true volume of the people enrolled, (n_visits,); a loss is negative.

    Raises
    ------
    DesignError
        The people enrolled do not lose volume (more than normal ageing does, where that is taken
        off), or the change of normal ageing is not known.
    """
    prevented = -design.slowing * (true_change[-1] - compute_normal_change(design)[-1])
    if not prevented > 0:
        what = design.relative_to.removeprefix("all ")
        raise DesignError(
            f"The people enrolled change by {true_change[-1]:g} {design.unit} on average to the "
            f"last visit, so there is no {what} to slow."
        )
    shift = np.asarray(prevented * compute_course(design) - compute_pseudo_atrophy(design))
    if not shift[-1] > 0:
        raise DesignError(
            f"pseudo_atrophy {design.pseudo_atrophy:g} {design.unit} takes away the whole effect "
            f"at the last visit, {prevented * compute_course(design)[-1]:g}: no trial can show it."
        )
    return shift


def compute_course(design: TrialDesign) -> Floats:
    """Return the share of the slowed decline that is prevented by each visit, (n_visits,)."""
    times, onset = design.times, design.onset_months
    if design.effect == "slope":
        return np.asarray(np.maximum(times - onset, 0) / times[-1])
    return (times > onset).astype(float)


def compute_pseudo_atrophy(design: TrialDesign) -> Floats:
    """Return the extra loss under treatment at each visit, (n_visits,)."""
    months = design.pseudo_atrophy_months or design.visits_months[1]
    return np.asarray(design.pseudo_atrophy * np.minimum(design.times / months, 1))


def compute_normal_change(design: TrialDesign) -> Floats:
    """Return the change of normal ageing that no treatment prevents, at each visit.

    Raises
    ------
    DesignError
        The design takes normal ageing off without saying what it is.
    """
    if design.relative_to == "all decline":
        return np.zeros(len(design.times))
    if design.normal_change_per_year is None:
        raise DesignError(
            'relative_to "decline above normal ageing" needs normal_change_per_year, the change '
            f"a year of people who age normally in {design.unit}."
        )
    return np.asarray(design.normal_change_per_year * design.times / 12)


@dataclass(frozen=True)
class Estimand:
    """The difference between the arms that a trial is to estimate.

    Attributes
    ----------
    difference
        Treatment minus control at each visit in complete outcomes, with every intercurrent event
        dealt with as the design says, (n_visits,).
    times
        Months of the visits.
    """

    difference: Floats
    times: Floats

    def get_value(self, analysis: str) -> float:
        """Return the true value of what an analysis estimates: last visit, or slope a month."""
        if not ANALYSES[analysis].compares_slopes:
            return float(self.difference[-1])
        centered = self.times - self.times.mean()
        return float(centered @ self.difference / (centered @ centered))

    @staticmethod
    def describe(analysis: str, design: TrialDesign) -> str:
        """Return the estimand in words."""
        what = "slope a month" if ANALYSES[analysis].compares_slopes else "last visit"
        dealt = [
            f"{name.replace('_', ' ')}: {design.get_event(name).strategy.replace('_', ' ')}"
            for name in EVENTS
            if design.get_event(name).happens
        ]
        if not dealt and design.has_events:
            dealt = ["outcomes after treatment stops count"]
        said = "had nobody left" if not dealt else "; ".join(dealt)
        return f"difference in complete outcomes, {said} ({what}, treatment - control)"


def build_estimand(
    design: TrialDesign, difference: Floats, share_left: tuple[Floats, Floats]
) -> Estimand:
    """Return the estimand; outcomes that nobody saw count, shifted where leaving changes them.

    Parameters
    ----------
    design
        The trial's design.
    difference
        Treatment minus control at each visit before that, (n_visits,).
    share_left
        Share of control, of treatment that has left at each visit, (n_visits,) each.
    """
    dropout = design.dropout
    unseen = (
        dropout.unseen_shift_treatment * share_left[1]
        - dropout.unseen_shift_control * share_left[0]
    )
    return Estimand(np.asarray(difference + unseen), design.times)
