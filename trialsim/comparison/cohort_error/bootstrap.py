"""The error that comes from the cohort at hand: a bootstrap of its people.

Simulation answers for the people that were given. Others of the same kind would have given other
scores, other pools, other sample sizes. Each bootstrap sample repeats all of it: strategies that
learn from the screened people are fitted again, the people are chosen again, normal ageing is
estimated again, the sample size is computed again. The closed form of the sample, relative to that
of the cohort, carries the simulated sample size over, because a simulation for every sample would
cost a hundredfold and moves the same way.

A sample holds its people as counts, never as copies, so that hundreds of samples are a few products
of matrices.

References
----------
Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapter 21 (the infinitesimal jackknife).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trialsim.analyses import ANALYSES
from trialsim.analysis.result import Floats
from trialsim.comparison.candidates import EVERYONE, Candidate, Screened
from trialsim.comparison.cohort_error.intervals import compute_freedom
from trialsim.comparison.cohort_error.normal_sizes import compute_log_sizes
from trialsim.comparison.cohort_error.sample_moments import (
    PersonMoments,
    SampleMoments,
    compute_influences,
    compute_moments,
    widen_covariance,
)
from trialsim.comparison.cohort_error.samples import (
    TargetSample,
    center_score,
    draw_counts,
    draw_target,
    list_chunks,
    repeat_rows,
    take_top,
)
from trialsim.comparison.refitting import Rescore
from trialsim.comparison.transport import compute_selected_moments, transport
from trialsim.design import TrialDesign
from trialsim.enrichment.folds import Samples
from trialsim.enrichment.selection import count_selected
from trialsim.simulation.effects import compute_normal_change
from trialsim.workers.spread import Workers


@dataclass(frozen=True)
class CohortVariation:
    """How sample sizes vary between cohorts of the same kind.

    Attributes
    ----------
    log_ratios
        Analysis -> ln of the closed-form size of each bootstrap sample over the cohort's,
        (n_candidates, n_bootstrap); infinite where no size is large enough, NaN where the cohort
        itself has none.
    archive_sds
        Analysis -> standard deviation of ln size when the people of the archive are drawn again,
        (n_candidates,); 0 where nothing is fitted on them.
    degrees_of_freedom
        Analysis -> of the standard error of ln size, (n_candidates,).
    effective_sizes
        Effective number of people in the pool, (n_candidates,).
    n_people
        Screened people.
    """

    log_ratios: dict[str, Floats]
    archive_sds: dict[str, Floats]
    degrees_of_freedom: dict[str, Floats]
    effective_sizes: Floats
    n_people: int

    @property
    def n_bootstrap(self) -> int:
        """Number of bootstrap samples."""
        return int(next(iter(self.log_ratios.values())).shape[1])


def bootstrap_sizes(
    screened: Screened,
    candidates: Sequence[Candidate],
    design: TrialDesign,
    *,
    n_bootstrap: int,
    seed: int,
    rescore: Rescore | None = None,
    n_archive: int = 200,
    redraws_screened: bool = True,
    workers: Workers = None,
    on_progress: Callable[[int], None] | None = None,
) -> CohortVariation:
    """Return how the sizes of all candidates vary over the same bootstrap samples of people.

    Parameters
    ----------
    screened
        The people who are resampled.
    candidates
        Strategies at their fractions.
    design
        The trial's design.
    n_bootstrap
        Samples of the screened people.
    seed
        Root of every random stream.
    rescore
        Fits the strategies again to samples; scores stay as given when None.
    n_archive
        Samples of the archive, where `rescore` fits strategies on one. Where an archive stands for
        the screened people, both are drawn again in every one of the `n_bootstrap` samples.
    redraws_screened
        False draws that archive alone again, and keeps the screened people for whom it stands.
    workers
        What spreads blocks of samples further; a number of threads changes nothing.
    on_progress
        Told what is done.
    """
    n_people = len(screened.outcome)
    job = _Job(screened, candidates, design, np.random.default_rng([seed, 0]).permutation(n_people))
    base = job.compute(np.ones((1, n_people)), {})
    parts: list[Sizes] = [dict.fromkeys(design.analyses, np.empty((len(candidates), 0)))]
    work = _Resampling(job, rescore, seed, redraws_screened)
    chunks = list_chunks(n_bootstrap)
    drawn = map(work, chunks) if isinstance(workers, int | None) else workers(work, chunks)
    for (_, size), sizes in zip(chunks, drawn, strict=True):
        parts.append(sizes)
        if on_progress is not None:
            on_progress(size)
    joined = {name: np.concatenate([part[name] for part in parts], axis=1) for name in base}
    return CohortVariation(
        {name: _subtract(sizes, base[name]) for name, sizes in joined.items()},
        _bootstrap_archive(job, base, rescore, seed, n_archive if n_bootstrap else 0),
        job.estimate_freedom(),
        job.effective_sizes,
        screened.n_screened,
    )


Sizes = dict[str, Floats]
"""Analysis -> ln of the size, (n_candidates, n_samples)."""


class _Job:
    """The sizes of all candidates in weighted samples of the screened people."""

    def __init__(
        self,
        screened: Screened,
        candidates: Sequence[Candidate],
        design: TrialDesign,
        order: NDArray[np.intp],
    ) -> None:
        self.screened, self.candidates, self.design = screened, candidates, design
        # chance decides ties once, by the order in which people are looked at
        self.order = order
        one_each = np.ones((1, len(screened.outcome)))
        self.everyone = self._weigh(one_each, None)
        self.base = [
            self._select(c, self.everyone, screened.scores[c.strategy], None) for c in candidates
        ]
        self.effective_sizes = np.array(
            [float(w.sum() ** 2 / (w**2).sum()) if w.any() else 0.0 for w in self.base]
        )

    def compute(
        self,
        counts: Floats,
        scores: dict[str, Floats],
        widenings: int = 1,
        target: TargetSample | None = None,
    ) -> Sizes:
        """Return the sizes of each candidate in each sample.

        Parameters
        ----------
        counts
            (n_samples, n_people).
        scores
            Strategy -> (n_samples, n_people), for strategies whose scores the samples change.
        widenings
            How often estimated means took from the variances: once in the cohort, twice in a
            sample of it.
        target
            The screened people whom an archive stands for, drawn again; as they are when None.
        """
        n_samples = max([len(counts), *(len(score) for score in scores.values())])
        everyone = self._weigh(counts, target)
        people = {
            name: PersonMoments.take(expected, self.screened.was_seen, everyone[name])
            for name, expected in self.screened.expected.items()
        }
        normal = self._estimate_normal(everyone[EVERYONE], people[EVERYONE])
        sizes = {
            name: np.full((len(self.candidates), n_samples), np.nan)
            for name in self.design.analyses
        }
        for row, candidate in enumerate(self.candidates):
            score = scores.get(candidate.strategy, self.screened.scores[candidate.strategy])
            weights = self._select(candidate, everyone, score, target)
            prognostic = self._get_prognostic(candidate, score)
            own = people[candidate.expectation]
            moments = compute_moments(own, weights, center_score(prognostic))
            moments = self._transport(moments, candidate, own, weights, prognostic, target)
            covariance = moments.get_covariance()
            for _ in range(widenings):
                covariance = widen_covariance(covariance, self.effective_sizes[row])
            for name in self._list_analyses(candidate):
                preventable = moments.change - normal
                sizes[name][row] = compute_log_sizes(name, preventable, covariance, self.design)
        return sizes

    def _transport(
        self,
        moments: SampleMoments,
        candidate: Candidate,
        people: PersonMoments,
        weights: Floats,
        prognostic: Floats | None,
        again: TargetSample | None,
    ) -> SampleMoments:
        """Return the moments of the screened people's own futures, where these are predicted."""
        target = self.screened.target
        if target is None or target.start is None:
            return moments
        counts, score = np.ones((1, target.size)), target.scores[candidate.strategy]
        if again is not None:
            counts, score = again.counts, again.scores.get(candidate.strategy, score)
        if candidate.expectation != EVERYONE:
            counts = target.select(candidate.fraction_enrolled, counts, score)
        shown = np.zeros(1)
        if prognostic is not None:
            middle = np.nanmean(prognostic, axis=-1, keepdims=True)
            shown = np.where(np.isfinite(score), score - middle, 0.0)
        selected = compute_selected_moments(counts, target.start - people.middle[0], shown)
        return transport(moments, people, weights, center_score(prognostic), selected)

    def estimate_freedom(self) -> dict[str, Floats]:
        """Return the degrees of freedom of the standard error of ln size of each candidate."""
        people = {
            name: PersonMoments.take(expected, self.screened.was_seen, self.everyone[name])
            for name, expected in self.screened.expected.items()
        }
        normal = self._estimate_normal(self.everyone[EVERYONE], people[EVERYONE])
        freedom = {name: np.ones(len(self.candidates)) for name in self.design.analyses}
        for row, candidate in enumerate(self.candidates):
            weights, own = self.base[row], people[candidate.expectation]
            own_score = self.screened.scores[candidate.strategy]
            score = center_score(self._get_prognostic(candidate, own_score))
            moments = compute_moments(own, weights, score)
            for name in self._list_analyses(candidate):
                influence = compute_influences(
                    name, own, moments, weights, score, normal, self.design
                )
                freedom[name][row] = compute_freedom(
                    influence[0], weights[0], self.screened.weights[candidate.expectation]
                )
        return freedom

    def _get_prognostic(self, candidate: Candidate, own_score: Floats) -> Floats | None:
        prognostic = self.screened.get_prognostic(candidate)
        is_own = prognostic is not None and self.screened.prognostic is None
        return own_score if is_own else prognostic

    def _list_analyses(self, candidate: Candidate) -> list[str]:
        has_score = self.screened.get_prognostic(candidate) is not None
        return [name for name in self.design.analyses if has_score or not ANALYSES[name].uses_score]

    def _weigh(self, counts: Floats, again: TargetSample | None) -> dict[str, Floats]:
        """Return everyone's weight in each sample by what is expected, (n_samples, n_people)."""
        target = self.screened.target
        if target is None:
            return {name: counts * weight for name, weight in self.screened.weights.items()}
        screened = np.ones((1, target.size)) if again is None else again.counts
        return {
            name: target.weigh(name, *repeat_rows(counts, screened))
            for name in self.screened.weights
        }

    def _select(
        self,
        candidate: Candidate,
        everyone: dict[str, Floats],
        score: Floats,
        again: TargetSample | None,
    ) -> Floats:
        """Return the weight of each person among those enrolled, (n_samples, n_people)."""
        weights, target = everyone[candidate.expectation], self.screened.target
        if candidate.expectation != EVERYONE and target is not None:
            counts = np.ones((1, target.size)) if again is None else again.counts
            own = target.scores[candidate.strategy]
            own = own if again is None else again.scores.get(candidate.strategy, own)
            fraction = candidate.fraction_enrolled
            cutoffs = target.find_cutoffs(fraction, counts, own)
            weights = weights * (score >= cutoffs[:, None])
        elif candidate.expectation != EVERYONE:
            n_people = weights.shape[1]
            share = count_selected(candidate.fraction_enrolled, n_people) / n_people
            weights = take_top(weights, score, share, self.order)
        return np.asarray(weights * self.screened.was_seen)

    def _estimate_normal(self, everyone: Floats, people: PersonMoments) -> Floats:
        """Return the change of normal ageing to the last visit in each sample."""
        is_normal = self.screened.is_normal
        if is_normal is None or self.design.relative_to == "all decline":
            return np.full(len(everyone), compute_normal_change(self.design)[-1])
        weights = everyone * is_normal * self.screened.was_seen
        total = weights.sum(axis=1)
        change = (weights * people.change).sum(axis=1)
        return np.asarray(np.divide(change, total, out=np.zeros_like(total), where=total > 0))


@dataclass(frozen=True)
class _Resampling:
    """What is done of one chunk of samples: its number, how many they are."""

    job: _Job
    rescore: Rescore | None
    seed: int
    redraws_screened: bool

    def __call__(self, chunk: tuple[int, int]) -> Sizes:
        screened = self.job.screened
        weights, rng = draw_counts(len(screened.outcome), self.seed, chunk)
        target = screened.target
        fresh = {} if self.rescore is None else self.rescore(Samples(people=weights), rng)
        again = (
            None
            if target is None
            else draw_target(target, weights, rng, redraws=self.redraws_screened)
        )
        return self.job.compute(weights, fresh, widenings=2, target=again)


def _bootstrap_archive(
    job: _Job, base: Sizes, rescore: Rescore | None, seed: int, n_samples: int
) -> dict[str, Floats]:
    none = np.zeros(len(job.candidates))
    # of an archive that stands for the screened people, the people were drawn again already
    drawn_already = job.screened.target is not None
    if rescore is None or not rescore.n_training or not n_samples or drawn_already:
        return dict.fromkeys(base, none)
    rng = np.random.default_rng([seed, 2])
    n = rescore.n_training
    counts = rng.multinomial(n, np.full(n, 1 / n), size=n_samples).astype(float)
    scores = rescore(Samples(training=counts), rng)
    found = job.compute(np.ones((n_samples, len(job.screened.outcome))), scores)
    return {name: _spread(log_size - base[name]) for name, log_size in found.items()}


def _spread(log_ratio: Floats) -> Floats:
    known = np.isfinite(log_ratio)
    return np.array([row[k].std(ddof=1) if k.sum() > 1 else np.nan
                     for row, k in zip(log_ratio, known, strict=True)])  # fmt: skip


def _subtract(log_size: Floats, base: Floats) -> Floats:
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(np.isfinite(base), log_size - base, np.nan))
