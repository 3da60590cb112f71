import numpy as np
import pandas as pd
import pytest

from trialsim.enrichment.balancing import align_covariates, balance, compute_effective_size


def draw(n: int, p: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, p))


def test_weighted_means_are_those_of_the_target() -> None:
    covariates, targets = draw(400), np.array([[0.3, -0.4, 0.2], [0.0, 0.5, -0.6]])
    weights = balance(covariates, targets, np.ones((2, 400)))
    np.testing.assert_allclose(weights @ covariates, targets, atol=2e-4)
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    assert (weights > 0).all()


def test_nobody_is_weighted_where_means_agree_already() -> None:
    covariates = draw(50)
    weights = balance(covariates, covariates.mean(axis=0)[None], np.ones((1, 50)))
    np.testing.assert_allclose(weights, 1 / 50, atol=1e-9)


def test_weights_of_a_normal_covariate_are_its_density_ratio() -> None:
    # N(0, 1) to N(0.5, 1): the ratio is exp(0.5 z - 0.125), as of entropy balancing
    covariates = draw(20000, 1, seed=1)
    covariates = (covariates - covariates.mean()) / covariates.std()
    (weights,) = balance(covariates, np.array([[0.5]]), np.ones((1, 20000)))
    slope = np.polyfit(covariates[:, 0], np.log(weights), 1)[0]
    assert slope == pytest.approx(0.5, abs=0.02)


def test_a_person_drawn_twice_weighs_twice() -> None:
    covariates, target = draw(30), np.array([[0.2, 0.1, 0.0]])
    counts = np.ones((1, 30))
    counts[0, :2] = 2, 0
    twice = balance(covariates, target, counts)
    rows = np.repeat(np.arange(30), counts[0].astype(int))
    copies = balance(covariates[rows], target, np.ones((1, 30)))
    summed = np.bincount(rows, copies[0], minlength=30)
    np.testing.assert_allclose(twice[0], summed, atol=1e-9)


def test_a_target_out_of_reach_leaves_few_effective_people() -> None:
    weights = balance(draw(100, 1), np.array([[8.0]]), np.ones((1, 100)))
    assert np.isfinite(weights).all()
    assert compute_effective_size(weights)[0] < 2


def test_columns_are_in_units_of_the_target_and_its_outsiders_are_counted() -> None:
    own = pd.DataFrame({"age": [60.0, 70.0, np.nan], "same": 1.0, "only": [1.0, 2.0, 3.0]})
    target = pd.DataFrame({"age": [65.0, 75.0], "same": 1.0})
    found = align_covariates(own, target)
    assert found.names == ("age",)
    np.testing.assert_allclose(found.own[:, 0], [-2.0, 0.0, 0.0])
    np.testing.assert_allclose(found.target[:, 0], [-1.0, 1.0])
    assert found.n_outside == 1


def test_samples_have_the_weights_that_each_has_alone() -> None:
    rng = np.random.default_rng(3)
    covariates = draw(60, 4)
    counts = rng.multinomial(60, np.full(60, 1 / 60), size=5).astype(float)
    # the last one's target lies beyond everyone
    targets = np.vstack([rng.normal(0, 0.2, (4, 4)), np.full(4, 4.0)])
    together = balance(covariates, targets, counts)
    for row, target, own in zip(together, targets, counts, strict=True):
        np.testing.assert_allclose(row, balance(covariates, target[None], own[None])[0], atol=1e-10)
