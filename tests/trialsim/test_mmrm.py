"""The unstructured MMRM agrees with a direct maximization of the restricted likelihood."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import optimize

from trialsim.analysis import fit_ancova, fit_mmrm
from trialsim.analysis.covariance import invert_positive_definite
from trialsim.errors import DesignError

Floats = NDArray[np.float64]
TIMES = np.array([0.0, 6.0, 12.0])


def simulate(n_trials: int, n: int, *, rng: np.random.Generator) -> tuple[Floats, Floats]:
    arm = np.arange(n) % 2
    person = rng.normal(size=(n_trials, n, 2)) * [0.5, 0.05]
    noise = 0.5 * rng.normal(size=(n_trials, n, len(TIMES)))
    y = person[..., :1] + (person[..., 1:] - 0.05 + 0.02 * arm[:, None]) * TIMES + noise
    return y, arm.astype(float)


def drop(y: Floats, *, intermittent: float, rng: np.random.Generator) -> Floats:
    y = y.copy()
    y[rng.exponential(scale=25.0, size=y.shape[:2])[..., None] < TIMES] = np.nan
    y[rng.random(y.shape) < intermittent] = np.nan
    return y


class DirectReml:
    """Minus twice the restricted log likelihood, person by person, as textbooks write it."""

    def __init__(self, y: Floats, z: Floats, left_out: list[int]) -> None:
        self.y, self.seen, self.left_out = y, ~np.isnan(y), left_out
        full = [np.kron(np.eye(y.shape[1]), row[None]) for row in z]
        self.designs = [np.delete(design, left_out, axis=1) for design in full]

    def covariance(self, theta: Floats) -> Floats:
        rows, columns = np.tril_indices(self.y.shape[1])
        v = np.zeros((self.y.shape[1],) * 2)
        v[rows, columns] = v[columns, rows] = theta
        return v

    def solve(self, theta: Floats) -> tuple[float, Floats, Floats]:
        v = self.covariance(theta)
        information, moment, total = 0.0, 0.0, 0.0
        for y, seen, design in zip(self.y, self.seen, self.designs, strict=True):
            if seen.any():
                part, x = v[np.ix_(seen, seen)], design[seen]
                weight = np.linalg.inv(part)
                information = information + x.T @ weight @ x
                moment = moment + x.T @ weight @ y[seen]
                total += y[seen] @ weight @ y[seen] + np.linalg.slogdet(part)[1]
        beta = np.linalg.solve(information, moment)
        value = total - moment @ beta + np.linalg.slogdet(information)[1]
        return value, beta, np.linalg.inv(information)

    def fit(self) -> tuple[float, float, float]:
        """Return estimate, se, Satterthwaite df by numerical derivatives."""
        indices = np.tril_indices(self.y.shape[1])

        def from_cholesky(entries: Floats) -> Floats:
            lower = np.zeros((self.y.shape[1],) * 2)
            lower[indices] = entries
            return (lower @ lower.T)[indices]

        start = np.eye(self.y.shape[1])[indices]
        found = optimize.minimize(
            lambda entries: self.solve(from_cholesky(entries))[0], start, options={"gtol": 1e-6}
        )
        theta = from_cholesky(found.x)
        _, beta, spread = self.solve(theta)
        at = len(beta) - 1
        gradient, hessian = self.differentiate(theta, at)
        variance = spread[at, at]
        df = 2 * variance**2 / (gradient @ (2 * np.linalg.inv(hessian)) @ gradient)
        return beta[at], np.sqrt(variance), df

    def differentiate(self, theta: Floats, at: int, h: float = 3e-4) -> tuple[Floats, Floats]:
        steps = h * np.eye(len(theta))
        gradient = np.array(
            [self.solve(theta + s)[2][at, at] - self.solve(theta - s)[2][at, at] for s in steps]
        ) / (2 * h)
        hessian = np.array(
            [
                [
                    self.solve(theta + a + b)[0]
                    - self.solve(theta + a - b)[0]
                    - self.solve(theta - a + b)[0]
                    + self.solve(theta - a - b)[0]
                    for a in steps
                ]
                for b in steps
            ]
        ) / (4 * h**2)
        return gradient, hessian


@pytest.mark.parametrize("intermittent", [pytest.param(0.0, marks=pytest.mark.slow), 0.15])
@pytest.mark.parametrize("common_baseline", [False, True])
def test_mmrm_is_the_maximum_of_the_restricted_likelihood(
    intermittent: float, common_baseline: bool
) -> None:
    rng = np.random.default_rng(20260101)
    y, arm = simulate(2, 40, rng=rng)
    y = drop(y, intermittent=intermittent, rng=rng)
    fit = fit_mmrm(y, arm, TIMES, common_baseline=common_baseline)
    z = np.column_stack([np.ones_like(arm), arm])
    left_out = [1] if common_baseline else []
    for k in range(2):
        estimate, se, df = DirectReml(y[k], z, left_out).fit()
        assert fit.estimate[k] == pytest.approx(estimate, abs=1e-5 * se)
        assert fit.se[k] == pytest.approx(se, rel=1e-5)
        assert fit.df[k] == pytest.approx(df, rel=1e-3)


def test_mmrm_crosses_covariates_with_visit() -> None:
    rng = np.random.default_rng(20260101)
    y, arm = simulate(1, 40, rng=rng)
    covariate = y[0, :, :1] * 0.3 + rng.normal(size=(40, 1))
    y = drop(y, intermittent=0.0, rng=rng)
    fit = fit_mmrm(y, arm, TIMES, covariate)
    z = np.column_stack([np.ones_like(arm), covariate, arm])
    estimate, se, df = DirectReml(y[0], z, []).fit()
    assert fit.estimate[0] == pytest.approx(estimate, abs=1e-5 * se)
    assert fit.se[0] == pytest.approx(se, rel=1e-5)
    assert fit.df[0] == pytest.approx(df, rel=1e-3)


def test_mmrm_without_missing_visits_is_the_two_sample_t_test() -> None:
    y, arm = simulate(5, 30, rng=np.random.default_rng(20260101))
    fit = fit_mmrm(y, arm, TIMES)
    last = y[:, :, -1]
    difference = last[:, arm == 1].mean(axis=1) - last[:, arm == 0].mean(axis=1)
    assert fit.estimate == pytest.approx(difference)
    assert fit.df == pytest.approx(np.full(5, 28.0))


def test_mmrm_adjusted_for_baseline_without_missing_visits_is_ancova() -> None:
    y, arm = simulate(5, 30, rng=np.random.default_rng(20260101))
    fit = fit_mmrm(y[:, :, 1:], arm, TIMES[1:], covariates=y[:, :, :1])
    expected = fit_ancova(y, arm, TIMES)
    assert fit.estimate == pytest.approx(expected.estimate)
    assert fit.se == pytest.approx(expected.se)
    assert fit.df == pytest.approx(expected.df)


def test_mmrm_does_not_depend_on_units_or_offset() -> None:
    rng = np.random.default_rng(20260101)
    y, arm = simulate(20, 30, rng=rng)
    y = drop(y, intermittent=0.05, rng=rng)
    fit, scaled = fit_mmrm(y, arm, TIMES), fit_mmrm(3000 + 100 * y, arm, TIMES / 12)
    assert scaled.estimate == pytest.approx(100 * fit.estimate, rel=1e-6, abs=1e-5)
    assert scaled.p_value == pytest.approx(fit.p_value, rel=1e-5)


def test_each_trial_is_fitted_as_if_alone() -> None:
    rng = np.random.default_rng(20260101)
    y, arm = simulate(12, 40, rng=rng)
    y = drop(y, intermittent=0.1, rng=rng)
    together = fit_mmrm(y, arm, TIMES)
    alone = np.array([fit_mmrm(y[[k]], arm, TIMES).estimate[0] for k in range(12)])
    assert together.estimate == pytest.approx(alone, rel=1e-9)


def test_a_trial_that_cannot_be_fitted_is_marked_and_leaves_the_others_alone() -> None:
    y, arm = simulate(3, 30, rng=np.random.default_rng(20260101))
    y[1, arm == 1, -1] = np.nan
    y[2] = 7.0
    fit = fit_mmrm(y, arm, TIMES)
    assert fit.converged.tolist() == [True, False, False]
    assert np.isnan(fit.p_value).tolist() == [False, True, True]


GOOD = np.zeros((2, 4, 3))
ARM = np.array([0, 1, 0, 1])
EMPTY_VISIT = np.where(np.arange(3) == 1, np.nan, GOOD)


@pytest.mark.parametrize(
    ("outcome", "treatment", "times", "covariates", "words"),
    [
        (GOOD[0], ARM, TIMES, None, "outcome must have the shape"),
        (GOOD, ARM[:3], TIMES, None, "treatment must have the shape"),
        (GOOD, ARM + 1, TIMES, None, "0 .control. or 1"),
        (GOOD, ARM * 0, TIMES, None, "empty arm"),
        (GOOD, ARM, TIMES[:2], None, "one time a visit"),
        (GOOD, ARM, TIMES[::-1], None, "must increase"),
        (EMPTY_VISIT, ARM, TIMES, None, "Nobody has an outcome at the visit at time 6"),
        (GOOD + np.inf, ARM, TIMES, None, "infinite"),
        (GOOD, ARM, TIMES, np.ones((3, 1)), "covariates must have the shape"),
        (GOOD, ARM, TIMES, np.full((4, 1), np.nan), "known for everyone"),
    ],
)
def test_bad_trials_are_refused_in_one_sentence(
    outcome: Floats, treatment: Floats, times: Floats, covariates: Floats | None, words: str
) -> None:
    with pytest.raises(DesignError, match=words):
        fit_mmrm(outcome, treatment, times, covariates)


def test_one_matrix_is_inverted_and_stays_as_it_was() -> None:
    matrix = np.array([[[4.0, 1.0], [1.0, 3.0]]])
    before = matrix.copy()
    inverse, log_determinant, fine = invert_positive_definite(matrix)
    assert matrix.tolist() == before.tolist()
    assert inverse[0] == pytest.approx(np.linalg.inv(before[0]))
    assert log_determinant[0] == pytest.approx(np.log(11.0))
    assert fine.all()
