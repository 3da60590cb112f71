"""People of simulated trials, with what is seen of their outcomes."""

from dataclasses import dataclass

import numpy as np

from trialsim.analysis.result import Flags, Floats
from trialsim.design import TrialDesign
from trialsim.errors import DesignError
from trialsim.simulation.effects import compute_normal_change
from trialsim.simulation.outcomes import OutcomeModel, People
from trialsim.simulation.streams import draw_arm


@dataclass(frozen=True)
class Arm:
    """People of one arm in every replicate.

    Attributes
    ----------
    people
        Their untreated outcomes.
    leave
        (n_replicates, n_people), cumulative hazard at which each one leaves.
    """

    people: People
    leave: Floats


def draw_people(
    model: OutcomeModel, replicates: range, *, arm: int, n_people: int, seed: int, scenario: int
) -> Arm:
    """Return the people of one arm (0 control, 1 treatment)."""
    draws = draw_arm(
        replicates,
        seed=seed,
        arm=arm,
        n_people=n_people,
        n_normals=model.n_normals,
        scenario=scenario,
    )
    return Arm(model.simulate(draws), draws.leave)


def observe(
    model: OutcomeModel, design: TrialDesign, arms: tuple[Arm, Arm], shift: Floats
) -> tuple[list[Floats], Floats]:
    """Return outcomes minus the expected baseline, and who has left.

    Parameters
    ----------
    model
        Draws outcomes.
    design
        The trial's design.
    arms
        Control and treatment.
    shift
        What the treatment adds on average at each visit, (n_visits,).

    Returns
    -------
    tuple
        (n_replicates, n_people, n_visits) of each arm, NaN after leaving; the share that has left,
        (2, n_visits).
    """
    expected = model.compute_expectations()
    outcomes, share_left = [], []
    for number, arm in enumerate(arms):
        outcome = arm.people.outcome
        if number == 1:
            outcome = outcome + _compute_effect(design, arm.people, shift)
        seen = compute_seen(
            design, number, arm.leave, outcome, expected.mean_change, expected.sd_change
        )
        # centred, so that squares of large volumes do not drown the changes
        outcomes.append(np.where(seen, outcome - expected.baseline, np.nan))
        share_left.append((~seen).mean(axis=(0, 1)))
    return outcomes, np.array(share_left)


def _compute_effect(design: TrialDesign, people: People, shift: Floats) -> Floats:
    """Return what is added to treated people's outcomes."""
    if design.effect_model == "shift" or not shift.any():
        return shift
    if people.latent_change is None:
        raise DesignError("Proportional slowing needs outcomes drawn from a parametric model.")
    preventable = people.latent_change[..., -1:] - compute_normal_change(design)[-1]
    return np.asarray(-design.slowing * preventable * (shift / shift[-1]))


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
