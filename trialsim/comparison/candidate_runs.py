"""Simulation of one candidate: its power at each size, the size that reaches the target."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trialsim.analyses import ANALYSES
from trialsim.analysis.result import Flags, Floats
from trialsim.comparison.candidates import Candidate
from trialsim.comparison.closed_form import (
    Moments,
    compute_model_moments,
    compute_pool_moments,
    compute_power,
    compute_sample_size,
    has_closed_form,
)
from trialsim.comparison.pools import keep_possible_analyses
from trialsim.comparison.sizes.search import SizeEstimate, estimate_sample_size
from trialsim.costs import Costs
from trialsim.design import TrialDesign
from trialsim.errors import DesignError
from trialsim.simulation.outcomes import (
    GrowthModel,
    OutcomeModel,
    ResamplingModel,
    fit_growth_model,
)
from trialsim.simulation.performance import compute_characteristics, compute_rejections
from trialsim.simulation.pool import Pool
from trialsim.simulation.trials import SimulatedTrials, Sizes, find_shift, simulate_trials
from trialsim.workers.spread import Workers

_AROUND = (0.7, 0.8, 0.9, 1.0, 1.12, 1.26, 1.4)
_MAX_ROUNDS = 4
_LARGEST_TRIAL = 20_000
SMALLEST_ARM = 8
"""No arm of fewer people is simulated in search of a size."""


@dataclass(frozen=True)
class Simulation:
    """How trials are simulated.

    Attributes
    ----------
    n_simulations
        Replicates of each trial.
    seed
        Root of every stream.
    workers
        Threads, all cores when None; or what spreads the work further.
    weights
        Bootstrap weights of the replicates, the same for every candidate.
    """

    n_simulations: int
    seed: int
    workers: Workers
    weights: Floats


@dataclass(frozen=True)
class PreparedCandidate:
    """A candidate whose trials can be simulated.

    Attributes
    ----------
    candidate
        The strategy with its fraction.
    design
        With the analyses that its people allow.
    pool
        The people enrolled.
    model
        Draws their outcomes.
    moments
        What closed forms know of them.
    """

    candidate: Candidate
    design: TrialDesign
    pool: Pool
    model: OutcomeModel
    moments: Moments


@dataclass(frozen=True)
class CandidateRun:
    """What was found for one candidate.

    Attributes
    ----------
    characteristics
        Rows of the table `operating_characteristics`.
    rejected
        Analysis -> (n_sizes, n_replicates), with the treatment's effect.
    sizes
        Analysis -> people needed in control.
    closed_form_sizes
        Analysis -> the same by formula; NaN where there is none.
    trials
        That were simulated.
    """

    candidate: Candidate
    design: TrialDesign
    pool: Pool
    moments: Moments
    characteristics: list[dict[str, Any]]
    rejected: dict[str, Flags]
    sizes: dict[str, SizeEstimate]
    closed_form_sizes: dict[str, float]
    trials: SimulatedTrials


def prepare_candidate(candidate: Candidate, pool: Pool, design: TrialDesign) -> PreparedCandidate:
    """Return all that simulating a candidate takes; whatever is refused is refused here.

    Raises
    ------
    DesignError
        No analysis of the design is possible, or the people do not decline.
    """
    design = keep_possible_analyses(design, pool)
    model = build_outcome_model(pool, design)
    moments = (
        compute_model_moments(model)
        if isinstance(model, GrowthModel)
        else compute_pool_moments(pool, design)
    )
    find_shift(model, design)
    return PreparedCandidate(candidate, design, pool, model, moments)


def run_candidate(
    prepared: PreparedCandidate,
    costs: Costs,
    sizes: Sizes,
    simulation: Simulation,
    on_progress: Callable[[int], None] | None = None,
    *,
    known: Sequence[CandidateRun] = (),
) -> CandidateRun:
    """Return the simulation of one candidate at every size, then its search for the target.

    Parameters
    ----------
    prepared, costs, sizes, simulation
        What is simulated, and how.
    on_progress
        Told the number of replicates finished since the last call.
    known
        Candidates at the same sizes, whose trials are not simulated again where they are the same.

    Raises
    ------
    DesignError
        An analysis has a fit in none of the trials.
    """
    candidate, design, pool = prepared.candidate, prepared.design, prepared.pool
    model, moments = prepared.model, prepared.moments
    trials = next((run.trials for run in known if _draws_alike(prepared, run)), None)
    if trials is None:
        trials = simulate_trials(
            model,
            design,
            sizes,
            seed=simulation.seed,
            replicates=range(simulation.n_simulations),
            workers=simulation.workers,
            on_progress=on_progress,
        )
    elif on_progress is not None:
        on_progress(simulation.n_simulations)
    rows: list[dict[str, Any]] = []
    rejected, found, formula = {}, {}, {}
    for name in design.analyses:
        _require_fits(trials, name, candidate)
        rejected[name] = compute_rejections(trials, name, design).effect
        formula[name] = compute_sample_size(name, moments, design)
        for row in compute_characteristics(trials, name, design):
            rows.append(_complete_row(row, name, candidate, pool, design, costs, moments))
        n_control = np.array([size[0] for size in sizes], dtype=float)
        found[name] = estimate_sample_size(
            n_control, rejected[name], design.target_power, simulation.weights
        )
        if np.isnan(found[name].n_control):
            found[name] = _search(model, design, name, formula[name], simulation)
        if not has_closed_form(name, design):
            formula[name] = np.nan
    return CandidateRun(candidate, design, pool, moments, rows, rejected, found, formula, trials)


def _require_fits(trials: SimulatedTrials, analysis: str, candidate: Candidate) -> None:
    """Refuse a power of 0 that only says that nothing was fitted."""
    fitted = trials.effect[analysis].converged
    if not fitted.any():
        raise DesignError(
            f"{candidate.label}: {analysis} has a fit in none of the {fitted.size:,} simulated "
            "trials, so its power is unknown; outcomes with a measurement error (those on a "
            "straight line have none), or another of the design's analyses, are expected."
        )


def _draws_alike(prepared: PreparedCandidate, run: CandidateRun) -> bool:
    """Return whether trials are those of a run: two strategies that enroll everyone, for example.

    Only the people's scores may differ, where no analysis looks at them.
    """
    uses_score = any(ANALYSES[name].uses_score for name in prepared.design.analyses)
    if uses_score or not isinstance(prepared.model, ResamplingModel):
        return False
    own, other = prepared.pool, run.pool
    return prepared.design == run.design and all(
        np.array_equal(getattr(own, name), getattr(other, name))
        for name in ("outcome", "weights", "true_change")
    )


def build_outcome_model(pool: Pool, design: TrialDesign) -> OutcomeModel:
    """Return the outcome model that the design asks for."""
    if design.trajectories == "parametric":
        return fit_growth_model(pool, design.times)
    return ResamplingModel(pool)


def _search(
    model: OutcomeModel,
    design: TrialDesign,
    analysis: str,
    guess: float,
    simulation: Simulation,
) -> SizeEstimate:
    """Return the size that reaches the target, looked for around a guess."""
    unknown = np.full(len(simulation.weights), np.nan)
    estimate = SizeEstimate(np.nan, np.nan, np.nan, unknown)
    single = design.change(analyses=(analysis,))
    for _ in range(_MAX_ROUNDS):
        if not np.isfinite(guess) or guess * (1 + design.allocation_ratio) > _LARGEST_TRIAL:
            break
        sizes = _list_sizes_around(guess, design)
        trials = simulate_trials(
            model,
            single,
            sizes,
            seed=simulation.seed,
            replicates=range(simulation.n_simulations),
            workers=simulation.workers,
        )
        rejected = compute_rejections(trials, analysis, single).effect
        n_control = np.array([size[0] for size in sizes], dtype=float)
        estimate = estimate_sample_size(
            n_control, rejected, design.target_power, simulation.weights
        )
        if np.isfinite(estimate.n_control) or sizes[0][0] <= SMALLEST_ARM:
            break
        guess *= 2.0 if rejected[-1].mean() < design.target_power else 0.5
    return estimate


def _list_sizes_around(guess: float, design: TrialDesign) -> list[tuple[int, int]]:
    smallest = max(SMALLEST_ARM, SMALLEST_ARM / design.allocation_ratio)
    controls = sorted({round(max(guess * factor, smallest)) for factor in _AROUND})
    return [(n, max(SMALLEST_ARM, round(n * design.allocation_ratio))) for n in controls]


def _complete_row(
    row: dict[str, float],
    analysis: str,
    candidate: Candidate,
    pool: Pool,
    design: TrialDesign,
    costs: Costs,
    moments: Moments,
) -> dict[str, Any]:
    n_control, n_treatment = int(row["n_control"]), int(row["n_treatment"])
    expected, distance = np.nan, np.nan
    if has_closed_form(analysis, design):
        expected = compute_power(analysis, moments, design, n_control, n_treatment)
        spread = np.sqrt(max(expected * (1 - expected), 1e-12) / row["n_simulations"])
        distance = (row["power"] - expected) / spread
    enrollment = costs.compute_enrollment(
        n_control + n_treatment,
        fraction_enrolled=candidate.fraction_enrolled,
        is_screened=candidate.is_screened,
        months=design.duration_months,
        n_visits=len(design.times),
    )
    return {
        "strategy": candidate.strategy,
        "fraction_enrolled": candidate.fraction_enrolled,
        "analysis": analysis,
        **row,
        "closed_form_power": expected,
        "difference_in_mcse": distance,
        "n_to_screen": float(enrollment.n_to_screen),
        "cost": enrollment.cost,
        "months_to_enroll": enrollment.months_to_enroll,
        "pool_size": pool.n_people,
    }
