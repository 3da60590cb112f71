"""The ways of choosing people that are searched over, each with what is known of its people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from cohorts.counting import tally
from trialsim.analysis.result import Floats
from trialsim.analytic.cutoffs import count_selected, find_cutoffs
from trialsim.comparison.candidates import EVERYONE, Candidate, list_candidates
from trialsim.comparison.pools import gather_pool
from trialsim.comparison.screened import Screened
from trialsim.costs import Costs
from trialsim.design import TrialDesign
from trialsim.enrichment.strategies.registry import STRATEGIES
from trialsim.errors import DesignError
from trialsim.optimization.courses import Courses
from trialsim.optimization.paths import PathStage, ScreeningPath
from trialsim.optimization.ranges import SearchRanges
from trialsim.optimization.run_in import choose_by_run_in
from trialsim.optimization.screening_stages import (
    ScreeningStage,
    build_latents,
    compute_passing,
    list_thresholds,
)
from trialsim.simulation.outcomes import GrowthModel, fit_growth_model
from trialsim.simulation.pool import Pool, build_pool

FEWEST: Final = 20
"""Effective people who stand for a choice, below which it is not searched over."""

STAGED: Final = "staged screening"


@dataclass(frozen=True)
class Choice:
    """One way of choosing people.

    Attributes
    ----------
    strategy, fraction_enrolled
        As tables call it; the share of those screened who would be enrolled, failures apart.
    rule
        In words.
    path
        From everyone screened to everyone enrolled.
    courses
        What is known of its people at any month.
    pool
        Its people; None for a run-in, which nobody has done.
    passing
        How much of each person with a trajectory is chosen, (n_people,); None where the strategy
        and fraction of a comparison say it.
    enrolled
        How much of each person screened is enrolled, (n_screened,); None where it is not known.
    run_in_months
        Of a run-in; 0 without one.
    """

    strategy: str
    fraction_enrolled: float
    rule: str
    path: ScreeningPath
    courses: Courses
    pool: Pool | None
    passing: Floats | None
    enrolled: Floats | None
    run_in_months: float = 0.0

    @property
    def candidate(self) -> Candidate:
        """The choice as a comparison knows it."""
        return Candidate(self.strategy, self.fraction_enrolled)


def list_strategy_choices(
    screened: Screened,
    ranges: SearchRanges,
    design: TrialDesign,
    costs: Costs,
    rng: np.random.Generator,
) -> tuple[list[Choice], list[str]]:
    """Return each attainable strategy at each fraction, and a sentence for each left out."""
    choices: list[Choice] = []
    refusals: list[str] = []
    names = [name for name in screened.scores if Candidate(name, 1.0).is_attainable]
    everyone = next((n for n, s in STRATEGIES.items() if s.enrolls_everyone), EVERYONE)
    candidates = [Candidate(everyone, 1.0)]
    # at a fraction of 1 nobody is left out: that is enrolling everyone, without a selection scan
    candidates += [
        one for one in list_candidates(names, ranges.fractions_enrolled)
        if one.is_screened and one.fraction_enrolled < 1
    ]  # fmt: skip
    for candidate in candidates:
        try:
            pool = gather_pool(candidate, screened, rng)
            courses = Courses.of(_fit(pool, design, candidate.label))
        except DesignError as error:
            refusals += error.problems
            continue
        share = candidate.fraction_enrolled
        cost = costs.screening if candidate.is_screened else 0.0
        stage = PathStage("scan", share * (1 - costs.failure_rate), cost)
        rule = f"top {100 * share:.3g}%" if candidate.is_screened else "everyone"
        enrolled = _enroll(candidate, screened)
        path = ScreeningPath((stage,))
        choices.append(Choice(candidate.strategy, share, rule, path, courses, pool, None, enrolled))
    if not choices:
        raise DesignError(*refusals)
    return choices, refusals


def list_run_in_choices(everyone: Courses, ranges: SearchRanges, costs: Costs) -> list[Choice]:
    """Return each run-in at each fraction of those who finish it.

    Parameters
    ----------
    everyone
        Of those who would enter it.
    ranges
        Lengths, fractions, cost and drop-out of run-ins.
    costs
        Of a scan; those who fail for other reasons.
    """
    cost = 2 * costs.screening if ranges.run_in_cost is None else ranges.run_in_cost
    choices = []
    for months in ranges.run_in_months:
        for fraction in ranges.fractions_enrolled:
            if fraction == 1:
                continue
            share = fraction * (1 - ranges.run_in_dropout) * (1 - costs.failure_rate)
            path = ScreeningPath((PathStage("run-in", share, cost),), months)
            choices.append(
                Choice(
                    f"run-in of {months:g} months",
                    fraction,
                    f"steepest {100 * fraction:.3g}% over {months:g} months",
                    path,
                    choose_by_run_in(everyone, months, fraction),
                    None,
                    None,
                    None,
                    months,
                )
            )
    return choices


def list_staged_choices(
    screened: Screened,
    stages: Sequence[ScreeningStage],
    columns: Mapping[str, Floats],
    design: TrialDesign,
    costs: Costs,
    rng: np.random.Generator,
) -> tuple[list[Choice], list[str]]:
    """Return every combination of thresholds, and how many were left out.

    Parameters
    ----------
    screened
        The people.
    stages
        In their order.
    columns
        Name of a measure at baseline -> (n_people,) of those with trajectories.
    design
        Its visits.
    costs
        Those who fail for other reasons.
    rng
        Draws missed visits.

    Raises
    ------
    DesignError
        A measure that nobody has, or correlations that cannot hold together.
    """
    thresholds = list_thresholds(stages)
    if not thresholds:
        return [], []
    measured = {
        stage.name: _measure(stage, screened, columns)
        for stage in stages
        if stage.measure is not None
    }
    images = [s.measure for s in stages if s.measure in screened.expected]
    expectation = str(images[-1]) if images else EVERYONE
    expected, weights = screened.expected[expectation], screened.weights[expectation]
    seen = screened.was_seen
    decline = np.where(seen, expected.outcome[:, 0] - expected.outcome[:, -1], 0.0)
    weights = weights * seen
    middle = weights @ decline / weights.sum()
    variance = float(weights @ (decline - middle) ** 2 / weights.sum())
    reliability = max(1 - 2 * expected.noise_sd**2 / variance, 0.05)
    latents = build_latents(stages, measured, decline, reliability, weights)
    choices: list[Choice] = []
    refusals: list[str] = []
    for one in thresholds:
        passing, cutoffs, passed = compute_passing(*latents, one.shares, weights)
        own = weights * passing
        chosen = np.flatnonzero(own > 1e-9)
        rule = passed.describe(stages, cutoffs)
        # thresholds may meet in the same people, or leave nobody out
        if not rule or any(rule == other.rule for other in choices):
            continue
        try:
            pool = build_pool(
                screened.outcome[chosen],
                expected=expected.select(chosen),
                weights=own[chosen],
                rng=rng,
                name=rule,
            )
            courses = Courses.of(_fit(pool, design, rule))
        except DesignError as error:
            refusals += error.problems
            continue
        choices.append(
            Choice(
                STAGED,
                round(passed.fraction_enrolled, 6),
                rule,
                passed.build_path(stages, costs.failure_rate),
                courses,
                pool,
                passing,
                passing if screened.target is None else None,
            )
        )
    if not refusals:
        return choices, []
    told = f"{len(refusals)} of {len(thresholds)} combinations of stages are left out, such as: "
    return choices, [told + refusals[0]]


def fit_everyone(screened: Screened, design: TrialDesign, rng: np.random.Generator) -> Courses:
    """Return what is known of everyone, without a score."""
    everyone = next(n for n, s in STRATEGIES.items() if s.enrolls_everyone)
    pool = gather_pool(Candidate(everyone, 1.0), replace(screened, prognostic=None), rng)
    return Courses.of(fit_growth_model(pool, design.times))


def _fit(pool: Pool, design: TrialDesign, name: str) -> GrowthModel:
    if pool.effective_size < FEWEST - 0.5:
        raise DesignError(
            f"{name}: {tally(round(pool.effective_size), 'people say')} too little to be searched "
            f"over; at least {FEWEST} are needed."
        )
    return fit_growth_model(pool, design.times)


def _enroll(candidate: Candidate, screened: Screened) -> Floats:
    """Return how much of each of those screened is enrolled: a part of people with equal scores."""
    n_screened = screened.n_screened
    if not candidate.is_screened:
        return np.ones(n_screened)
    own = screened.scores if screened.target is None else screened.target.scores
    score = own[candidate.strategy]
    return find_cutoffs(score, count_selected(candidate.fraction_enrolled, n_screened)).admit(score)


def _measure(stage: ScreeningStage, screened: Screened, columns: Mapping[str, Floats]) -> Floats:
    """Return what a stage measures, higher passes, a missing one at the mean."""
    name = str(stage.measure)
    values = screened.scores.get(name, columns.get(name))
    if values is None:
        known = ", ".join([*screened.scores, *columns])
        raise DesignError(f"stage {stage.name!r}: nobody has {name}; there are {known}.")
    if not np.isfinite(values).any() or np.nanstd(values) == 0:
        raise DesignError(f"stage {stage.name!r}: {name} is the same in everyone, or unknown.")
    signed = values if stage.passes == "high" else -values
    return np.asarray(np.where(np.isfinite(signed), signed, np.nanmean(signed)))
