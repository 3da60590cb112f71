"""Intercurrent events in simulated people: when they happen, what becomes of the outcomes.

The same function turns measured outcomes into those that are analysed, and expected outcomes into
those that the estimand is the mean of, so that the two cannot mean different things.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from trialsim.analysis.result import Flags, Floats
from trialsim.design import TrialDesign
from trialsim.design_checks import EVENTS
from trialsim.events import EventStrategy, compute_remaining
from trialsim.simulation.outcomes import Expectations


@dataclass(frozen=True)
class EventMonths:
    """When each event happens to each person, (n_replicates, n_people) months; infinite if never.

    Attributes
    ----------
    months
        By the names of `EVENTS`.
    """

    months: dict[str, Floats]

    def find_first(self, design: TrialDesign, strategy: EventStrategy) -> Floats:
        """Return when the first event happens that is dealt with by a strategy."""
        found = [
            self.months[name] for name in EVENTS if design.get_event(name).strategy == strategy
        ]
        never = np.full(next(iter(self.months.values())).shape, np.inf)
        return np.asarray(np.minimum.reduce([never, *found]))


def place_events(design: TrialDesign, arm: int, hazards: Floats) -> EventMonths:
    """Return when events happen in an arm (0 control, 1 treatment).

    Parameters
    ----------
    design
        The trial's design.
    arm
        Whose rates count.
    hazards
        (n_replicates, n_people, 3), cumulative hazards at which each event of `EVENTS` happens.
    """
    months = {}
    for place, name in enumerate(EVENTS):
        event = design.get_event(name)
        remaining = compute_remaining(event.treated if arm else event.control, design.times)
        months[name] = find_month(hazards[..., place], -np.log(remaining), design.times)
    return EventMonths(months)


def find_month(level: Floats, cumulative: Floats, times: Floats) -> Floats:
    """Return when a cumulative hazard, linear between visits, reaches a person's level.

    Parameters
    ----------
    level
        (n_replicates, n_people).
    cumulative
        At the visits, (n_visits,) or (n_replicates, n_people, n_visits), from 0.
    times
        Months of the visits, (n_visits,).

    Returns
    -------
    ndarray
        Months, infinite where it is not reached by the last visit.
    """
    after = np.minimum((cumulative <= level[..., None]).sum(axis=-1), len(times) - 1)
    whole = np.broadcast_to(cumulative, (*level.shape, len(times)))
    low, high = _take(whole, after - 1), _take(whole, after)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = (level - low) / (high - low)
    month = times[after - 1] + share * (times[after] - times[after - 1])
    return np.asarray(np.where(level < cumulative[..., -1], month, np.inf))


def lose_effect(effect: Floats, stops: Floats, design: TrialDesign) -> Floats:
    """Return the effect at each visit of people who stop treatment, (n_replicates, n_people, v).

    Nothing is gained after stopping, and what was gained is lost at the design's rate.

    Parameters
    ----------
    effect
        Under treatment, (n_visits,) or (n_replicates, n_people, n_visits), linear between visits.
    stops
        (n_replicates, n_people), months.
    design
        The trial's design.
    """
    times = design.times
    whole = np.broadcast_to(effect, (*stops.shape, len(times)))
    until = np.minimum(stops, times[-1])
    before = np.clip(np.searchsorted(times, until, side="right") - 1, 0, len(times) - 2)
    low, high = _take(whole, before), _take(whole, before + 1)
    gained = low + (high - low) * (until - times[before]) / (times[before + 1] - times[before])
    years = np.maximum(times - until[..., None], 0) / 12
    kept = gained[..., None] * (1 - design.effect_lost_per_year) ** years
    return np.asarray(np.where(times > stops[..., None], kept, whole))


def apply_strategies(
    outcome: Floats,
    events: EventMonths,
    design: TrialDesign,
    bad_change: Floats,
    *,
    leaves: Floats,
    unreadable: Flags,
) -> tuple[Floats, Flags]:
    """Return outcomes with every event dealt with, and which of them nobody knows.

    A composite event decides whenever it happens; otherwise the first event does. What an event
    decided before a person left is known.

    Parameters
    ----------
    outcome
        (n_replicates, n_people, n_visits).
    events
        When each event happens.
    design
        The trial's design.
    bad_change
        Change from baseline that counts as a bad outcome, (n_visits,).
    leaves
        (n_replicates, n_people), month in which people leave; infinite if never.
    unreadable
        Which scans cannot be read, shaped as the outcomes.
    """
    times = design.times
    aside = events.find_first(design, "hypothetical")
    carried = events.find_first(design, "while_on_treatment")
    composite = events.find_first(design, "composite")
    for name in EVENTS:
        event = design.get_event(name)
        if event.shift and event.strategy == "treatment_policy":
            outcome = outcome + event.shift * (times > events.months[name][..., None])
    bad = times > composite[..., None]
    held = (times > carried[..., None]) & (carried <= aside)[..., None] & ~bad
    last = np.searchsorted(times, np.minimum(carried, times[-1]), side="right") - 1
    outcome = np.where(held, _take(outcome, last)[..., None], outcome)
    outcome = np.where(bad, outcome[..., :1] + bad_change, outcome)
    decided = (bad & (composite < leaves)[..., None]) | (held & (carried < leaves)[..., None])
    missing = (times > np.minimum(aside, leaves)[..., None]) | unreadable
    return outcome, missing & ~decided


def find_bad_change(design: TrialDesign, expected: Expectations) -> Floats:
    """Return the change at each visit than which a stated share of untreated people fares worse."""
    return np.asarray(
        expected.mean_change + special.ndtri(design.composite_worst) * expected.sd_change
    )


def _take(values: Floats, places: NDArray[np.intp]) -> Floats:
    """Return one visit's value for each person."""
    return np.asarray(np.take_along_axis(values, places[..., None], axis=-1)[..., 0])
