"""What the treatment does to the outcomes of the people enrolled."""

from dataclasses import dataclass

import numpy as np

from trialsim.analysis.result import Floats
from trialsim.design import ANALYSES, TrialDesign
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
    times = design.times
    course = times / times[-1] if design.effect == "slope" else (times > 0).astype(float)
    return np.asarray(prevented * course)


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
    """The difference between the arms in complete outcomes, had nobody left.

    Attributes
    ----------
    difference
        Treatment minus control at each visit, (n_visits,).
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
    def describe(analysis: str) -> str:
        """Return the estimand in words."""
        what = "slope a month" if ANALYSES[analysis].compares_slopes else "last visit"
        return f"difference in complete outcomes had nobody left ({what}, treatment - control)"


def build_estimand(
    design: TrialDesign, shift: Floats, share_left: tuple[Floats, Floats]
) -> Estimand:
    """Return the estimand of a design whose treatment shifts outcomes by `shift`.

    Outcomes that nobody saw count as they would have been: shifted where leaving changes them.

    Parameters
    ----------
    design
        The trial's design.
    shift
        Mean difference at each visit, (n_visits,).
    share_left
        Share of control, of treatment that has left at each visit, (n_visits,) each.
    """
    dropout = design.dropout
    unseen = (
        dropout.unseen_shift_treatment * share_left[1]
        - dropout.unseen_shift_control * share_left[0]
    )
    return Estimand(np.asarray(shift + unseen), design.times)
