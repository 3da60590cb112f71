"""The effect after imputation of thousands of trials, from their sufficient statistics.

The estimate of `fit_imputed` is linear in the mixed model's differences at the visits, see
`trialsim.imputation.differences`, so that it needs no imputed outcomes, and its error follows from
that of the differences and of the shares of people who left.

References
----------
Wolbers et al. 2022 (Pharm Stat 21:1246), conditional means; their error under the strategy.
"""

from dataclasses import dataclass

import numpy as np

from trialsim.analysis.likelihood import evaluate_likelihood
from trialsim.analysis.mmrm import MmrmFit, estimate_mmrm
from trialsim.analysis.patterns import PatternStatistics
from trialsim.analysis.result import FitResult, Flags, Floats, build_result
from trialsim.imputation.differences import weigh_differences


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
    with_baseline = statistics.seen[:, 0]
    predictors = statistics.cross[:, with_baseline, : baseline + 1, : baseline + 1]
    covariance = fitted.covariance.compute_covariances(fitted.reml.eta)[:, 0]
    effect = weigh_differences(predictors, statistics.seen[with_baseline, 1:], covariance, strategy)
    lost = np.einsum("tkv,tv->tk", effect.lost, differences)
    n_treated = predictors[:, :, 1, 1]
    variance = _vary(lost, n_treated[:, effect.left], n_treated.sum(axis=1))
    variance[0] += np.einsum("ti,tij,tj->t", effect.used, spread, effect.used)
    return ImputedEffect(
        np.einsum("tv,tv->t", effect.used, differences),
        effect.share_imputed,
        variance,
        fitted.reml.df,
        fitted.reml.converged & effect.solvable,
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
