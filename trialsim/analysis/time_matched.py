"""MMRM whose prognostic score is that of each visit (PROCOVA-MMRM)."""

import numpy as np
from numpy.typing import ArrayLike

from trialsim.analysis.covariance import build_unstructured
from trialsim.analysis.em_start import climb_by_em
from trialsim.analysis.inference import StandardError
from trialsim.analysis.inputs import Trials, fit_in_batches, read_trials
from trialsim.analysis.likelihood import MeanModel
from trialsim.analysis.reml import fit_reml
from trialsim.analysis.result import FitResult, Floats, build_result
from trialsim.analysis.sandwich import compute_sandwich
from trialsim.errors import DesignError

_DECREMENT = 1e-6
"""The last step leaves an error of 1e-8 in estimate and standard error, 1e-4 in df."""


def fit_time_matched_mmrm(
    outcome: ArrayLike,
    treatment: ArrayLike,
    visit_times: ArrayLike,
    scores: ArrayLike,
    covariates: ArrayLike | None = None,
    *,
    standard_error: StandardError = "model",
) -> FitResult:
    """Return the treatment difference at the last visit by an MMRM with a score of each visit.

    As `trialsim.analysis.fit_mmrm`; the score of a visit has a coefficient at that visit alone,
    where a covariate has one at every visit. Scores are known at baseline: predictions made then of
    what each visit will bring.

    Parameters
    ----------
    outcome
        (n_trials, n_participants, n_visits), NaN where missing.
    treatment
        0 (control) or 1, (n_participants,) or (n_trials, n_participants).
    visit_times
        (n_visits,), increasing.
    scores
        (n_participants, n_visits) or (n_trials, n_participants, n_visits).
    covariates
        Known at baseline and crossed with visit, (n_participants, q) or (n_trials, n_participants,
        q).
    standard_error
        From the "model", or clustered by participant ("cr0", "cr2").

    Raises
    ------
    DesignError
        Shapes that do not match, an empty arm, a visit that nobody has, a missing score.

    References
    ----------
    Ross et al. 2024 (arXiv 2404.17576).
    """
    y, matched = np.asarray(outcome, dtype=float), np.asarray(scores, dtype=float)
    if matched.shape not in {y.shape, y.shape[1:]}:
        raise DesignError(
            f"scores must have the shape {y.shape} or {y.shape[1:]}, got {matched.shape}."
        )
    trials = read_trials(
        y, treatment, visit_times, _join(covariates, matched, y.shape), min_visits=1
    )
    return fit_in_batches(trials, lambda batch: _fit(batch, standard_error))


def _join(covariates: ArrayLike | None, scores: Floats, shape: tuple[int, ...]) -> Floats:
    scores = scores if scores.ndim == 3 else scores[None]
    if covariates is None:
        return scores
    extra = np.asarray(covariates, dtype=float)
    extra = extra if extra.ndim == 3 else extra[None]
    n_trials = max(len(extra), len(scores))
    parts = [np.broadcast_to(part, (n_trials, *part.shape[1:])) for part in (extra, scores)]
    if parts[0].shape[1] != shape[1]:
        raise DesignError(
            f"covariates must have one row a person ({shape[1]}), got {parts[0].shape[1]}."
        )
    return np.concatenate(parts, axis=2)


def _fit(batch: Trials, standard_error: StandardError) -> FitResult:
    n_visits, p = batch.outcome.shape[2], batch.predictors.shape[2]
    included = np.ones((n_visits, p), dtype=bool)
    included[:, p - n_visits :] = np.eye(n_visits, dtype=bool)
    mean = MeanModel(np.eye(n_visits), included, contrast=(n_visits - 1, 1))
    people, covariance = batch.center(), build_unstructured(n_visits)
    statistics = people.summarize()
    rows, columns = np.tril_indices(n_visits)
    start = climb_by_em(statistics, mean)
    fitted = fit_reml(statistics, mean, covariance, [start[:, rows, columns]], decrement=_DECREMENT)
    variance, df = fitted.variance, fitted.df
    if standard_error != "model":
        variance, df = compute_sandwich(
            people, statistics, mean, covariance, fitted.eta, corrected=standard_error == "cr2"
        )
    return build_result(fitted.estimate, variance, df, fitted.converged)
