"""Restricted maximum likelihood by Newton's method, for many trials at once.

Steps use the exact observed information where it is positive definite and the expected information
elsewhere, and are halved until the likelihood rises. A fit is accepted only at a maximum.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trialsim.analysis.covariance import CovarianceModel, invert_positive_definite
from trialsim.analysis.likelihood import (
    Derivatives,
    MeanModel,
    differentiate,
    evaluate_likelihood,
)
from trialsim.analysis.patterns import PatternStatistics
from trialsim.analysis.result import Flags, Floats, take_trials
from trialsim.analysis.small_sample import Information, adjust_variance, compute_df

_MAX_ITERATIONS = 100
_DECREMENT = 1e-9
"""Newton decrement below which a fit is accepted: its last step leaves an error of its square."""
_ROUNDING = 1e-7
"""Fall of a log likelihood that may be rounding."""
_SAME = 1e-6
"""Difference of log likelihoods below which two maxima are the same one."""


@dataclass(frozen=True)
class RemlFit:
    """Estimates of each trial (t); those of a trial that has not converged mean nothing.

    Attributes
    ----------
    eta
        (t, n_parameters), the highest value tried where no maximum was found.
    beta
        (t, m, p).
    estimate, variance, df
        The reported coefficient, its model-based variance, its degrees of freedom, (t,).
    log_likelihood
        (t,).
    converged
        (t,), True at a maximum: Newton's decrement lay in [0, 1e-9) and the observed information
        was positive definite before the last step.
    """

    eta: Floats
    beta: Floats
    estimate: Floats
    variance: Floats
    df: Floats
    log_likelihood: Floats
    converged: Flags

    def put(self, trials: NDArray[np.intp], other: "RemlFit") -> None:
        """Replace the fits of some trials."""
        for name in RemlFit.__dataclass_fields__:
            getattr(self, name)[trials] = getattr(other, name)

    def improve(self, trials: NDArray[np.intp], other: "RemlFit") -> None:
        """Replace the fits of those trials for which `other` has a higher maximum."""
        rises = other.log_likelihood > self.log_likelihood[trials] + _SAME
        better = other.converged & (rises | ~self.converged[trials])
        self.put(trials[better], take_trials(other, better))


def fit_reml(
    statistics: PatternStatistics,
    mean: MeanModel,
    covariance: CovarianceModel,
    starts: Sequence[Floats],
    *,
    fragile: Flags | None = None,
    kenward_roger: Information | None = None,
    decrement: float = _DECREMENT,
) -> RemlFit:
    """Return the REML fit of each trial.

    Parameters
    ----------
    statistics
        Of the trials' patterns of visits.
    mean
        Of the expected outcome.
    covariance
        Of the outcomes of a person.
    starts
        First values of eta, (n_trials, n_parameters) each. The later ones are for trials in which
        the earlier led to no maximum.
    fragile
        Trials that may have several maxima, (n_trials,): they are fitted from every start, and the
        highest maximum is taken.
    kenward_roger
        Information that Kenward & Roger's adjustment uses; without it variances are not adjusted.
    decrement
        Newton's decrement below which a fit is accepted.
    """
    first, *others = starts
    fit = _fit(statistics, mean, covariance, first, kenward_roger, decrement)
    for start in others:
        again = ~fit.converged if fragile is None else ~fit.converged | fragile
        if again.any():
            part = statistics.select(again)
            other = _fit(part, mean, covariance, start[again], kenward_roger, decrement)
            fit.improve(np.flatnonzero(again), other)
    return fit


def _fit(
    statistics: PatternStatistics,
    mean: MeanModel,
    covariance: CovarianceModel,
    start: Floats,
    kenward_roger: Information | None,
    decrement: float,
) -> RemlFit:
    """Climb from `start`; trials drop out as they come to a maximum."""
    fit = _prepare(start, mean)
    eta, step = fit.eta, np.zeros_like(start)
    active = np.arange(len(start))
    for _ in range(_MAX_ITERATIONS):
        part = statistics.select(active)
        state = evaluate_likelihood(part, mean, covariance, eta[active] + step[active])
        rises = state.log_likelihood >= fit.log_likelihood[active] - _ROUNDING
        rises &= np.isfinite(state.log_likelihood)
        if not rises.all():
            step[active[~rises]] /= 2
            part, state = part.select(rises), take_trials(state, rises)
        going = np.abs(step[active]).max(axis=1) > 0
        good = active[rises]
        if good.size:
            eta[good] += step[good]
            fit.log_likelihood[good] = state.log_likelihood
            slopes = differentiate(part, mean, covariance, state)
            newton = _compute_step(covariance, eta[good], slopes)
            step[good] = newton.step
            top = newton.concave & (newton.decrement >= 0) & (newton.decrement < decrement)
            going[rises] = ~top
            if top.any():
                found = _conclude(
                    part.select(top),
                    mean,
                    covariance,
                    eta[good[top]],
                    take_trials(slopes, top),
                    take_trials(newton, top),
                    kenward_roger,
                )
                fit.put(good[top], found)
        active = active[going]
        if not active.size:
            break
    return fit


def _prepare(start: Floats, mean: MeanModel) -> RemlFit:
    n_trials = len(start)
    unknown = np.full((3, n_trials), np.nan)
    beta = np.full((n_trials, *mean.included.shape), np.nan)
    low = np.full(n_trials, -np.inf)
    return RemlFit(
        start.copy(), beta, unknown[0], unknown[1], unknown[2], low, np.zeros(n_trials, dtype=bool)
    )


def _conclude(
    statistics: PatternStatistics,
    mean: MeanModel,
    covariance: CovarianceModel,
    eta: Floats,
    slopes: Derivatives,
    newton: "_Step",
    kenward_roger: Information | None,
) -> RemlFit:
    """Take the last step and return the fit there, with degrees of freedom of the step before."""
    top = eta + newton.step
    state = evaluate_likelihood(statistics, mean, covariance, top)
    variance = state.covariance[:, mean.reported, mean.reported]
    if kenward_roger is None:
        df = compute_df(variance, newton.gradient, newton.inverse)
    else:
        variance, df = adjust_variance(
            statistics,
            mean,
            covariance,
            state,
            slopes,
            kenward_roger,
            covariance.find_vanished(top),
        )
    estimate = state.beta.reshape(len(eta), -1)[:, mean.reported]
    converged = np.isfinite(state.log_likelihood)
    return RemlFit(top, state.beta, estimate, variance, df, state.log_likelihood, converged)


@dataclass(frozen=True)
class _Step:
    """Newton's step in eta, its decrement, and what it was made from."""

    step: Floats
    decrement: Floats
    gradient: Floats  # of the reported variance
    inverse: Floats  # of the information used
    concave: Flags  # whether that is the observed one


def _compute_step(covariance: CovarianceModel, eta: Floats, slopes: Derivatives) -> _Step:
    jacobian = covariance.compute_jacobian(eta)
    back = jacobian.transpose(0, 2, 1)
    score = (back @ slopes.score[..., None])[..., 0]
    gradient = (back @ slopes.gradient[..., None])[..., 0]
    bend = np.einsum("ta,aij->tij", slopes.score, covariance.curvature)
    inverse, _, concave = invert_positive_definite(back @ slopes.observed @ jacobian - bend)
    if not concave.all():
        rest = ~concave
        expected = back[rest] @ slopes.expected[rest] @ jacobian[rest]
        inverse[rest] = invert_positive_definite(expected + _keep_positive(-bend[rest]))[0]
    with np.errstate(all="ignore"):
        step = (inverse @ score[..., None])[..., 0]
        decrement = np.einsum("ti,ti->t", step, score)
    return _Step(step, decrement, gradient, inverse, concave)


def _keep_positive(matrices: Floats) -> Floats:
    """Return symmetric matrices, (t, a, a), without their negative eigenvalues."""
    if not matrices.any():
        return matrices
    values, vectors = np.linalg.eigh(matrices)
    return np.asarray((vectors * np.maximum(values, 0.0)[:, None]) @ vectors.transpose(0, 2, 1))
