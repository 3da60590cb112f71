"""The model that outcomes are imputed from: arm means and a covariance of the visits."""

from dataclasses import dataclass

import numpy as np

from trialsim.analysis.covariance import build_unstructured
from trialsim.analysis.likelihood import MeanModel
from trialsim.analysis.patterns import PatternStatistics
from trialsim.analysis.reml import fit_reml
from trialsim.analysis.result import Flags, Floats


@dataclass(frozen=True)
class ImputationModel:
    """An unstructured MMRM of each trial.

    Attributes
    ----------
    coefficients
        (n_trials, n_visits, p): of intercept, treatment, covariates at each visit.
    covariance
        (n_trials, n_visits, n_visits), the same in both arms.
    converged
        (n_trials,).
    """

    coefficients: Floats
    covariance: Floats
    converged: Flags

    def compute_means(self, predictors: Floats) -> Floats:
        """Return the mean course of each person, (n_trials, n_people, n_visits)."""
        return np.asarray(predictors @ self.coefficients.transpose(0, 2, 1))

    def compute_reference_means(self, predictors: Floats) -> Floats:
        """Return the mean course that each person would have in control."""
        reference = predictors.copy()
        reference[..., 1] = 0.0
        return self.compute_means(reference)


def estimate_imputation_model(statistics: PatternStatistics, start: Floats) -> ImputationModel:
    """Return the model of each trial by REML, from everyone seen after baseline.

    Parameters
    ----------
    statistics
        Of outcomes after baseline; the predictors are 1, treatment, then covariates with the
        baseline among them.
    start
        First covariance, (n_trials or 1, n_visits, n_visits).
    """
    n_visits = statistics.n_visits
    rows, columns = np.tril_indices(n_visits)
    eta = np.broadcast_to(start[:, rows, columns], (len(statistics.counts), len(rows)))
    mean = MeanModel(
        np.eye(n_visits),
        np.ones((n_visits, statistics.n_predictors), dtype=bool),
        contrast=(n_visits - 1, 1),
    )
    covariance = build_unstructured(n_visits)
    fit = fit_reml(statistics, mean, covariance, [eta])
    full = np.einsum("ta,aij->tij", fit.eta, covariance.basis)
    return ImputationModel(fit.beta, full, fit.converged)
