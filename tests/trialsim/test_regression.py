"""Change score and ANCOVA agree with ordinary least squares on the people who have both visits."""

import numpy as np
import pytest
import statsmodels.api as sm
from numpy.typing import NDArray

from trialsim.analysis import fit_ancova, fit_change

Floats = NDArray[np.float64]
TIMES = np.array([0.0, 12.0, 24.0])


def simulate() -> tuple[Floats, Floats, Floats]:
    rng = np.random.default_rng(20260101)
    baseline = 3000 + 400 * rng.normal(size=(4, 50, 1))
    score = rng.normal(size=(4, 50, 1))
    y = baseline - 3 * TIMES - 10 * score + 30 * rng.normal(size=(4, 50, 3))
    y[rng.random(y.shape) < 0.1] = np.nan
    return y, rng.integers(0, 2, size=(4, 50)).astype(float), score


@pytest.mark.parametrize("with_score", [False, True])
@pytest.mark.parametrize("adjusted", [False, True])
def test_estimates_agree_with_statsmodels(adjusted: bool, with_score: bool) -> None:
    y, arm, score = simulate()
    covariates = score if with_score else None
    fit = (fit_ancova if adjusted else fit_change)(y, arm, TIMES, covariates)
    for k in range(len(y)):
        columns = [np.ones(50), arm[k]] + [score[k, :, 0]] * with_score + [y[k, :, 0]] * adjusted
        change = y[k, :, 2] - y[k, :, 0]
        ols = sm.OLS(change, np.column_stack(columns), missing="drop").fit()
        assert fit.estimate[k] == pytest.approx(ols.params[1], rel=1e-8)
        assert fit.se[k] == pytest.approx(ols.bse[1], rel=1e-8)
        assert fit.df[k] == ols.df_resid
        assert fit.p_value[k] == pytest.approx(ols.pvalues[1], rel=1e-8)
