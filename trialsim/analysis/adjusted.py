"""Linear models of one outcome a person, with model-based or robust standard errors."""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike

from trialsim.analysis.covariance import invert_positive_definite
from trialsim.analysis.inputs import Trials, fit_in_batches, read_trials
from trialsim.analysis.result import FitResult, Flags, Floats, build_result
from trialsim.errors import DesignError

StandardError = Literal["model", "robust"]

_ALL: Final = 1 - 1e-6
"""Leverage of whom the line runs through: with more, its square leaves no digits to count in."""


def fit_adjusted(
    response: ArrayLike,
    treatment: ArrayLike,
    covariates: ArrayLike | None = None,
    *,
    n_interacted: int = 0,
    weights: ArrayLike | None = None,
    standard_error: StandardError = "robust",
    workers: int | None = None,
) -> FitResult:
    """Return the treatment difference of a response by a linear model, for many trials at once.

    Without covariates a difference in means, with the response at baseline an ANCOVA, with a
    twin's prediction besides PROCOVA. Interacted covariates are centred on everyone randomized, so
    that the coefficient of the treatment is the mean effect whatever the shape of the truth (Lin
    2013); the robust error then has the sampling error of that mean, which the regression alone
    takes as known.

    Parameters
    ----------
    response
        (n_trials, n_participants), NaN where missing: such people are left out of the model.
    treatment
        0 (control) or 1, (n_participants,) or (n_trials, n_participants).
    covariates
        Known at baseline, (n_participants, q) or (n_trials, n_participants, q).
    n_interacted
        How many of the last covariates are crossed with treatment.
    weights
        Positive, shaped like the response or (n_participants,); the coefficient is then a weighted
        mean effect.
    standard_error
        "model" assumes one variance for everyone and a right model, "robust" is HC2: without
        covariates it is Welch's error of a difference in means. The model's has n - (number of
        coefficients) degrees of freedom, the robust one Bell & McCaffrey's, which are fewer where
        few people carry it, such as a small arm beside a large one. Whom the line runs through,
        such as an arm's only person, the robust one takes to err as the others do.
    workers
        Threads; all cores when None. The result does not depend on it.

    Raises
    ------
    DesignError
        Shapes that do not match, an empty arm, a missing covariate, weights that are not positive.

    References
    ----------
    MacKinnon & White 1985 (J Econom 29:305), HC2. Bell & McCaffrey 2002 (Surv Methodol 28:169);
    Imbens & Kolesar 2016 (Rev Econ Stat 98:701), its degrees of freedom. Lin 2013 (Ann Appl Stat
    7:295), interactions.
    Schuler et al. 2022 (Int J Biostat 18:329), PROCOVA.

    Examples
    --------
    >>> y, arm = [[1.0, 2.0, 3.0, 2.0, 4.0, 6.0]], [0, 0, 0, 1, 1, 1]
    >>> fit = fit_adjusted(y, arm)
    >>> round(float(fit.estimate[0]), 4), round(float(fit.se[0]), 4)
    (2.0, 1.291)
    """
    y = np.asarray(response, dtype=float)
    trials = read_trials(y[..., None], treatment, [0.0], covariates, min_visits=1)
    n_covariates = trials.predictors.shape[2] - 2
    if not 0 <= n_interacted <= n_covariates:
        raise DesignError(
            f"n_interacted must be between 0 and the {n_covariates} covariates, got {n_interacted}."
        )
    w = _read_weights(weights, y)
    # the weights travel as a second visit, so that batches cut both alike
    joined = Trials(np.stack([y, w], axis=-1), trials.predictors, trials.visit_times)

    def fit(batch: Trials) -> FitResult:
        values, own = batch.outcome[..., 0], batch.outcome[..., 1]
        regression = regress(values, _cross(batch.predictors, n_interacted), own)
        variance = _compute_variance(regression, batch.predictors, n_interacted, standard_error)
        df, fine = regression.df, regression.solvable & (regression.df > 0)
        if standard_error == "robust":
            df = regression.compute_robust_df(np.eye(regression.beta.shape[1])[1])
        return build_result(regression.beta[:, 1], variance, df, fine)

    return fit_in_batches(joined, fit, workers)


@dataclass(frozen=True)
class LeastSquares:
    """A weighted least-squares fit of each trial (t) on p columns.

    Attributes
    ----------
    beta
        (t, p).
    bread
        (X'WX)^-1, (t, p, p).
    residual
        (t, n), 0 for people without a response.
    design, weights
        X (t or 1, n, p), W (t, n), 0 for people without a response.
    df
        People used minus p, (t,).
    solvable
        Whether X'WX could be inverted, (t,).
    """

    beta: Floats
    bread: Floats
    residual: Floats
    design: Floats
    weights: Floats
    df: Floats
    solvable: Flags

    def compute_variance(self) -> Floats:
        """Return the variance of errors, (t,), if one (over the weight) holds for everyone."""
        with np.errstate(all="ignore"):
            return np.asarray((self.weights * self.residual**2).sum(axis=1) / self.df)

    def compute_model_covariance(self) -> Floats:
        """Return the covariance of beta if one variance (over the weight) holds for everyone."""
        return np.asarray(self.compute_variance()[:, None, None] * self.bread)

    def compute_robust_covariance(self) -> Floats:
        """Return the HC2 covariance of beta.

        Of whom the line runs through the residual tells nothing: their error has the model's
        variance.
        """
        scale = self.compute_scale()
        told = (self.weights * self.residual) ** 2 * scale
        with np.errstate(all="ignore"):
            assumed = self.weights * self.compute_variance()[:, None]
            meat = self._sum_squares(np.where(scale > 0, told, assumed))
            return np.asarray(self.bread @ meat @ self.bread)

    def compute_robust_df(self, contrast: Floats) -> Floats:
        """Return Bell & McCaffrey's degrees of freedom of the HC2 variance of contrast' beta, (t,).

        Those of the chi-squared distribution with the variance's mean and variance, were errors
        normal with one variance (over the weight).
        """
        # the variance is e' (M D M + c M) e with M = 1 - H and D diagonal, c of whom the line runs
        # through: its trace, and the sum of D_i D_j M_ij^2 without a matrix of people
        with np.errstate(all="ignore"):
            moved = (self.design @ (self.bread @ contrast)[..., None])[..., 0]
            square, scale = self.weights * moved**2, self.compute_scale()
            own = square * scale
            both = self.bread @ self._sum_squares(self.weights * own)
            leverage = np.where(scale > 0, 1 - 1 / scale, 1.0)
            second = (own**2 * (1 - 2 * leverage)).sum(axis=1)
            second += np.einsum("tpq,tqp->t", both, both)
            told, assumed = ((square * kind).sum(axis=1) for kind in (scale > 0, scale == 0))
            second += assumed * (2 * told + assumed) / self.df
            return np.asarray((told + assumed) ** 2 / second)

    def compute_scale(self) -> Floats:
        """Return what HC2 multiplies squared residuals by, (t, n): 1 / (1 - leverage).

        0 for whom the line runs through, to a millionth: their residual tells nothing.
        """
        with np.errstate(all="ignore"):
            leverage = self.weights * np.einsum(
                "tnp,tpq,tnq->tn", *self._broadcast_design(), optimize=True
            )
            return np.where(leverage < _ALL, 1 / (1 - leverage), 0.0)

    def _broadcast_design(self) -> tuple[Floats, Floats, Floats]:
        design = np.broadcast_to(self.design, (len(self.weights), *self.design.shape[1:]))
        return design, self.bread, design

    def _sum_squares(self, square: Floats) -> Floats:
        turned = self.design.transpose(0, 2, 1) * square[:, None, :]
        return np.asarray(turned @ self.design)


def regress(response: Floats, design: Floats, weights: Floats) -> LeastSquares:
    """Return the least-squares fits of (t, n) responses on (t or 1, n, p) columns.

    Parameters
    ----------
    response
        NaN where missing.
    design
        Columns of the regression, (t or 1, n, p).
    weights
        (t, n).
    """
    seen = ~np.isnan(response)
    w = np.where(seen, weights, 0.0)
    y = np.where(seen, response, 0.0)
    turned = design.transpose(0, 2, 1) * w[:, None, :]
    bread, _, solvable = invert_positive_definite(turned @ design)
    with np.errstate(all="ignore"):
        beta = (bread @ (turned @ y[..., None]))[..., 0]
        residual = np.where(seen, y - (design @ beta[..., None])[..., 0], 0.0)
    df = seen.sum(axis=1) - float(design.shape[2])
    return LeastSquares(beta, bread, residual, design, w, df, solvable)


def _cross(predictors: Floats, n_interacted: int) -> Floats:
    """Return the predictors with the last of them times the treatment besides."""
    if not n_interacted:
        return predictors
    crossed = predictors[..., 1:2] * predictors[..., -n_interacted:]
    return np.concatenate([predictors, crossed], axis=2)


def _compute_variance(
    fit: LeastSquares, predictors: Floats, n_interacted: int, standard_error: StandardError
) -> Floats:
    if standard_error == "model":
        return fit.compute_model_covariance()[:, 1, 1]
    variance = fit.compute_robust_covariance()[:, 1, 1]
    if not n_interacted:
        return variance
    centred = predictors[..., -n_interacted:]
    n = centred.shape[1]
    slopes = fit.beta[:, -n_interacted:]
    spread = centred.transpose(0, 2, 1) @ centred / (n - 1)
    return np.asarray(variance + (slopes[:, None] @ spread @ slopes[..., None])[:, 0, 0] / n)


def _read_weights(weights: ArrayLike | None, response: Floats) -> Floats:
    if weights is None:
        return np.ones_like(response)
    w = np.asarray(weights, dtype=float)
    if w.shape not in {response.shape, response.shape[1:]}:
        raise DesignError(
            f"weights must have the shape {response.shape} or {response.shape[1:]}, got {w.shape}."
        )
    if not (np.isfinite(w) & (w > 0)).all():
        raise DesignError("weights must be positive and finite for everyone.")
    # scaled to mean 1, so that the solution does not depend on their unit
    return np.broadcast_to(w / w.mean(axis=-1, keepdims=True), response.shape)
