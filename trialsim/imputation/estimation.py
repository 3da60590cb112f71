"""The treatment's effect after imputation, with its standard error."""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from trialsim.analysis.adjusted import regress
from trialsim.analysis.inputs import read_trials
from trialsim.analysis.patterns import summarize
from trialsim.analysis.residuals import estimate_residual_covariance
from trialsim.analysis.result import FitResult, Floats, build_result
from trialsim.errors import DesignError
from trialsim.imputation.imputing import impute
from trialsim.imputation.jackknife import leave_each_out
from trialsim.imputation.model import estimate_imputation_model
from trialsim.imputation.strategies import check_strategy

Variance = Literal["jackknife", "rubin"]


def fit_imputed(
    outcome: ArrayLike,
    treatment: ArrayLike,
    covariates: ArrayLike,
    *,
    strategy: str = "missing_at_random",
    delta: float = 0.0,
    variance: Variance = "jackknife",
    n_imputations: int = 100,
    rng: np.random.Generator | None = None,
) -> FitResult:
    """Return the treatment difference at the last visit after imputation, for each trial.

    An unstructured MMRM is fitted, gaps are filled under the strategy, and the last visit is
    compared by a linear model on everyone. "jackknife" fills gaps with conditional means and
    repeats everything without each person: its error is that of the estimate under the strategy.
    "rubin" draws gaps and parameters (one bootstrap sample each) and pools by Rubin's rules: for
    reference-based strategies its error is too large, because the rules count what the strategy
    borrows from the control arm as if it were new.

    Parameters
    ----------
    outcome
        (n_trials, n_participants, n_visits) after baseline, NaN where missing.
    treatment
        0 (control) or 1, (n_participants,) or (n_trials, n_participants).
    covariates
        Known at baseline, the outcome's own baseline among them: (n_participants, q) or (n_trials,
        n_participants, q).
    strategy
        A name in `trialsim.imputation.strategies.STRATEGIES`.
    delta
        Added to what is imputed for treated people who left.
    variance
        "jackknife" or "rubin".
    n_imputations
        Of "rubin", at least 10.
    rng
        For "rubin".

    Raises
    ------
    DesignError
        Shapes that do not match, an unknown strategy, too few imputations, or no `rng`.

    References
    ----------
    Wolbers et al. 2022 (Pharm Stat 21:1246). Rubin 1987. Barnard & Rubin 1999 (Biometrika 86:948).
    """
    check_strategy(strategy)
    y = np.asarray(outcome, dtype=float)
    trials = read_trials(y, treatment, np.arange(y.shape[-1]), covariates, min_visits=1)
    predictors = np.broadcast_to(trials.predictors, (len(y), *trials.predictors.shape[1:]))
    if variance == "jackknife":
        return leave_each_out(y, predictors, [strategy])[strategy].combine(delta)
    if rng is None or n_imputations < 10:
        raise DesignError(
            f"Rubin's rules need rng and at least 10 imputations, got {n_imputations}."
        )
    parts = [
        _pool(one, z, strategy, delta, n_imputations, rng)
        for one, z in zip(y, predictors, strict=True)
    ]
    estimate, square, df, fine = (np.array(column) for column in zip(*parts, strict=True))
    return build_result(estimate, square, df, fine.astype(bool))


def _compare(last: Floats, predictors: Floats) -> tuple[Floats, Floats]:
    """Return the difference between the arms and its model-based variance, (n_trials,) each."""
    fit = regress(last, predictors, np.ones_like(last))
    return fit.beta[:, 1], fit.compute_model_covariance()[:, 1, 1]


def _pool(
    outcome: Floats,
    predictors: Floats,
    strategy: str,
    delta: float,
    n_imputations: int,
    rng: np.random.Generator,
) -> tuple[float, float, float, bool]:
    who = _resample_by_arm(predictors[:, 1], n_imputations, rng)
    start = estimate_residual_covariance(outcome[None], predictors[None])
    models = estimate_imputation_model(summarize(outcome[who], predictors[who]), start)
    filled = impute(outcome[None], predictors[None], models, strategy=strategy, rng=rng)
    shifted = np.isnan(outcome[:, -1]) & (predictors[:, 1] == 1)
    estimates, within = _compare(filled[..., -1] + delta * shifted, predictors[None])
    used = models.converged
    estimates, within = estimates[used], within[used]
    m = len(estimates)
    if m < 2:
        return np.nan, np.nan, np.nan, False
    between = float(estimates.var(ddof=1)) * (1 + 1 / m)
    total = float(within.mean()) + between
    df = _compute_barnard_rubin_df(between / total, m, len(outcome) - predictors.shape[1])
    return float(estimates.mean()), total, df, m >= 0.9 * n_imputations


def _resample_by_arm(arm: Floats, n_samples: int, rng: np.random.Generator) -> np.ndarray:
    groups = [np.flatnonzero(arm == value) for value in (0, 1)]
    return np.concatenate(
        [group[rng.integers(len(group), size=(n_samples, len(group)))] for group in groups], axis=1
    )


def _compute_barnard_rubin_df(share: float, m: int, complete: float) -> float:
    observed = (complete + 1) / (complete + 3) * complete * (1 - share)
    old = (m - 1) / max(share, 1e-12) ** 2
    return float(old * observed / (old + observed))
