"""The random-slope model agrees with statsmodels; singular fits are kept."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from numpy.typing import NDArray

from trialsim.analysis import fit_random_slope
from trialsim.errors import DesignError

Floats = NDArray[np.float64]
TIMES = np.array([0.0, 0.5, 1.0, 1.5, 2.0])


def simulate(
    n_trials: int, n: int, *, slope_sd: float, missing: float = 0.15
) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(20260101)
    arm = (np.arange(n) % 2).astype(float)
    person = rng.normal(size=(n_trials, n, 2)) * [1.0, slope_sd]
    y = person[..., :1] + (person[..., 1:] - 0.5 + 0.2 * arm[:, None]) * TIMES
    y = y + 0.4 * rng.normal(size=y.shape)
    y[rng.random(y.shape) < missing] = np.nan
    return y, arm


def fit_statsmodels(y: Floats, arm: Floats, formula: str) -> tuple[float, float]:
    long = pd.DataFrame(
        {
            "y": y.ravel(),
            "g": np.repeat(arm, len(TIMES)),
            "t": np.tile(TIMES, len(arm)),
            "person": np.repeat(np.arange(len(arm)), len(TIMES)),
        }
    ).dropna()
    model = smf.mixedlm(formula, long, groups="person", re_formula="~t")
    fit = model.fit(reml=True, method="bfgs", gtol=1e-8)
    return fit.params["g:t"], compute_model_se(model, fit)


def compute_model_se(model: Any, fit: Any) -> float:
    """Return sqrt((X'V^-1 X)^-1) at statsmodels' own variances.

    Its `bse` inverts the joint Hessian with the variances, and differs in the fourth digit.
    """
    information = 0.0
    for x, z in zip(model.exog_li, model.exog_re_li, strict=True):
        v = z @ fit.cov_re.to_numpy() @ z.T + fit.scale * np.eye(len(z))
        information = information + x.T @ np.linalg.solve(v, x)
    at = model.exog_names.index("g:t")
    return float(np.sqrt(np.linalg.inv(information)[at, at]))


@pytest.mark.filterwarnings("ignore::statsmodels.tools.sm_exceptions.ConvergenceWarning")
@pytest.mark.parametrize(("formula", "common"), [("y ~ g * t", False), ("y ~ t + g:t", True)])
def test_random_slope_agrees_with_statsmodels(formula: str, common: bool) -> None:
    y, arm = simulate(3, 60, slope_sd=0.6)
    fit = fit_random_slope(y, arm, TIMES, common_baseline=common)
    for k in range(3):
        estimate, se = fit_statsmodels(y[k], arm, formula)
        assert fit.estimate[k] == pytest.approx(estimate, abs=1e-4 * se, rel=1e-4)
        assert fit.se[k] == pytest.approx(se, rel=1e-4)


def test_balanced_random_slope_is_the_t_test_of_each_persons_slope() -> None:
    y, arm = simulate(4, 40, slope_sd=0.6, missing=0.0)
    fit = fit_random_slope(y, arm, TIMES)
    centered = TIMES - TIMES.mean()
    slopes = y @ centered / (centered @ centered)
    control, treated = slopes[:, arm == 0], slopes[:, arm == 1]
    pooled = (control.var(axis=1, ddof=1) + treated.var(axis=1, ddof=1)) / 2
    assert fit.estimate == pytest.approx(treated.mean(axis=1) - control.mean(axis=1))
    assert fit.se == pytest.approx(np.sqrt(pooled * 2 / 20), rel=1e-6)
    assert fit.df == pytest.approx(np.full(4, 38.0), rel=1e-5)


def test_singular_fits_are_kept_flagged_and_hold_their_level() -> None:
    y, arm = simulate(400, 40, slope_sd=0.0)
    fit = fit_random_slope(y, arm, TIMES)
    assert fit.converged.all()
    assert 0.2 < fit.boundary.mean() < 0.9
    z = (fit.estimate - 0.2) / fit.se
    assert abs(z.mean()) < 4 / np.sqrt(400)
    assert z.std() == pytest.approx(1.0, abs=4 / np.sqrt(800))


def test_two_visits_cannot_tell_slopes_from_noise() -> None:
    y, arm = simulate(2, 10, slope_sd=0.5, missing=0.0)
    with pytest.raises(DesignError, match="at least 3 visits, got 2"):
        fit_random_slope(y[:, :, :2], arm, TIMES[:2])
