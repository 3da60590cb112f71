"""The search: every design by closed form, corrected, the front kept, the best few simulated."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cohorts.schema import validate_table
from trialsim.accrual.plan import AccrualPlan
from trialsim.analysis.result import Floats
from trialsim.comparison.closed_form import has_closed_form
from trialsim.comparison.cohort_error.intervals import MIN_SAMPLES
from trialsim.comparison.preparing import add_normal_change
from trialsim.comparison.refitting import Rescore
from trialsim.comparison.screened import Screened
from trialsim.costs import Costs
from trialsim.design import TrialDesign
from trialsim.errors import DesignError
from trialsim.optimization.aims import compute_aims
from trialsim.optimization.assurance import require_assurance
from trialsim.optimization.choice_errors import bootstrap_choices
from trialsim.optimization.choices import (
    Choice,
    fit_everyone,
    list_run_in_choices,
    list_staged_choices,
    list_strategy_choices,
)
from trialsim.optimization.confirmation import simulate_power
from trialsim.optimization.correction import Corrections, correct_sizes
from trialsim.optimization.courses import Courses
from trialsim.optimization.design_grid import (
    MOST_IN_CONTROL,
    Setting,
    compute_sizes,
    list_settings,
    round_up,
)
from trialsim.optimization.front import find_front
from trialsim.optimization.ranges import SearchRanges
from trialsim.optimization.representation import Groups
from trialsim.optimization.tables import FoundDesigns, pick_best, tabulate_front
from trialsim.workers.spread import Workers

_MOST_DESIGNS = 2_000_000
"""So many take a minute of processor time, and half a gigabyte."""

Progress = Callable[[int, int, str], None]
"""Told what is done, what there is to do, the name of the work."""


@dataclass(frozen=True)
class Optimization:
    """What a search found.

    Attributes
    ----------
    front
        The table `design_front`.
    n_designs
        Designs that were searched.
    notes
        What a reader must know.
    """

    front: pd.DataFrame
    n_designs: int
    notes: tuple[str, ...]


def optimize_design(
    screened: Screened,
    design: TrialDesign,
    costs: Costs,
    ranges: SearchRanges,
    *,
    groups: Groups,
    columns: Mapping[str, Floats] | None = None,
    accrual: AccrualPlan | None = None,
    rescore: Rescore | None = None,
    n_simulations: int = 2000,
    n_bootstrap: int = 500,
    seed: int = 1,
    workers: Workers = None,
    on_progress: Progress | None = None,
) -> Optimization:
    """Return the designs that nothing beats in cost, months, people, those left out, and whom.

    Parameters
    ----------
    screened
        The people, at the visits of the design (`trialsim.comparison.screened.read_screened`).
    design
        Its last visit is the latest that is searched; target, slowing and error rates stay.
    costs
        Of people, visits, months, with the course of screening.
    ranges
        What is searched.
    groups
        Of those screened.
    columns
        Numbers known at baseline of the people with trajectories, for screening in stages.
    accrual
        For the intervals of the months, the plan that `costs` follow.
    rescore, n_bootstrap, seed
        As in `trialsim.comparison.comparison.compare_strategies`.
    n_simulations
        Trials behind each confirmed design.
    workers
        Threads that simulate, or workers elsewhere, who keep the blocks of each confirmed design.
    on_progress
        Told what is done.

    Raises
    ------
    DesignError
        One sentence for each thing that cannot be searched.
    """
    tell = on_progress or (lambda *_: None)
    tell(0, 3 + ranges.n_confirmed, "the people of each choice")
    asked = design
    grid = prepare_search(screened, design, costs, ranges, columns=columns or {}, seed=seed)
    design, analyses = grid.design, grid.analyses
    choices, settings, found = grid.choices, grid.settings, grid.n_control
    tell(2, 3 + ranges.n_confirmed, "error of the cohort")
    errors = bootstrap_choices(
        choices,
        screened,
        design.change(analyses=tuple(analyses)),
        n_bootstrap=n_bootstrap if n_bootstrap >= MIN_SAMPLES else 0,
        seed=seed,
        rescore=rescore,
    )
    corrections = correct_sizes(choices, settings, found, errors, design, costs)
    searched = search_front(choices, settings, found, corrections, groups, costs)
    best = pick_best(searched, ranges.n_confirmed)
    powers: dict[int, tuple[float, float]] = {}
    for number, place in enumerate(best):
        tell(3 + number, 3 + ranges.n_confirmed, "simulating the best")
        row, column = searched.places[place]
        arms = searched.grid.n_control[row, column], searched.grid.n_treatment[row, column]
        powers[place] = simulate_power(
            choices[row],
            settings[column],
            (int(arms[0]), int(arms[1])),
            design,
            n_simulations=n_simulations,
            seed=seed,
            workers=workers,
        )
    front = tabulate_front(searched, powers, design, costs, accrual)
    n_designs = int(np.isfinite(found).sum())
    notes = [*grid.refusals, *_list_notes(front, n_designs, design, n_bootstrap)]
    if not costs.is_priced:
        notes.append("Nothing costs: in the place of a cost stand people enrolled.")
    if ranges.slowing_sd:
        notes.append(
            f"The target is an assurance of {asked.target_power:.0%} over a slowing of "
            f"{asked.slowing:g} give or take {ranges.slowing_sd:g}, which takes a power of "
            f"{design.target_power:.0%} at {asked.slowing:g}."
        )
    return Optimization(validate_table(front, "design_front"), n_designs, tuple(notes))


@dataclass(frozen=True)
class SearchedGrid:
    """What is searched, with the size that each design needs by closed form.

    Attributes
    ----------
    design
        With normal ageing, where it is taken off; its target is the power that gives an assurance,
        where that is asked for.
    analyses
        Names of those compared.
    choices, settings
        The ways of choosing people; schedules, analyses and allocations.
    n_control
        People in control, not rounded, (n_choices, n_settings).
    refusals
        A sentence for each choice that the people do not allow.
    """

    design: TrialDesign
    analyses: tuple[str, ...]
    choices: Sequence[Choice]
    settings: Sequence[Setting]
    n_control: Floats
    refusals: tuple[str, ...]


def prepare_search(
    screened: Screened,
    design: TrialDesign,
    costs: Costs,
    ranges: SearchRanges,
    *,
    columns: Mapping[str, Floats],
    seed: int,
) -> SearchedGrid:
    """Return the grid of designs with their sizes; whatever is refused is refused here.

    Parameters
    ----------
    screened, design, costs, ranges, columns, seed
        As in `optimize_design`.

    Raises
    ------
    DesignError
        One sentence for each thing that cannot be searched.
    """
    analyses = tuple(ranges.analyses or design.analyses)
    design = add_normal_change(design, screened)
    _check(design, analyses, ranges)
    design = require_assurance(design, ranges.slowing_sd)
    choices, refusals = list_choices(screened, ranges, design, costs, columns, seed)
    settings = list_settings(
        ranges.list_schedules(design.visits_months), analyses, ranges.allocation_ratios
    )
    if len(choices) * len(settings) > _MOST_DESIGNS:
        raise DesignError(
            f"optimize: {len(choices)} ways to choose people at {len(settings):,} schedules, "
            f"analyses and allocations are more than {_MOST_DESIGNS:,} designs: give fewer "
            "visits_months, fractions_enrolled or thresholds of stages."
        )
    found = compute_sizes(Courses.join([one.courses for one in choices]), settings, design)
    if not np.isfinite(found).any():
        raise DesignError(
            "optimize: no design reaches the target: the people of no choice lose volume that a "
            f"treatment could keep, or more than {MOST_IN_CONTROL:,} would be needed in control."
        )
    return SearchedGrid(design, analyses, choices, settings, found, tuple(refusals))


def list_choices(
    screened: Screened,
    ranges: SearchRanges,
    design: TrialDesign,
    costs: Costs,
    columns: Mapping[str, Floats],
    seed: int,
) -> tuple[list[Choice], list[str]]:
    """Return every way of choosing people, and what was left out."""
    rng = np.random.default_rng([seed, 3])
    choices, refusals = list_strategy_choices(screened, ranges, design, costs, rng)
    if ranges.run_in_months:
        everyone = fit_everyone(screened, design, rng)
        choices += list_run_in_choices(everyone, ranges, costs)
    if ranges.stages:
        staged, few = list_staged_choices(screened, ranges.stages, columns, design, costs, rng)
        choices += staged
        refusals += few
    return choices, refusals


def search_front(
    choices: Sequence[Choice],
    settings: Sequence[Setting],
    n_control: Floats,
    corrections: Corrections,
    groups: Groups,
    costs: Costs,
) -> FoundDesigns:
    """Return the front of the corrected sizes.

    Parameters
    ----------
    choices, settings
        Of the grid.
    n_control
        As found, not rounded, (n_choices, n_settings).
    corrections
        Of the sizes.
    groups
        Of those screened.
    costs
        As in `optimize_design`.
    """
    factors = np.stack(
        [np.nan_to_num(corrections.proposed[one.analysis], nan=1.0) for one in settings], axis=1
    )
    grid = round_up(n_control * factors, settings)
    aims = compute_aims(choices, settings, grid, costs)
    shape = aims.cost.shape
    compared = [
        (float("nan"), "") if one.enrolled is None else groups.compare(one.enrolled)
        for one in choices
    ]
    left_out = [1 - one.fraction_enrolled for one in choices]
    shares = np.column_stack([left_out, [difference for difference, _ in compared]])
    amounts = np.stack(
        [a.ravel() for a in (aims.cost, aims.months_to_last_visit, aims.n_to_screen)], axis=1
    )
    flat = find_front(amounts, np.repeat(shares, shape[1], axis=0))
    places = [(int(place // shape[1]), int(place % shape[1])) for place in flat]
    return FoundDesigns(choices, settings, n_control, corrections, grid, aims, compared, places)


def _check(design: TrialDesign, analyses: Sequence[str], ranges: SearchRanges) -> None:
    problems = [
        f"optimize: no formula answers the analysis {name} with this design (drop-out that depends "
        "on the outcome, shifts after leaving, proportional slowing, or slopes under an offset)."
        for name in analyses
        if not has_closed_form(name, design)
    ]
    if len(design.visits_months) < 3:
        problems.append(
            "optimize: the people need three visits or more, which tell noise from decline; "
            f"design.visits_months has {len(design.visits_months)}."
        )
    problems += [
        f"optimize: a run-in of {months:g} months leaves no time for a trial within "
        f"{design.duration_months:g} months."
        for months in ranges.run_in_months
        if months >= design.duration_months
    ]
    if problems:
        raise DesignError(*problems)


def _list_notes(
    front: pd.DataFrame, n_designs: int, design: TrialDesign, n_bootstrap: int
) -> list[str]:
    notes = [f"{n_designs:,} designs were searched; {len(front)} are beaten by no other."]
    if n_bootstrap < MIN_SAMPLES:
        notes.append(
            "The sizes are those of the closed form, not corrected for being the best of many: "
            f"that takes {MIN_SAMPLES} bootstrap samples or more."
        )
    simulated = front.dropna(subset=["simulated_power"])
    short = simulated[
        simulated["simulated_power"] + 2 * simulated["simulated_power_mcse"] < design.target_power
    ]
    notes += [
        f"{row['strategy']} ({row['rule']}), visits at {row['visits_months']}: simulated power is "
        f"{row['simulated_power']:.1%}, below the target; the closed form does not hold there."
        for row in short.to_dict("records")
    ]
    return notes
