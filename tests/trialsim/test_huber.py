"""Many weighted Huber regressions at once are those that scikit-learn fits one by one."""

import numpy as np
import pytest
from sklearn.linear_model import HuberRegressor

from trialsim.enrichment.strategies import huber
from trialsim.enrichment.strategies.huber import fit_huber


def test_lines_are_those_of_scikit_learn(rng: np.random.Generator) -> None:
    n_people, scale = 80, np.array([1.0, 100.0, 1e5])
    features = rng.normal(size=(n_people, 3)) * scale + [0, 0, 1e6]
    outcome = features @ (np.array([1.0, -2.0, 0.5]) / scale) + rng.standard_t(2, size=n_people)
    counts = rng.multinomial(n_people, np.full(n_people, 1 / n_people), size=3).astype(float)
    found = fit_huber(features, outcome, counts)
    standard = (features - features.mean(axis=0)) / features.std(axis=0)
    for k, weight in enumerate(counts):
        middle = np.average(outcome, weights=weight)
        spread = np.sqrt(np.average((outcome - middle) ** 2, weights=weight))
        model = HuberRegressor(max_iter=5000, tol=1e-9)
        model.fit(standard, (outcome - middle) / spread, sample_weight=weight)
        slopes = found.coefficients[k] * features.std(axis=0) / spread
        assert slopes == pytest.approx(model.coef_, abs=1e-4)
        expected = middle + spread * model.predict(standard)
        assert found.predict(features)[k] == pytest.approx(expected, abs=1e-3)


def test_a_person_of_weight_0_moves_nothing(rng: np.random.Generator) -> None:
    features, outcome = rng.normal(size=(30, 2)), rng.normal(size=30)
    weights = np.ones((1, 30))
    weights[0, 4] = 0
    before = fit_huber(features, outcome, weights).predict(features)
    outcome[4] += 1000
    assert (fit_huber(features, outcome, weights).predict(features) == before).all()


def test_an_outlier_counts_less_than_in_least_squares(rng: np.random.Generator) -> None:
    x = np.arange(20.0)[:, None]
    y = 2 * x[:, 0] + rng.normal(size=20)
    y[19] += 200
    slope = fit_huber(x, y, np.ones((1, 20))).coefficients[0, 0]
    assert abs(slope - 2) < 0.2 < abs(np.polyfit(x[:, 0], y, 1)[0] - 2)


def test_how_far_off_an_outlier_is_moves_nothing(rng: np.random.Generator) -> None:
    x = rng.normal(size=(100, 4))
    y = x @ [1.0, -1.0, 0.5, 0.0] + rng.normal(size=100)
    lines = []
    for far in (100.0, 1e7):
        y[3] = far
        lines.append(fit_huber(x, y, np.ones((1, 100))).coefficients)
    assert lines[1] == pytest.approx(lines[0], abs=0.005)


def test_exact_lines_and_constant_features_are_fitted() -> None:
    x = np.column_stack([np.arange(12.0), np.ones(12)])
    fit = fit_huber(x, 5 + 3 * x[:, 0], np.ones((2, 12)))
    assert fit.predict(x) == pytest.approx(np.tile(5 + 3 * x[:, 0], (2, 1)), abs=0.02)


def test_people_taken_by_blocks_give_the_lines_of_people_taken_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(8)
    x = rng.normal(size=(1000, 4))
    y = x @ [1.0, -2.0, 0.0, 3.0] + rng.standard_t(2, size=1000)
    weights = rng.poisson(1.0, size=(3, 1000)).astype(float)
    at_once = fit_huber(x, y, weights)
    monkeypatch.setattr(huber, "_HELD", 96)
    by_blocks = fit_huber(x, y, weights)
    np.testing.assert_allclose(by_blocks.coefficients, at_once.coefficients, rtol=1e-8)
    np.testing.assert_allclose(by_blocks.intercept, at_once.intercept, rtol=1e-8, atol=1e-10)
