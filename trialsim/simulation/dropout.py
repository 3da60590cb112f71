"""Who has left the trial before each visit."""

import numpy as np

from trialsim.analysis.result import Flags, Floats
from trialsim.design import TrialDesign


def compute_seen(
    design: TrialDesign,
    arm: int,
    leave: Floats,
    outcome: Floats,
    mean_change: Floats,
    sd_change: Floats,
) -> Flags:
    """Return whether each person is still in at each visit, (n_trials, n_people, n_visits).

    The hazard is constant; where it depends on decline it is multiplied, from one visit to the
    next, by hazard ratio ^ z, with z the decline seen at the earlier visit in standard deviations
    from the mean of the people enrolled.

    Parameters
    ----------
    design
        The trial's design.
    arm
        0 for control, 1 for treatment.
    leave
        (n_trials, n_people), cumulative hazard at which each person leaves.
    outcome
        (n_trials, n_people, n_visits), as it would be without leaving.
    mean_change, sd_change
        Of the untreated people enrolled, (n_visits,).
    """
    hazard = design.compute_hazard(arm)
    if not design.dropout.depends_on_outcome:
        return np.asarray(leave[..., None] >= hazard * design.times)
    decline = mean_change - (outcome - outcome[..., :1])
    z = np.divide(decline, sd_change, out=np.zeros_like(decline), where=sd_change > 0)
    # the seen decline drives the hazard until the next visit
    ratio = design.dropout.decline_hazard_ratio ** z[..., :-1]
    steps = hazard * np.diff(design.times) * ratio
    total = np.concatenate([np.zeros((*leave.shape, 1)), np.cumsum(steps, axis=-1)], axis=-1)
    return np.asarray(leave[..., None] >= total)
