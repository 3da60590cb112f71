"""Outcomes of simulated people: resampled from a pool, or drawn from a model fitted to it."""

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from trialsim.analysis.random_slope import estimate_growth
from trialsim.analysis.result import Floats
from trialsim.errors import DesignError
from trialsim.simulation.growth import scale_weights, summarize_weighted
from trialsim.simulation.pool import Pool
from trialsim.simulation.streams import Draws


@dataclass(frozen=True)
class SimulatedPeople:
    """Untreated outcomes of simulated people.

    Attributes
    ----------
    outcome
        (n_trials, n_people, n_visits).
    score
        (n_trials, n_people), prognostic score.
    latent_change
        (n_trials, n_people, n_visits), noise-free change from baseline; None when not known.
    """

    outcome: Floats
    score: Floats
    latent_change: Floats | None


@dataclass(frozen=True)
class Expectations:
    """What the outcomes of untreated people are on average.

    Attributes
    ----------
    baseline
        Mean at baseline.
    mean_change, sd_change
        Of the measured change from baseline at each visit, (n_visits,).
    true_change
        Mean change of the true volume at each visit, (n_visits,).
    """

    baseline: float
    mean_change: Floats
    sd_change: Floats
    true_change: Floats


class OutcomeModel(Protocol):
    """Makes people out of chance."""

    @property
    def n_normals(self) -> int:
        """Standard normals a person."""
        ...

    def simulate(self, draws: Draws) -> SimulatedPeople:
        """Return one person for each draw."""
        ...

    def compute_expectations(self) -> Expectations:
        """Return the means of untreated people."""
        ...


class ResamplingModel:
    """Observed trajectories, drawn with replacement."""

    def __init__(self, pool: Pool) -> None:
        # what was measured stays behind: workers elsewhere are sent what they draw
        self._outcome, self._score, self._weights = pool.outcome, pool.score, pool.weights
        self._until, self._true_change = np.cumsum(pool.weights), pool.true_change

    @property
    def n_normals(self) -> int:
        """None: who is drawn decides everything."""
        return 0

    def simulate(self, draws: Draws) -> SimulatedPeople:
        """Return one person of the pool for each draw."""
        who = find_drawn(self._until, draws.person)
        return SimulatedPeople(self._outcome.take(who, axis=0), self._score.take(who), None)

    def compute_expectations(self) -> Expectations:
        """Return the means of untreated people."""
        return self._expectations

    @cached_property
    def _expectations(self) -> Expectations:
        change, weights = self._outcome - self._outcome[:, :1], self._weights
        mean = weights @ change
        change -= mean
        np.square(change, out=change)
        start = float(weights @ self._outcome[:, 0])
        return Expectations(start, mean, np.sqrt(weights @ change), self._true_change)


def find_drawn(until: Floats, share: Floats) -> NDArray[np.intp]:
    """Return the place of the first of running sums that is above a share of the last.

    Of people who stand for equally many it is that share of their number, or beside it: looking
    there is quicker than halving a million sums for each person drawn.
    """
    wanted, last = share * until[-1], len(until) - 1
    found = np.minimum((share * len(until)).astype(np.intp), last)
    found += (until.take(found) <= wanted) & (found < last)
    found -= (until.take(found - 1, mode="wrap") > wanted) & (found > 0)
    # the sums' own rounding decides, as it does where they are searched
    is_below = (found == 0) | (until.take(found - 1, mode="wrap") <= wanted)
    missed = ~(is_below & (until.take(found) > wanted))
    found[missed] = np.searchsorted(until, wanted[missed], side="right")
    return found


@dataclass(frozen=True)
class GrowthModel:
    """Straight lines that differ between people, plus noise.

    y_ij = (b0 + c0 s_i + u_0i) + (b1 + c1 s_i + u_1i) t_j + e_ij with score s, cov(u) = D.

    Attributes
    ----------
    intercept, slope
        b0, b1 (a month).
    score_intercept, score_slope
        c0, c1.
    covariance
        D, (2, 2).
    residual_variance
        Variance of e.
    times
        Months of the visits, (n_visits,).
    scores
        Scores to draw from, mean 0.
    true_change
        Mean change of the true volume at each visit, (n_visits,); that of the lines when None.
        People selected by a measured baseline differ: part of it is error.
    """

    intercept: float
    slope: float
    score_intercept: float
    score_slope: float
    covariance: Floats
    residual_variance: float
    times: Floats
    scores: Floats
    true_change: Floats | None = None

    @property
    def n_normals(self) -> int:
        """Standard normals a person: two random effects, then a noise a visit."""
        return 2 + len(self.times)

    @property
    def total_covariance(self) -> Floats:
        """Covariance of a person's intercept and slope, the score's part included, (2, 2)."""
        loading = np.array([self.score_intercept, self.score_slope])
        return self.covariance + np.outer(loading, loading) * float(np.var(self.scores))

    def simulate(self, draws: Draws) -> SimulatedPeople:
        """Return one person for each draw."""
        score = self.scores[(draws.person * len(self.scores)).astype(np.intp)]
        effects = draws.normal[..., :2] @ _take_root(self.covariance).T
        level = self.intercept + self.score_intercept * score + effects[..., 0]
        slope = self.slope + self.score_slope * score + effects[..., 1]
        change = slope[..., None] * self.times
        noise = np.sqrt(self.residual_variance) * draws.normal[..., 2:]
        return SimulatedPeople(level[..., None] + change + noise, score, change)

    def compute_expectations(self) -> Expectations:
        """Return the means of untreated people."""
        noise = 2 * self.residual_variance * (self.times > 0)
        variance = self.total_covariance[1, 1] * self.times**2 + noise
        change = self.slope * self.times
        true_change = change if self.true_change is None else self.true_change
        return Expectations(self.intercept, change, np.sqrt(variance), true_change)


def fit_growth_model(pool: Pool, times: Floats) -> GrowthModel:
    """Return the growth model fitted to all visits of a pool's people by REML.

    Raises
    ------
    DesignError
        Fewer than 3 visits, or a fit that does not converge.
    """
    if len(times) < 3:
        raise DesignError(
            f"A parametric model of outcomes needs at least 3 visits, got {len(times)}."
        )
    # without a score any column of no meaning keeps the fit solvable; its part is then left out
    column = pool.score if pool.has_score else np.resize([-1.0, 1.0], pool.size)
    predictors = np.column_stack([np.ones(pool.size), column])
    center = float(np.nanmean(pool.observed))
    weights = scale_weights(pool.weights)
    fit = estimate_growth(summarize_weighted(pool.observed - center, predictors, weights), times)
    if not fit.reml.converged[0]:
        raise DesignError("The parametric model of outcomes could not be fitted to the people.")
    d00, d01, d11, residual = fit.terms[0]
    level, slope = fit.reml.beta[0] * ([1.0, float(pool.has_score)])
    return GrowthModel(
        level[0] + center,
        slope[0],
        level[1],
        slope[1],
        np.array([[d00, d01], [d01, d11]]),
        residual,
        times,
        pool.score,
        pool.true_change,
    )


def _take_root(covariance: Floats) -> Floats:
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0)))
