"""People of simulated trials, with what is seen of their outcomes."""

from dataclasses import dataclass

import numpy as np

from trialsim.analysis.result import Flags, Floats
from trialsim.design import TrialDesign
from trialsim.design_checks import EVENTS
from trialsim.errors import DesignError
from trialsim.simulation.effects import (
    compute_course,
    compute_normal_change,
    compute_pseudo_atrophy,
)
from trialsim.simulation.intercurrent import (
    apply_strategies,
    find_bad_change,
    find_month,
    lose_effect,
    place_events,
)
from trialsim.simulation.outcomes import Expectations, OutcomeModel, SimulatedPeople
from trialsim.simulation.placing import build_site_columns, place_people
from trialsim.simulation.streams import draw_arm, draw_fates


@dataclass(frozen=True)
class Arm:
    """People of one arm in every replicate.

    Attributes
    ----------
    people
        Their untreated outcomes.
    leave
        (n_replicates, n_people), cumulative hazard at which each one leaves.
    happen
        (n_replicates, n_people, 3), cumulative hazards at which intercurrent events happen; None
        where the design has none.
    legibility
        (n_replicates, n_people, n_visits - 1), uniform: the share of unreadable scans above which a
        scan cannot be read; None where all can.
    site_columns
        (n_replicates, n_people, k), the sites as predictors; None where the analysis has none.
    """

    people: SimulatedPeople
    leave: Floats
    happen: Floats | None = None
    legibility: Floats | None = None
    site_columns: Floats | None = None

    @property
    def covariates(self) -> Floats:
        """What analyses may adjust for: score, then sites, (n_replicates, n_people, q)."""
        score = self.people.score[..., None]
        if self.site_columns is None:
            return score
        return np.concatenate([score, self.site_columns], axis=-1)


@dataclass(frozen=True)
class Observation:
    """What is seen of the people of every replicate, and what the trial is to find.

    Attributes
    ----------
    outcomes
        (n_replicates, n_people, n_visits) of each arm minus the expected baseline, NaN where it is
        missing.
    share_left
        Share of each arm that has left, (2, n_visits).
    difference
        Treatment minus control in complete outcomes, (n_visits,).
    """

    outcomes: list[Floats]
    share_left: Floats
    difference: Floats


def draw_people(
    model: OutcomeModel,
    design: TrialDesign,
    replicates: range,
    *,
    arm: int,
    n_people: int,
    seed: int,
    scenario: int,
) -> Arm:
    """Return the people of one arm (0 control, 1 treatment)."""
    where = {"seed": seed, "arm": arm, "n_people": n_people, "scenario": scenario}
    draws = draw_arm(replicates, n_normals=model.n_normals, **where)
    people, columns = model.simulate(draws), None
    if design.sites.n > 1:
        people, site = place_people(
            people, design, replicates, seed=seed, arm=arm, scenario=scenario
        )
        columns = build_site_columns(design, site)
    may_be_unreadable = bool(np.any(design.unreadable))
    if not (design.has_events or may_be_unreadable):
        return Arm(people, draws.leave, site_columns=columns)
    n_events = len(EVENTS)
    n_fates = n_events + len(design.times) - 1
    fates = draw_fates(replicates, n_fates=n_fates, **where)
    return Arm(
        people,
        draws.leave,
        -np.log1p(-fates[..., :n_events]) if design.has_events else None,
        fates[..., n_events:] if may_be_unreadable else None,
        columns,
    )


def observe(
    model: OutcomeModel, design: TrialDesign, arms: tuple[Arm, Arm], shift: Floats
) -> Observation:
    """Return what is seen of the people of every replicate.

    Parameters
    ----------
    model
        Draws outcomes.
    design
        The trial's design.
    arms
        Control and treatment.
    shift
        What the treatment adds on average at each visit, (n_visits,); where it adds nothing, events
        happen in treatment as in control.
    """
    expected = model.compute_expectations()
    outcomes, share_left, means = [], [], []
    for number, arm in enumerate(arms):
        found, left, mean = _observe_arm(design, expected, arm, number, shift)
        # centred, so that squares of large volumes do not drown the changes
        outcomes.append(found - expected.baseline)
        share_left.append(left.mean(axis=(0, 1)))
        means.append(mean)
    return Observation(outcomes, np.array(share_left), means[1] - means[0])


def _observe_arm(
    design: TrialDesign, expected: Expectations, arm: Arm, number: int, shift: Floats
) -> tuple[Floats, Flags, Floats]:
    """Return outcomes, who has left, and the mean of what the estimand counts at each visit."""
    outcome, effect = arm.people.outcome, np.zeros_like(shift)
    if number == 1:
        effect = _compute_effect(design, arm.people, shift)
    unreadable = _find_unreadable(design, arm)
    if arm.happen is None:
        outcome = outcome + effect if number == 1 else outcome
        hazard = _compute_hazard(design, expected, number, outcome)
        left = arm.leave[..., None] < hazard
        missing = left if arm.legibility is None else left | unreadable
        return np.where(missing, np.nan, outcome), left, shift * number
    events = place_events(design, number if shift.any() else 0, arm.happen)
    policy = design.discontinuation.strategy == "treatment_policy"
    stops = events.months["discontinuation"] if policy else np.full(arm.leave.shape, np.inf)
    outcome = outcome + lose_effect(effect, stops, design)
    hazard = _compute_hazard(design, expected, number, outcome)
    leaves = find_month(arm.leave, hazard, design.times)
    bad_change = find_bad_change(design, expected)
    seen, missing = apply_strategies(
        outcome, events, design, bad_change, leaves=leaves, unreadable=unreadable
    )
    # treatment ends for those who leave, too
    ends = np.minimum(stops, leaves) if policy else stops
    average = expected.mean_change + lose_effect(shift * number, ends, design)
    mean, _ = apply_strategies(
        average, events, design, bad_change, leaves=leaves, unreadable=unreadable
    )
    left = design.times > leaves[..., None]
    return np.where(missing, np.nan, seen), left, mean.mean(axis=(0, 1))


def _find_unreadable(design: TrialDesign, arm: Arm) -> Flags:
    """Return which scans cannot be read; those at baseline all can, as a trial needs them."""
    if arm.legibility is None:
        return np.zeros((1, 1, len(design.times)), dtype=bool)
    unreadable = arm.legibility < np.asarray(design.unreadable)
    return np.concatenate([np.zeros_like(unreadable[..., :1]), unreadable], axis=-1)


def _compute_hazard(
    design: TrialDesign, expected: Expectations, number: int, outcome: Floats
) -> Floats:
    return compute_leaving_hazard(design, number, outcome, expected.mean_change, expected.sd_change)


def _compute_effect(design: TrialDesign, people: SimulatedPeople, shift: Floats) -> Floats:
    """Return what is added to treated people's outcomes."""
    if design.effect_model == "shift" or not shift.any():
        return shift
    if people.latent_change is None:
        raise DesignError("Proportional slowing needs outcomes drawn from a parametric model.")
    preventable = people.latent_change[..., -1:] - compute_normal_change(design)[-1]
    slowed = -design.slowing * preventable * compute_course(design)
    return np.asarray(slowed - compute_pseudo_atrophy(design))


def compute_leaving_hazard(
    design: TrialDesign, arm: int, outcome: Floats, mean_change: Floats, sd_change: Floats
) -> Floats:
    """Return the cumulative hazard of leaving by each visit: who reaches their own has left.

    Between visits the hazard is constant; where it depends on decline it is multiplied, from one
    visit to the next, by hazard ratio ^ z, with z the decline seen at the earlier visit in standard
    deviations from the mean of the people enrolled.

    Parameters
    ----------
    design
        The trial's design.
    arm
        0 for control, 1 for treatment.
    outcome
        (n_trials, n_people, n_visits), as it would be without leaving.
    mean_change, sd_change
        Of the untreated people enrolled, (n_visits,).

    Returns
    -------
    ndarray
        (n_visits,), or (n_trials, n_people, n_visits) where it depends on decline.
    """
    cumulative = -np.log(design.compute_retention(arm))
    if not design.dropout.depends_on_outcome:
        return np.asarray(cumulative)
    decline = mean_change - (outcome - outcome[..., :1])
    z = np.divide(decline, sd_change, out=np.zeros_like(decline), where=sd_change > 0)
    # the seen decline drives the hazard until the next visit
    ratio = design.dropout.decline_hazard_ratio ** z[..., :-1]
    steps = np.diff(cumulative) * ratio
    first = np.zeros((*outcome.shape[:2], 1))
    return np.concatenate([first, np.cumsum(steps, axis=-1)], axis=-1)
