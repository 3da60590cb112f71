"""The sizes of all candidates in many weighted samples of the screened people at once."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from trialsim.analyses import ANALYSES
from trialsim.analysis.result import Floats
from trialsim.analytic.cutoffs import count_selected
from trialsim.comparison.candidates import EVERYONE, Candidate
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
    RankedWeights,
    TargetSample,
    center_score,
    repeat_rows,
)
from trialsim.comparison.screened import Screened
from trialsim.comparison.transport import compute_selected_moments, transport
from trialsim.design import TrialDesign
from trialsim.simulation.effects import compute_normal_change

Sizes = dict[str, Floats]
"""Analysis -> ln of the size, (n_candidates, n_samples)."""


class SampledSizes:
    """The sizes of all candidates in weighted samples of the screened people.

    Parameters
    ----------
    screened
        The people.
    candidates
        Strategies at their fractions.
    design
        The trial's.
    order
        Positions of the people, in the order in which they are looked at where scores are tied.
    copies
        How many people each stands for.

    Attributes
    ----------
    effective_sizes
        Effective number of people in the pool, (n_candidates,).
    """

    def __init__(
        self,
        screened: Screened,
        candidates: Sequence[Candidate],
        design: TrialDesign,
        order: NDArray[np.intp],
        *,
        copies: float = 1.0,
    ) -> None:
        self.screened, self.candidates, self.design = screened, candidates, design
        # chance decides ties once
        self.order, self.copies = order, copies
        one_each = np.ones((1, len(screened.outcome)))
        self.everyone = self._weigh(one_each, None)
        self.base: list[Floats] = [np.empty(0)] * len(candidates)
        for row, weights, _ in self._select_each(self.everyone, {}, None):
            self.base[row] = weights
        self.effective_sizes = copies * np.array(
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
        own = self._take_moments(EVERYONE, everyone)
        normal, expectation = self._estimate_normal(everyone[EVERYONE], own), EVERYONE
        sizes = {
            name: np.full((len(self.candidates), n_samples), np.nan)
            for name in self.design.analyses
        }
        for row, weights, score in self._select_each(everyone, scores, target):
            candidate = self.candidates[row]
            if candidate.expectation != expectation:
                # one after the other: what each person adds in each sample is by far the most
                del own
                expectation = candidate.expectation
                own = self._take_moments(expectation, everyone)
            prognostic = self._get_prognostic(candidate, score)
            moments = compute_moments(own, weights, center_score(prognostic))
            moments = self._transport(moments, candidate, own, weights, prognostic, target)
            covariance = moments.get_covariance()
            for _ in range(widenings):
                covariance = widen_covariance(covariance, self.effective_sizes[row])
            for name in self._list_analyses(candidate):
                preventable = moments.change - normal
                sizes[name][row] = compute_log_sizes(name, preventable, covariance, self.design)
        return sizes

    def _take_moments(self, expectation: str, everyone: dict[str, Floats]) -> PersonMoments:
        expected = self.screened.expected[expectation]
        return PersonMoments.take(expected, self.screened.was_seen, everyone[expectation])

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
        people = {name: self._take_moments(name, self.everyone) for name in self.screened.expected}
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
                freedom[name][row] = self.copies * compute_freedom(
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

    def _select_each(
        self, everyone: dict[str, Floats], scores: dict[str, Floats], again: TargetSample | None
    ) -> Iterator[tuple[int, Floats, Floats]]:
        """Yield each candidate's place, the weights of the people enrolled, everyone's score.

        The weights are (n_samples, n_people). Those who expect the same come one after the other,
        and those who rank people alike share the ranking.
        """
        for name in self.screened.expected:
            ranked: RankedWeights | None = None
            for row, candidate in enumerate(self.candidates):
                if candidate.expectation != name:
                    continue
                score = scores.get(candidate.strategy, self.screened.scores[candidate.strategy])
                if ranked is None and name != EVERYONE and self.screened.target is None:
                    ranked = RankedWeights.by(everyone[name], score, self.order)
                yield row, self._select(candidate, everyone, score, ranked, again), score

    def _select(
        self,
        candidate: Candidate,
        everyone: dict[str, Floats],
        score: Floats,
        ranked: RankedWeights | None,
        again: TargetSample | None,
    ) -> Floats:
        """Return the weight of each person among those enrolled, (n_samples, n_people)."""
        weights, target = everyone[candidate.expectation], self.screened.target
        if candidate.expectation != EVERYONE and target is not None:
            counts = np.ones((1, target.size)) if again is None else again.counts
            own = target.scores[candidate.strategy]
            own = own if again is None else again.scores.get(candidate.strategy, own)
            fraction = candidate.fraction_enrolled
            weights = weights * target.find_cutoffs(fraction, counts, own).admit(score)
        elif ranked is not None:
            n_people = weights.shape[1]
            share = count_selected(candidate.fraction_enrolled, n_people) / n_people
            weights = ranked.take_top(share)
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
