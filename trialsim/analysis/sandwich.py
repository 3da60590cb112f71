"""Standard errors of a mixed model that do not trust its covariance.

The variance of the reported coefficient c'beta is sum_i (a_i' r_i)^2 over the participants'
residuals r_i. CR0 has a_i = V_i^-1 X_i Phi c with Phi = (X'V^-1 X)^-1; CR2 first divides the
standardized residuals by the root of I - H_i, so that the variance is unbiased where the model's
covariance is right. Of what a participant's own fit leaves nothing of, such as the residual of an
arm's only person, it takes the model's variance.

References
----------
Liang & Zeger 1986 (Biometrika 73:13), CR0.
Bell & McCaffrey 2002 (Survey Methodology 28:169), CR2 with its degrees of freedom.
"""

import numpy as np
from numpy.typing import NDArray

from trialsim.analysis.covariance import CovarianceModel, invert_positive_definite
from trialsim.analysis.inputs import Trials
from trialsim.analysis.likelihood import MeanModel, State, evaluate_likelihood
from trialsim.analysis.patterns import PatternStatistics, find_members
from trialsim.analysis.result import Floats

_SPENT = 1e-6
"""Share of a residual's variance below which a participant's own fit leaves nothing of it."""


def compute_sandwich(
    people: Trials,
    statistics: PatternStatistics,
    mean: MeanModel,
    covariance: CovarianceModel,
    eta: Floats,
    *,
    corrected: bool,
) -> tuple[Floats, Floats]:
    """Return the clustered variance of the reported coefficient with its degrees of freedom.

    Parameters
    ----------
    people
        Those that `statistics` were made of.
    statistics
        Of the trials' patterns of visits.
    mean
        Of the expected outcome.
    covariance
        Of the outcomes of a person.
    eta
        Where the likelihood is highest, (n_trials, n_parameters).
    corrected
        CR2; CR0 otherwise.
    """
    state = evaluate_likelihood(statistics, mean, covariance, eta)
    n_trials, n_courses, p = state.beta.shape
    outcome = people.outcome
    z = np.broadcast_to(people.predictors, (*outcome.shape[:2], p))
    pattern, member = find_members(statistics, outcome, z)
    spread = state.covariance
    column = spread[:, :, mean.reported].reshape(n_trials, n_courses, p)
    with np.errstate(all="ignore"):
        aimed = _take(state.weighted, pattern) @ (z @ column.transpose(0, 2, 1))[..., None]
        assumed = np.zeros(n_trials)
        if corrected:
            aimed, lost = _correct(aimed, z, pattern, statistics, mean, covariance, state, eta)
            assumed = (lost * member).sum(axis=1)
        aimed = aimed[..., 0] * member[..., None]
        fitted = z @ (mean.courses @ state.beta).transpose(0, 2, 1)
        residual = np.where(np.isnan(outcome), 0.0, outcome - fitted)
        variance = (np.einsum("tnv,tnv->tn", aimed, residual) ** 2).sum(axis=1)
        full = covariance.compute_covariances(eta)[:, statistics.block]
        own = np.einsum("tnv,tnvw,tnw->tn", aimed, _take(full, pattern), aimed)
        reached = ((aimed @ mean.courses)[..., None] * z[:, :, None]).reshape(*own.shape, -1)
        shared = np.einsum("tnx,txy,tny->tn", reached, spread, reached)
        overlap = spread @ (reached.transpose(0, 2, 1) @ reached)
        square = (own**2 - 2 * own * shared).sum(axis=1) + np.einsum("txy,tyx->t", overlap, overlap)
        told = (own - shared).sum(axis=1)
        square += assumed * (2 * told + assumed) / (member.sum(axis=1) - p)
        return variance + assumed, (told + assumed) ** 2 / square


def _correct(
    aimed: Floats,
    z: Floats,
    pattern: NDArray[np.intp],
    statistics: PatternStatistics,
    mean: MeanModel,
    covariance: CovarianceModel,
    state: State,
    eta: Floats,
) -> tuple[Floats, Floats]:
    """Return L (I - L'X Phi X'L)^(-1/2) L' X Phi c for each person, with V^-1 = L L'.

    Besides the variance, by the model, of what the root leaves out: (t, n).
    """
    n_trials, n_courses, p = state.beta.shape
    blocks = state.covariance.reshape(n_trials, n_courses, p, n_courses, p)
    # V = C C' and L = C^-T; an unseen visit has a unit variance and no design
    root = _take(_take_root(covariance, eta, statistics), pattern)
    design = mean.courses * statistics.seen[pattern][..., None]
    standard = np.linalg.solve(root, design)
    leverage = np.einsum("tapbq,tnp,tnq->tnab", blocks, z, z, optimize=True)
    left = np.eye(root.shape[-1]) - standard @ leverage @ standard.transpose(0, 1, 3, 2)
    values, vectors = np.linalg.eigh(np.where(np.isfinite(left), left, 0.0))
    scale = np.where(values > _SPENT, 1 / np.sqrt(np.maximum(values, _SPENT)), 0.0)
    inner = root.transpose(0, 1, 3, 2) @ aimed  # L' X Phi c = C' V^-1 X Phi c
    parts = (vectors.transpose(0, 1, 3, 2) @ inner)[..., 0]
    lost = (parts**2 * (scale == 0)).sum(axis=-1)
    turned = vectors @ (scale * parts)[..., None]
    return np.asarray(np.linalg.solve(root.transpose(0, 1, 3, 2), turned)), lost


def _take_root(covariance: CovarianceModel, eta: Floats, statistics: PatternStatistics) -> Floats:
    seen = statistics.seen
    full = covariance.compute_covariances(eta)[:, statistics.block]
    apart = np.eye(seen.shape[1])
    padded = np.where(seen[:, :, None] & seen[:, None, :], full, apart)
    # a trial whose fit failed may have no root, which must not stop the others
    fine = invert_positive_definite(padded)[2]
    return np.asarray(np.linalg.cholesky(np.where(fine[..., None, None], padded, apart)))


def _take(by_pattern: Floats, pattern: NDArray[np.intp]) -> Floats:
    """Return each person's own of (t, k, ...)."""
    return np.asarray(by_pattern[np.arange(len(by_pattern))[:, None], pattern])
