"""The time-matched MMRM is the maximum of the restricted likelihood of its own mean model."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import optimize

from trialsim.analysis import fit_mmrm
from trialsim.analysis.time_matched import fit_time_matched_mmrm
from trialsim.errors import DesignError

Floats = NDArray[np.float64]
TIMES = np.array([6.0, 12.0, 24.0])


def simulate(n_trials: int = 2, n: int = 50) -> tuple[Floats, Floats, Floats, Floats]:
    rng = np.random.default_rng(20260101)
    arm = (np.arange(n) % 2).astype(float)
    score, person = rng.normal(size=(2, n_trials, n, 1))
    base = rng.normal(size=(n_trials, n, 1))
    twin = 0.05 * (score - 1) * TIMES + 0.1 * rng.normal(size=(n_trials, n, 3))
    y = base + twin + 0.03 * person * TIMES + 0.5 * rng.normal(size=(n_trials, n, 3))
    y[rng.exponential(60, size=(n_trials, n))[..., None] < TIMES] = np.nan
    return y, arm, twin, base


def fit_person_by_person(y: Floats, arm: Floats, twin: Floats, base: Floats) -> tuple[float, float]:
    rows = np.tril_indices(3)

    def design(i: int) -> Floats:
        shared = np.kron(np.eye(3), [[1.0, arm[i], base[i, 0]]])
        return np.column_stack([shared, np.diag(twin[i])])

    def solve(entries: Floats) -> tuple[float, Floats, Floats]:
        lower = np.zeros((3, 3))
        lower[rows] = entries
        v = lower @ lower.T
        information, moment, total = 0.0, 0.0, 0.0
        for i in range(len(arm)):
            seen = ~np.isnan(y[i])
            if seen.any():
                part, x = v[np.ix_(seen, seen)], design(i)[seen]
                weight = np.linalg.inv(part)
                information = information + x.T @ weight @ x
                moment = moment + x.T @ weight @ y[i, seen]
                total += y[i, seen] @ weight @ y[i, seen] + np.linalg.slogdet(part)[1]
        beta = np.linalg.solve(information, moment)
        value = total - moment @ beta + np.linalg.slogdet(information)[1]
        return value, beta, np.linalg.inv(information)

    found = optimize.minimize(lambda e: solve(e)[0], np.eye(3)[rows], options={"gtol": 1e-6})
    _, beta, spread = solve(found.x)
    return beta[7], float(np.sqrt(spread[7, 7]))


def test_it_agrees_with_a_person_by_person_reml() -> None:
    y, arm, twin, base = simulate()
    fit = fit_time_matched_mmrm(y, arm, TIMES, twin, base)
    assert fit.converged.all()
    estimate, se = fit_person_by_person(y[0], arm, twin[0], base[0])
    assert fit.estimate[0] == pytest.approx(estimate, abs=1e-4 * se)
    assert fit.se[0] == pytest.approx(se, rel=1e-4)


def test_scores_in_proportion_to_time_are_one_score_crossed_with_visit() -> None:
    y, arm, _, base = simulate()
    score = np.random.default_rng(1).normal(size=(*y.shape[:2], 1))
    matched = fit_time_matched_mmrm(y, arm, TIMES, score * TIMES, base)
    crossed = fit_mmrm(y, arm, TIMES, np.concatenate([base, score], axis=2))
    assert matched.estimate == pytest.approx(crossed.estimate, rel=1e-6)
    assert matched.se == pytest.approx(crossed.se, rel=1e-6)


def test_scores_of_another_shape_are_told() -> None:
    y, arm, twin, base = simulate()
    with pytest.raises(DesignError, match="scores must have the shape"):
        fit_time_matched_mmrm(y, arm, TIMES, twin[..., :2], base)


def test_a_clustered_error_is_that_of_the_mmrm_where_scores_follow_time() -> None:
    y, arm, _, base = simulate()
    score = np.random.default_rng(1).normal(size=(*y.shape[:2], 1))
    matched = fit_time_matched_mmrm(y, arm, TIMES, score * TIMES, base, standard_error="cr2")
    columns = np.concatenate([base, score], axis=2)
    crossed = fit_mmrm(y, arm, TIMES, columns, standard_error="cr2")
    assert matched.se == pytest.approx(crossed.se, rel=1e-4)
    assert matched.df == pytest.approx(crossed.df, rel=1e-3)
