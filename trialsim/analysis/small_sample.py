"""Degrees of freedom of a mixed model's coefficient, with its variance in small samples.

For a single coefficient Kenward & Roger's scale is 1 and their degrees of freedom are
Satterthwaite's; what they add is a variance that counts the estimation of the covariance.

References
----------
Fai & Cornelius 1996 (J Stat Comput Simul 54:363), Satterthwaite's method for mixed models.
Kenward & Roger 1997 (Biometrics 53:983), equations 2 to 5, for a covariance that is linear in its
terms, whose second derivatives are 0.
"""

from typing import Literal

import numpy as np

from trialsim.analysis.covariance import CovarianceModel, invert_positive_definite
from trialsim.analysis.likelihood import (
    Derivatives,
    MeanModel,
    State,
    join_diagonal,
    trace_pairs,
)
from trialsim.analysis.patterns import PatternStatistics
from trialsim.analysis.result import Flags, Floats
from trialsim.analysis.shared_effects import border

Information = Literal["observed", "expected"]


def compute_df(variance: Floats, gradient: Floats, spread: Floats) -> Floats:
    """Return Satterthwaite's degrees of freedom, 2 v^2 / (g' W g).

    Parameters
    ----------
    variance
        v of the coefficient, (t,).
    gradient
        g, of v by the parameters of the covariance, (t, a).
    spread
        W, covariance of their estimates, (t, a, a).
    """
    with np.errstate(all="ignore"):
        return np.asarray(2 * variance**2 / np.einsum("ta,tab,tb->t", gradient, spread, gradient))


def adjust_variance(
    statistics: PatternStatistics,
    mean: MeanModel,
    covariance: CovarianceModel,
    state: State,
    slopes: Derivatives,
    information: Information,
    vanished: Flags,
) -> tuple[Floats, Floats]:
    """Return Kenward & Roger's variance of the reported coefficient with its degrees of freedom.

    The variance is c'(Phi + 2 Phi sum_ab W_ab (Q_ab - P_a Phi P_b) Phi)c with Phi = (X'V^-1 X)^-1,
    P_a = X'V^-1 V_a V^-1 X, Q_ab = X'V^-1 V_a V^-1 V_b V^-1 X. The variance of a shared effect that
    is 0 (`vanished`, (t, n_shared)) counts as known: the model is then that without it.
    """
    p, at = statistics.n_predictors, mean.reported
    n_trials, n_courses = len(state.beta), mean.courses.shape[1]
    n_terms = slopes.score.shape[1]
    estimated = np.ones((n_trials, n_terms))
    estimated[:, n_terms - vanished.shape[1] :] = ~vanished
    both = estimated[:, :, None] * estimated[:, None, :]
    unknown = getattr(slopes, information) * both + np.eye(n_terms) * (1 - both)
    spread = invert_positive_definite(unknown)[0] * both
    column = state.covariance[:, :, at].reshape(n_trials, 1, n_courses, p)
    reach = state.weighted @ column
    spanned = reach @ statistics.cross[..., :p, :p] @ reach.transpose(0, 1, 3, 2)
    second = join_diagonal(
        [
            trace_pairs(covariance.basis, state.inverse[:, own], spanned[:, own])
            for own in covariance.find_blocks(statistics.block)
        ]
    )
    second -= slopes.carried @ state.covariance @ slopes.carried.transpose(0, 2, 1)
    second = border(second, slopes.spanned)
    variance = state.covariance[:, at, at]
    df = compute_df(variance, slopes.gradient, spread)
    return variance + 2 * np.einsum("tab,tab->t", spread, second), df
