"""Simulated trials of one pool at many sample sizes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import partial

import numpy as np

from trialsim.analyses import ANALYSES
from trialsim.analysis.inputs import Trials
from trialsim.analysis.patterns import PatternStatistics, join_trials
from trialsim.analysis.result import FitResult, Flags, Floats
from trialsim.design import TrialDesign
from trialsim.errors import DesignError
from trialsim.simulation.batches import run_batches
from trialsim.simulation.effects import Estimand, build_estimand, compute_shift
from trialsim.simulation.fitting import Observed, find_patterns, fit_analysis
from trialsim.simulation.observing import Arm, draw_people, observe
from trialsim.simulation.outcomes import OutcomeModel
from trialsim.workers.packing import unpack
from trialsim.workers.spread import Workers

_MIN_ARM = 5

Sizes = Sequence[tuple[int, int]]
"""People in control, in treatment of each trial size; no arm smaller than the one before."""


@dataclass(frozen=True)
class Fits:
    """Results of one analysis, (n_sizes, n_replicates) each; NaN where a fit failed."""

    estimate: Floats
    se: Floats
    df: Floats
    converged: Flags
    boundary: Flags


@dataclass(frozen=True)
class SimulatedTrials:
    """Everything simulated for one pool.

    Attributes
    ----------
    sizes
        People in control, in treatment.
    effect, null
        Analysis -> fits with the treatment's effect, without any.
    estimand
        What the estimates are compared with.
    """

    sizes: Sizes
    effect: dict[str, Fits]
    null: dict[str, Fits]
    estimand: Estimand


def simulate_trials(
    model: OutcomeModel,
    design: TrialDesign,
    sizes: Sizes,
    *,
    seed: int,
    replicates: range,
    scenario: int = 0,
    workers: Workers = None,
    batch_size: int | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> SimulatedTrials:
    """Return the fits of every analysis of the design in every replicate.

    Parameters
    ----------
    model
        Draws outcomes.
    design
        The trial's design.
    sizes
        (n_control, n_treatment) of each trial size. The people of a smaller trial are the first of
        a larger one.
    seed
        Root of every random stream.
    replicates
        Which replicates. Each has its own stream, so any can be simulated alone.
    scenario
        Number of an independent set of streams under the same seed.
    workers
        Threads, all cores when None; or what spreads the work further
        (`trialsim.workers.spread.Spread`). Results do not depend on it.
    batch_size
        Replicates a batch, chosen by memory when None. Results do not depend on it.
    on_progress
        Told the number of replicates finished since the last call.

    Raises
    ------
    DesignError
        An arm of fewer than 5 people, sizes out of order, no replicates, no decline to slow.
    """
    if not len(replicates):
        raise DesignError("A simulation needs at least 1 replicate, got 0.")
    check_sizes(sizes)
    shift = find_shift(model, design)
    job = _Job(model, design, sizes, seed, scenario, shift)
    parts = []
    batches = run_batches(
        partial(_run_batch, job),
        replicates,
        values_each=sum(sizes[-1]) * len(design.times),
        workers=workers,
        batch_size=batch_size,
        unpack=partial(unpack, _Part, inner=Fits),
    )
    for part in batches:
        parts.append(part)
        if on_progress is not None:
            on_progress(part.n_replicates)
    return SimulatedTrials(
        sizes,
        join_fits([part.effect for part in parts]),
        join_fits([part.null for part in parts]),
        build_estimand(design, _average(parts, "difference"), _compute_share_left(design, parts)),
    )


def find_shift(model: OutcomeModel, design: TrialDesign) -> Floats:
    """Return the mean difference that the treatment makes at each visit, (n_visits,).

    Raises
    ------
    DesignError
        The people do not decline, so that trials of them cannot be simulated.
    """
    return compute_shift(design, model.compute_expectations().true_change)


@dataclass(frozen=True)
class _Job:
    model: OutcomeModel
    design: TrialDesign
    sizes: Sizes
    seed: int
    scenario: int
    shift: Floats


@dataclass(frozen=True)
class _Part:
    effect: dict[str, Fits]
    null: dict[str, Fits]
    share_left: Floats  # (2, n_visits)
    difference: Floats  # (n_visits,)
    n_replicates: int


def null_is_a_shift(design: TrialDesign) -> bool:
    """Return whether the trial without effect differs by what the analyses take out exactly.

    It then has the same standard errors, and its fits need not be repeated.
    """
    slopes = any(ANALYSES[name].compares_slopes for name in design.analyses)
    taken_out = design.has_linear_effect or not slopes
    # an imputation takes only part of a shift out
    taken_out &= not any(ANALYSES[name].imputation for name in design.analyses)
    same_for_all = design.effect_model == "shift" and not design.has_events
    return taken_out and same_for_all and not design.dropout.depends_on_outcome


def check_sizes(sizes: Sizes) -> None:
    """Refuse sizes that no trial can have, or that are out of order.

    Raises
    ------
    DesignError
        One sentence for each.
    """
    problems = [
        f"Each arm needs at least {_MIN_ARM} people, got {n_control} + {n_treatment}."
        for n_control, n_treatment in sizes
        if min(n_control, n_treatment) < _MIN_ARM
    ]
    if not sizes or list(sizes) != sorted(sizes) or (np.diff(sizes, axis=0) < 0).any():
        problems.append(f"Sample sizes must be given in increasing order, got {list(sizes)}.")
    if problems:
        raise DesignError(*problems)


def _run_batch(job: _Job, replicates: range) -> _Part:
    people = (_draw_people(job, replicates, 0), _draw_people(job, replicates, 1))
    seen = observe(job.model, job.design, people, job.shift)
    observed = _summarize(job, people, seen.outcomes)
    effect = _fit(job, observed, len(replicates))
    if null_is_a_shift(job.design):
        null = {
            name: remove(fits, get_shift(job.design, job.shift, name))
            for name, fits in effect.items()
        }
    else:
        plain = observe(job.model, job.design, people, np.zeros_like(job.shift))
        null = _fit(job, _summarize(job, people, plain.outcomes), len(replicates))
    return _Part(effect, null, seen.share_left, seen.difference, len(replicates))


def _draw_people(job: _Job, replicates: range, arm: int) -> Arm:
    return draw_people(
        job.model,
        job.design,
        replicates,
        arm=arm,
        n_people=job.sizes[-1][arm],
        seed=job.seed,
        scenario=job.scenario,
    )


def _summarize(job: _Job, arms: tuple[Arm, Arm], outcomes: list[Floats]) -> Observed:
    """Return (n_sizes x n_replicates) trials."""
    covariates = [arm.covariates for arm in arms]
    statistics = _accumulate(job, outcomes, covariates)
    people = []
    if job.design.inference.is_clustered:
        everyone = [(slice(n_control), slice(n_treatment)) for n_control, n_treatment in job.sizes]
        people = [_gather(job, outcomes, covariates, part) for part in everyone]
    return Observed(statistics, people)


def _accumulate(job: _Job, outcomes: list[Floats], covariates: list[Floats]) -> PatternStatistics:
    """Return statistics of every size; a larger trial adds people to the one before."""
    seen = find_patterns(job.design, outcomes)
    totals: list[PatternStatistics] = []
    first = (0, 0)
    for size in job.sizes:
        new = _gather(
            job, outcomes, covariates, [slice(a, b) for a, b in zip(first, size, strict=True)]
        )
        added = new.summarize(seen, by_arm=job.design.inference.by_arm)
        last = totals[-1] if totals else None
        totals.append(added if last is None else last.add(added))
        first = size
    return join_trials(totals)


def _gather(
    job: _Job, outcomes: list[Floats], covariates: list[Floats], parts: Sequence[slice]
) -> Trials:
    """Return trials of part of each arm's people."""
    y = np.concatenate([outcomes[arm][:, parts[arm]] for arm in (0, 1)], axis=1)
    z = np.ones((*y.shape[:2], 2 + covariates[0].shape[-1]))
    z[..., 2:] = np.concatenate([covariates[arm][:, parts[arm]] for arm in (0, 1)], axis=1)
    z[..., 1] = np.arange(y.shape[1]) >= outcomes[0][:, parts[0]].shape[1]
    return Trials(y, z, job.design.times)


def _fit(job: _Job, observed: Observed, n_replicates: int) -> dict[str, Fits]:
    return {
        name: fold(fit_analysis(name, observed, job.design), n_replicates)
        for name in job.design.analyses
    }


def fold(result: FitResult, n_replicates: int) -> Fits:
    """Return the fits of (k x n_replicates) trials as (k, n_replicates)."""
    return Fits(*(getattr(result, field.name).reshape(-1, n_replicates) for field in fields(Fits)))


def get_shift(design: TrialDesign, shift: Floats, analysis: str) -> float:
    """Return by how much an average shift of the outcomes moves an estimate."""
    return Estimand(shift, design.times).get_value(analysis)


def remove(fits: Fits, shift: float) -> Fits:
    """Return the fits of the same trials without a treatment that shifts their estimates."""
    return Fits(fits.estimate - shift, fits.se, fits.df, fits.converged, fits.boundary)


def join_fits(parts: list[dict[str, Fits]]) -> dict[str, Fits]:
    """Return the fits of consecutive replicates as one."""
    return {
        name: Fits(
            *(
                np.concatenate([getattr(part[name], field.name) for part in parts], axis=1)
                for field in fields(Fits)
            )
        )
        for name in parts[0]
    }


def _compute_share_left(design: TrialDesign, parts: list[_Part]) -> tuple[Floats, Floats]:
    if not design.dropout.depends_on_outcome:
        return 1 - design.compute_retention(0), 1 - design.compute_retention(1)
    left = _average(parts, "share_left")
    return left[0], left[1]


def _average(parts: list[_Part], name: str) -> Floats:
    weights = np.array([part.n_replicates for part in parts])
    values = [getattr(part, name) for part in parts]
    return np.asarray(np.average(values, axis=0, weights=weights))
