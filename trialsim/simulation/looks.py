"""Simulated trials with looks: every look of every trial, from the data that exist by then."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from scipy import special

from trialsim.analyses import ANALYSES
from trialsim.analysis.inputs import Trials
from trialsim.analysis.patterns import join_trials
from trialsim.analysis.result import Floats
from trialsim.analytic import Accrual
from trialsim.design import TrialDesign
from trialsim.errors import DesignError
from trialsim.simulation.batches import run_batches
from trialsim.simulation.effects import Estimand, build_estimand, compute_shift
from trialsim.simulation.fitting import Observed, find_patterns, fit_analysis
from trialsim.simulation.observing import Arm, draw_people, observe
from trialsim.simulation.outcomes import OutcomeModel
from trialsim.simulation.streams import draw_entries
from trialsim.simulation.trials import Fits, fold, get_shift, join_fits, null_is_a_shift, remove
from trialsim.workers.packing import unpack
from trialsim.workers.spread import Workers


@dataclass(frozen=True)
class SimulatedLooks:
    """Every look of every trial.

    Attributes
    ----------
    effect, null
        Analysis -> fits, (n_looks, n_replicates), with the treatment's effect and without any.
    months
        Calendar month of each look, (n_looks, n_replicates).
    n_enrolled
        People randomized by each look, (n_looks, n_replicates).
    n_completers
        People seen at the last visit by each look, (n_looks, n_replicates, 2): control, treatment.
    estimand
        What the estimates are compared with.
    """

    effect: dict[str, Fits]
    null: dict[str, Fits]
    months: Floats
    n_enrolled: Floats
    n_completers: Floats
    estimand: Estimand


def simulate_looks(
    model: OutcomeModel,
    design: TrialDesign,
    size: tuple[int, int],
    looks: Sequence[float] | Floats,
    *,
    by: Literal["months", "completers"] = "months",
    accrual: float | Accrual,
    seed: int,
    replicates: range,
    scenario: int = 0,
    workers: Workers = None,
    batch_size: int | None = None,
) -> SimulatedLooks:
    """Return the fits of every analysis of the design at every look.

    People enter at random, as fast as `accrual` says; the last look comes when everyone has had
    the last visit or has left. Mixed models are judged with Kenward & Roger's standard error (the
    sandwich's, where the design asks for it): few people have every visit at an early look.

    Parameters
    ----------
    model
        Draws outcomes.
    design
        The trial's design.
    size
        People in control, in treatment.
    looks
        Looks before the last: calendar months, or shares of the completers of each trial.
    by
        What `looks` are.
    accrual
        People randomized a month, both arms together.
    seed, replicates, scenario, workers, batch_size
        As in `simulate_trials`.

    Raises
    ------
    DesignError
        Looks that do not increase, no replicates, an arm of fewer than 5 people, looks with an
        analysis that imputes.
    """
    wanted = np.asarray(looks, dtype=float)
    _check(size, wanted, by, replicates)
    if wanted.size:
        refuse_imputing(design.analyses)
    shift = compute_shift(design, model.compute_expectations().true_change)
    job = _Job(model, design, size, wanted, by, Accrual.at(accrual), seed, scenario, shift)
    parts = list(
        run_batches(
            partial(_run_batch, job),
            replicates,
            values_each=sum(size) * len(design.times) * (len(wanted) + 1),
            workers=workers,
            batch_size=batch_size,
            unpack=partial(unpack, _Part, inner=Fits),
        )
    )
    share_left, difference = (
        np.mean([getattr(part, name) for part in parts], axis=0)
        for name in ("share_left", "difference")
    )
    return SimulatedLooks(
        join_fits([part.effect for part in parts]),
        join_fits([part.null for part in parts]),
        np.concatenate([part.months for part in parts], axis=1),
        np.concatenate([part.n_enrolled for part in parts], axis=1),
        np.concatenate([part.n_completers for part in parts], axis=1),
        build_estimand(design, difference, (share_left[0], share_left[1])),
    )


def refuse_imputing(analyses: Sequence[str]) -> None:
    """Raise for an analysis that imputes: at a look it would impute visits that are still to come.

    Raises
    ------
    DesignError
        Such an analysis.
    """
    for name in analyses:
        if ANALYSES[name].imputation is not None:
            raise DesignError(
                f"At a look {name} would impute the visits that are still to come, as if people "
                "had left: list mmrm first among the analyses of a trial with looks, and impute "
                "in its last analysis alone."
            )


def compute_z(fits: Fits) -> Floats:
    """Return normal quantiles of one minus the one-sided p values; NaN where a fit failed.

    A t statistic of 18 degrees of freedom that met a bound of z would cross it too often; its p
    value does not.
    """
    t = fits.estimate / fits.se
    # each tail by its own small p value, which keeps its digits
    upper = -special.ndtri(special.stdtr(fits.df, -np.abs(t)))
    return np.asarray(np.sign(t) * upper)


@dataclass(frozen=True)
class _Job:
    model: OutcomeModel
    design: TrialDesign
    size: tuple[int, int]
    looks: Floats
    by: str
    accrual: Accrual
    seed: int
    scenario: int
    shift: Floats


@dataclass(frozen=True)
class _Part:
    effect: dict[str, Fits]
    null: dict[str, Fits]
    months: Floats
    n_enrolled: Floats
    n_completers: Floats
    share_left: Floats
    difference: Floats


def _check(size: tuple[int, int], looks: Floats, by: str, replicates: range) -> None:
    problems = []
    if min(size) < 5:
        problems.append(f"Each arm needs at least 5 people, got {size[0]} + {size[1]}.")
    if looks.ndim != 1 or not np.all(np.isfinite(looks)) or np.any(np.diff(looks) <= 0):
        problems.append(f"looks must increase, got {looks.tolist()}.")
    elif looks.size and (looks[0] <= 0 or (by == "completers" and looks[-1] >= 1)):
        what = "lie between 0 and 1, both excluded," if by == "completers" else "be greater than 0"
        problems.append(f"looks by {by} before the last must {what}, got {looks.tolist()}.")
    if by not in ("months", "completers"):
        problems.append(f'by must be "months" or "completers", got "{by}".')
    if not len(replicates):
        problems.append("A simulation needs at least 1 replicate, got 0.")
    if problems:
        raise DesignError(*problems)


def _run_batch(job: _Job, replicates: range) -> _Part:
    control, treatment = (
        draw_people(
            job.model,
            job.design,
            replicates,
            arm=arm,
            n_people=job.size[arm],
            seed=job.seed,
            scenario=job.scenario,
        )
        for arm in (0, 1)
    )
    arms, n = (control, treatment), len(replicates)
    entry = _draw_entry(job, replicates)
    seen = observe(job.model, job.design, arms, job.shift)
    outcome = np.concatenate(seen.outcomes, axis=1)
    months = _place_looks(job, entry, outcome)
    effect = _fit(job, _observe_at(job, arms, outcome, entry, months), n)
    if null_is_a_shift(job.design):
        null = {
            name: remove(fits, get_shift(job.design, job.shift, name))
            for name, fits in effect.items()
        }
    else:
        unshifted = observe(job.model, job.design, arms, np.zeros_like(job.shift))
        plain = np.concatenate(unshifted.outcomes, axis=1)
        null = _fit(job, _observe_at(job, arms, plain, entry, months), n)
    done = ~np.isnan(outcome[..., -1]) & (entry + job.design.times[-1] <= months[..., None])
    per_arm = [part.sum(axis=-1) for part in np.split(done, [job.size[0]], axis=-1)]
    enrolled = (entry <= months[..., None]).sum(axis=-1).astype(float)
    return _Part(
        effect,
        null,
        months,
        enrolled,
        np.stack(per_arm, axis=-1).astype(float),
        seen.share_left,
        seen.difference,
    )


def _draw_entry(job: _Job, replicates: range) -> Floats:
    """Return the calendar month at which everyone enters, (n_replicates, n_people)."""
    shares = [
        draw_entries(
            replicates, seed=job.seed, arm=arm, n_people=job.size[arm], scenario=job.scenario
        )
        for arm in (0, 1)
    ]
    return job.accrual.find_month(np.concatenate(shares, axis=1) * sum(job.size))


def _place_looks(job: _Job, entry: Floats, outcome: Floats) -> Floats:
    """Return the calendar month of each look of each trial, (n_looks, n_replicates)."""
    done = entry + job.design.times[-1]
    last = done.max(axis=1)
    if job.by == "months":
        early = np.broadcast_to(job.looks[:, None], (len(job.looks), len(last)))
    else:
        completes = np.where(np.isnan(outcome[..., -1]), np.inf, done)
        ordered = np.sort(completes, axis=1)
        n_completers = np.isfinite(ordered).sum(axis=1)
        place = np.ceil(job.looks[:, None] * n_completers).astype(int) - 1
        early = np.take_along_axis(ordered, np.maximum(place, 0).T, axis=1).T
    return np.concatenate([np.minimum(early, last), last[None]])


def _observe_at(
    job: _Job, arms: tuple[Arm, Arm], outcome: Floats, entry: Floats, months: Floats
) -> Observed:
    """Return (n_looks x n_replicates) trials."""
    covariates = np.concatenate([arm.covariates for arm in arms], axis=1)
    predictors = np.ones((*entry.shape, 2 + covariates.shape[-1]))
    predictors[..., 1] = np.arange(entry.shape[1]) >= job.size[0]
    predictors[..., 2:] = covariates
    visit = entry[..., None] + job.design.times
    times, inference = job.design.times, job.design.inference
    looks = [
        Trials(np.where(visit <= month[:, None, None], outcome, np.nan), predictors, times)
        for month in months
    ]
    patterns = find_patterns(job.design, [look.outcome for look in looks])
    parts = [look.summarize(patterns, by_arm=inference.by_arm) for look in looks]
    return Observed(join_trials(parts), looks if inference.is_clustered else [])


def _fit(job: _Job, observed: Observed, n_replicates: int) -> dict[str, Fits]:
    inference = job.design.inference.for_looks()
    return {
        name: fold(fit_analysis(name, observed, job.design, inference), n_replicates)
        for name in job.design.analyses
    }
