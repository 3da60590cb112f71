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
Kleiner, Talwalkar, Sarkar & Jordan 2014 (J R Stat Soc B 76:795), A scalable bootstrap for massive
data: from 20,000 people on, each chunk of samples is drawn from a bag of some of them.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from trialsim.analysis.result import Floats
from trialsim.comparison.candidates import Candidate
from trialsim.comparison.cohort_error.sampled_sizes import SampledSizes, Sizes
from trialsim.comparison.cohort_error.samples import draw_counts, draw_target, list_chunks
from trialsim.comparison.refitting import Rescore
from trialsim.comparison.screened import Screened
from trialsim.design import TrialDesign
from trialsim.enrichment.strategies.folds import Samples
from trialsim.workers.spread import Workers

_FEWEST_MEMBERS = 10_000
_FEWEST_SELECTED = 1_000
"""People in a bag, and how many of them the smallest fraction enrolls."""

_AT_ONCE = 25
"""Samples of a bag, or of an archive, that are computed at once."""


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
    n_archive
        Of the archive that stands for them; 0 where none does.
    """

    log_ratios: dict[str, Floats]
    archive_sds: dict[str, Floats]
    degrees_of_freedom: dict[str, Floats]
    effective_sizes: Floats
    n_people: int
    n_archive: int = 0

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
    n_members = _find_bag_size(screened, candidates)
    work: _Resampling | _BagResampling
    # as workers elsewhere have one, since more of them round sums otherwise
    with threadpool_limits(1):
        if n_members is None:
            order = np.random.default_rng([seed, 0]).permutation(n_people)
            job = SampledSizes(screened, candidates, design, order)
            base = job.compute(np.ones((1, n_people)), {})
            work = _Resampling(job, base, rescore, seed, redraws_screened)
        else:
            work = _BagResampling(screened, candidates, design, rescore, seed, n_members)
            job, rescore = work.deal(0)
            base = job.compute(np.ones((1, n_members)), {})
        archive_sds = _bootstrap_archive(job, base, rescore, seed, n_archive if n_bootstrap else 0)
        freedom, effective_sizes = job.estimate_freedom(), job.effective_sizes
        del job, rescore  # each bag holds hundreds of numbers a person of its own
        parts: list[Sizes] = [dict.fromkeys(design.analyses, np.empty((len(candidates), 0)))]
        chunks = list_chunks(n_bootstrap)
        drawn = map(work, chunks) if isinstance(workers, int | None) else workers(work, chunks)
        for (_, size), ratios in zip(chunks, drawn, strict=True):
            parts.append(ratios)
            if on_progress is not None:
                on_progress(size)
        return CohortVariation(
            _join(parts),
            archive_sds,
            freedom,
            effective_sizes,
            screened.n_screened,
            0 if screened.target is None else len(screened.outcome),
        )


@dataclass(frozen=True)
class _Resampling:
    """The sizes of one chunk of samples over the cohort's: its number, how many they are."""

    job: SampledSizes
    base: Sizes
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
        sizes = self.job.compute(weights, fresh, widenings=2, target=again)
        return {name: _subtract(sizes[name], own) for name, own in self.base.items()}


@dataclass(frozen=True)
class _BagResampling:
    """The same where people are many: each chunk draws everyone from a bag of some of them.

    The samples of a bag are held against their own mean, so that only what differs between
    samples counts, not what the bag differs by from everyone.
    """

    screened: Screened
    candidates: Sequence[Candidate]
    design: TrialDesign
    rescore: Rescore | None
    seed: int
    n_members: int

    def deal(self, number: int) -> tuple[SampledSizes, Rescore | None]:
        """Return the work on a bag, and what scores its people."""
        n_people = len(self.screened.outcome)
        rng = np.random.default_rng([self.seed, 3, number])
        members = np.sort(rng.permutation(n_people)[: self.n_members])
        order, copies = rng.permutation(self.n_members), n_people / self.n_members
        bag = self.screened.select(members)
        job = SampledSizes(bag, self.candidates, self.design, order, copies=copies)
        return job, None if self.rescore is None else self.rescore.select(members)

    def __call__(self, chunk: tuple[int, int]) -> Sizes:
        job, rescore = self.deal(chunk[0])
        n_people = len(self.screened.outcome)
        weights, rng = draw_counts(self.n_members, self.seed, chunk, n_drawn=n_people)
        parts = []
        for own in np.array_split(weights, -(-len(weights) // _AT_ONCE)):
            fresh = {} if rescore is None else rescore(Samples(people=own), rng)
            parts.append(job.compute(own, fresh, widenings=2))
        return {name: _center(sizes) for name, sizes in _join(parts).items()}


def _find_bag_size(screened: Screened, candidates: Sequence[Candidate]) -> int | None:
    """Return how many people a bag needs, None where everyone is drawn from everyone."""
    smallest = min(c.fraction_enrolled for c in candidates)
    size = max(_FEWEST_MEMBERS, math.ceil(_FEWEST_SELECTED / smallest))
    is_small = 2 * size > len(screened.outcome)
    return None if is_small or screened.target is not None else size


def _bootstrap_archive(
    job: SampledSizes, base: Sizes, rescore: Rescore | None, seed: int, n_samples: int
) -> dict[str, Floats]:
    none = np.zeros(len(job.candidates))
    # of an archive that stands for the screened people, the people were drawn again already
    drawn_already = job.screened.target is not None
    if rescore is None or not rescore.n_training or not n_samples or drawn_already:
        return dict.fromkeys(base, none)
    rng = np.random.default_rng([seed, 2])
    n = rescore.n_training
    parts = []
    for own in np.array_split(np.arange(n_samples), -(-n_samples // _AT_ONCE)):
        counts = rng.multinomial(n, np.full(n, 1 / n), size=own.size).astype(float)
        scores = rescore(Samples(training=counts), rng)
        parts.append(job.compute(np.ones((own.size, len(job.screened.outcome))), scores))
    return {name: _spread(log_size - base[name]) for name, log_size in _join(parts).items()}


def _spread(log_ratio: Floats) -> Floats:
    known = np.isfinite(log_ratio)
    return np.array([row[k].std(ddof=1) if k.sum() > 1 else np.nan
                     for row, k in zip(log_ratio, known, strict=True)])  # fmt: skip


def _join(parts: Sequence[Sizes]) -> Sizes:
    return {name: np.concatenate([part[name] for part in parts], axis=1) for name in parts[0]}


def _center(log_size: Floats) -> Floats:
    """Return each row around its mean, as much wider as its own mean takes off."""
    known = np.isfinite(log_size)
    n_known = np.maximum(known.sum(axis=1, keepdims=True), 2)
    middle = np.where(known, log_size, 0.0).sum(axis=1, keepdims=True) / n_known
    return np.asarray((log_size - middle) * np.sqrt(n_known / (n_known - 1)))


def _subtract(log_size: Floats, base: Floats) -> Floats:
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(np.isfinite(base), log_size - base, np.nan))
