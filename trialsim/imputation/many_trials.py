"""The effect after imputation of thousands of trials, from their sufficient statistics.

Filling gaps with conditional means and comparing the last visit by a linear model on everyone is a
linear function of the mixed model's differences at the visits: people who stayed, and those who are
imputed at random missingness, have the model's difference at the last visit; those who left after a
pattern of visits have what their strategy keeps of the differences so far. So the estimate of
`fit_imputed` needs no imputed outcomes, and its error follows from that of the differences and of
the shares of people who left.

References
----------
White, Royes & Best 2020 (J Biopharm Stat 30:334), causal model of reference-based imputation.
Wolbers et al. 2022 (Pharm Stat 21:1246), conditional means; their error under the strategy.
"""

from dataclasses import dataclass

import numpy as np

from trialsim.analysis.covariance import invert_positive_definite
from trialsim.analysis.likelihood import evaluate_likelihood
from trialsim.analysis.mmrm import MmrmFit, estimate_mmrm
from trialsim.analysis.patterns import PatternStatistics
from trialsim.analysis.result import FitResult, Flags, Floats, build_result
from trialsim.imputation.imputing import condition
from trialsim.imputation.strategies import build_courses


def fit_imputed_statistics(
    statistics: PatternStatistics, *, strategy: str, delta: float = 0.0
) -> FitResult:
    """Return the treatment difference at the last visit after imputation, for each trial.

    The estimate is that of `fit_imputed`, the standard error the delta method's, which takes who
    left as random; degrees of freedom are those of the mixed model.

    Parameters
    ----------
    statistics
        The predictors are the intercept, the treatment, then covariates; the first visit is the
        baseline.
    strategy
        A name in `trialsim.imputation.STRATEGIES`.
    delta
        Added to what is imputed for treated people who left.
    """
    return estimate_imputed(statistics, strategy).combine(delta)


@dataclass(frozen=True)
class ImputedEffect:
    """The effects of many trials as functions of delta.

    Attributes
    ----------
    estimate
        At delta 0, (n_trials,).
    share_imputed
        What delta = 1 adds to it, (n_trials,).
    variance
        Coefficients of 1, delta, delta^2 in the variance, (3, n_trials).
    df
        Degrees of freedom, (n_trials,).
    converged, boundary
        Of the mixed model, (n_trials,).
    """

    estimate: Floats
    share_imputed: Floats
    variance: Floats
    df: Floats
    converged: Flags
    boundary: Flags

    def combine(self, delta: float) -> FitResult:
        """Return the effects at one delta."""
        variance = self.variance[0] + delta * self.variance[1] + delta**2 * self.variance[2]
        estimate = self.estimate + delta * self.share_imputed
        return build_result(estimate, variance, self.df, self.converged, self.boundary)


def estimate_imputed(statistics: PatternStatistics, strategy: str) -> ImputedEffect:
    """Return the effect of each trial after imputation, at any delta."""
    baseline = statistics.n_predictors
    fitted = estimate_mmrm(statistics.use_baseline_as_predictor())
    differences, spread = _take_differences(fitted, statistics)
    last = differences.shape[1] - 1
    left = statistics.seen[:, 0] & ~statistics.seen[:, -1]
    kept = _keep(fitted, statistics.seen[left, 1:], strategy)
    with_baseline = statistics.seen[:, 0]
    predictors = statistics.cross[:, :, : baseline + 1, : baseline + 1]
    inverse, _, solvable = invert_positive_definite(predictors[:, with_baseline].sum(axis=1))
    # the treatment's coefficient in a regression of "treated and left after this pattern"
    weight = np.einsum("tp,tkp->tk", inverse[:, 1], predictors[:, left, 1])
    own = np.eye(last + 1)[last]
    used = own - np.einsum("tk,tkv->tv", weight, own - kept)
    lost = np.einsum("tkv,tv->tk", kept - own, differences)
    n_left = predictors[:, left, 1, 1]
    n_treated = predictors[:, with_baseline, 1, 1].sum(axis=1)
    variance = _vary(lost, n_left, n_treated)
    variance[0] += np.einsum("ti,tij,tj->t", used, spread, used)
    return ImputedEffect(
        np.einsum("tv,tv->t", used, differences),
        weight.sum(axis=1),
        variance,
        fitted.reml.df,
        fitted.reml.converged & solvable,
        fitted.boundary,
    )


def _take_differences(fitted: MmrmFit, statistics: PatternStatistics) -> tuple[Floats, Floats]:
    """Return the differences between the arms at the visits with their covariance."""
    state = evaluate_likelihood(
        statistics.use_baseline_as_predictor(), fitted.mean, fitted.covariance, fitted.reml.eta
    )
    n_visits, p = fitted.mean.included.shape
    places = np.arange(n_visits) * p + 1
    return state.beta[..., 1], state.covariance[:, places[:, None], places[None, :]]


def _keep(fitted: MmrmFit, seen: Flags, strategy: str) -> Floats:
    """Return what each difference adds to the last imputed outcome, (n_trials, n_left, n_visits).

    Parameters
    ----------
    fitted
        The mixed model.
    seen
        Patterns of visits after baseline of people who left, (n_left, n_visits).
    strategy
        A name in `trialsim.imputation.STRATEGIES`.
    """
    n_left, n_visits = seen.shape
    # a unit difference at one visit at a time: every strategy is linear in them
    own = np.broadcast_to(np.eye(n_visits), (n_left, n_visits, n_visits))
    last_seen = np.where(seen, np.arange(n_visits), -1).max(axis=1, initial=-1)
    after = np.broadcast_to(last_seen[:, None], (n_left, n_visits))
    course = build_courses(own, np.zeros_like(own), after, strategy)
    covariance = fitted.covariance.compute_covariances(fitted.reml.eta)[:, 0]
    carry = [condition(covariance, has)[0][:, -1] for has in seen]
    carried = np.stack(carry, axis=1) if carry else np.empty((len(covariance), 0, n_visits))
    off = np.where(seen[:, None, :], own - course, 0.0)
    return np.asarray(course[None, ..., -1] + np.einsum("kvj,tkj->tkv", off, carried))


def _vary(lost: Floats, n_left: Floats, n_treated: Floats) -> Floats:
    """Return the variance of a treated mean of `lost + delta` over those who left, 0 elsewhere.

    Coefficients of 1, delta, delta^2, (3, n_trials).
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        share = n_left / n_treated[:, None]
        mean, gone = (share * lost).sum(axis=1), share.sum(axis=1)
        square = (share * lost**2).sum(axis=1)
        scale = 1 / (n_treated - 1)
    return np.asarray(
        [(square - mean**2) * scale, 2 * (mean - mean * gone) * scale, (gone - gone**2) * scale]
    )
