"""Sites as random effects of mixed models, beside R, dense matrices and models without sites."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trialsim.analysis import fit_mmrm, fit_random_slope
from trialsim.analysis.inputs import read_trials
from trialsim.analysis.likelihood import Derivatives, State, differentiate, evaluate_likelihood
from trialsim.analysis.mmrm import MmrmFit, estimate_mmrm
from trialsim.analysis.patterns import PatternStatistics
from trialsim.analysis.result import Floats
from trialsim.analysis.site_effects import join_sites
from trialsim.errors import DesignError

SETS = json.loads((Path(__file__).parent / "site_reference.json").read_text())["sets"]
TIMES = np.arange(4.0)


def read_set(number: int) -> tuple[Floats, Floats, Floats]:
    record = SETS[number]
    y = np.array(record["y"], dtype=float)[None]
    return y, np.array(record["arm"], dtype=float), np.array(record["site"])


def estimate(number: int) -> tuple[MmrmFit, PatternStatistics]:
    y, arm, site = read_set(number)
    trials, sites = join_sites(read_trials(y, arm, TIMES, None, min_visits=2).center(), site)
    statistics = trials.summarize()
    return estimate_mmrm(statistics, sites=sites), statistics


@pytest.mark.parametrize("number", range(len(SETS)))
def test_random_slopes_with_sites_are_those_of_lme4_and_pbkrtest(number: int) -> None:
    y, arm, site = read_set(number)
    expected = SETS[number]["random_slope"]
    plain = fit_random_slope(y, arm, TIMES, site=site)
    adjusted = fit_random_slope(y, arm, TIMES, site=site, degrees_of_freedom="kenward_roger")
    assert plain.estimate[0] == pytest.approx(expected["estimate"], rel=1e-5)
    assert plain.se[0] == pytest.approx(expected["se"], rel=1e-5)
    assert plain.df[0] == pytest.approx(expected["df"], rel=1e-4)
    assert adjusted.se[0] == pytest.approx(expected["se_kenward_roger"], rel=1e-5)
    assert adjusted.df[0] == pytest.approx(expected["df_kenward_roger"], rel=1e-4)
    assert plain.boundary[0] == (min(expected["site_sd"]) == 0)


@pytest.mark.parametrize("number", range(len(SETS)))
def test_the_mmrm_with_sites_is_that_of_nlme(number: int) -> None:
    y, arm, site = read_set(number)
    expected = SETS[number]["mmrm"]
    fit = fit_mmrm(y, arm, TIMES, site=site)
    assert fit.estimate[0] == pytest.approx(expected["estimate"], rel=1e-4)
    assert fit.se[0] == pytest.approx(expected["se"], rel=1e-4)
    deviations = np.abs(estimate(number)[0].reml.eta[0, -2:])
    assert deviations == pytest.approx(expected["site_sd"], rel=1e-3, abs=1e-3)


def compute_densely(y: Floats, arm: Floats, site: Floats, eta: Floats) -> float:
    """Return the restricted log likelihood from whole matrices, up to a constant."""
    rows, columns = np.tril_indices(4)
    visits = np.zeros((4, 4))
    visits[rows, columns] = visits[columns, rows] = eta[:10]
    seen = ~np.isnan(y).ravel()
    person, course = np.repeat(np.arange(len(arm)), 4), np.tile(np.arange(4), len(arm))
    same_site = site[person][:, None] == site[person]
    between = eta[10] ** 2 + eta[11] ** 2 * np.multiply.outer(TIMES, TIMES)[course][:, course]
    v = (person[:, None] == person) * visits[course][:, course] + same_site * between
    x = np.kron(np.column_stack([np.ones_like(arm), arm]), np.eye(4))[seen]
    v, left = v[seen][:, seen], y.ravel()[seen]
    inverse = np.linalg.inv(v)
    spread = x.T @ inverse @ x
    left = left - x @ np.linalg.solve(spread, x.T @ inverse @ left)
    logs = np.linalg.slogdet(v)[1] + np.linalg.slogdet(spread)[1]
    return float(-0.5 * (logs + left @ inverse @ left))


def test_the_likelihood_is_that_of_whole_matrices() -> None:
    y, arm, site = read_set(0)
    fitted, statistics = estimate(0)
    top = fitted.reml.eta
    off = top * np.r_[[1.1] * 10, 0.6, 1.7]
    without = top * np.r_[[1.0] * 10, 0.0, 0.0]
    found, dense = (
        [judge(eta) for eta in (top, off, without)]
        for judge in (
            lambda eta: float(
                evaluate_likelihood(statistics, fitted.mean, fitted.covariance, eta).log_likelihood[
                    0
                ]
            ),
            lambda eta: compute_densely(y, arm, site, eta[0]),
        )
    )
    assert np.diff(found) == pytest.approx(np.diff(dense), abs=1e-8)


@pytest.mark.parametrize("vanished", [False, True])
def test_score_and_information_are_derivatives(vanished: bool) -> None:
    fitted, statistics = estimate(0)
    model, factors = fitted.covariance, np.r_[[1.05] * 10, [0.0 if vanished else 0.8] * 2]
    terms = model.compute_terms(fitted.reml.eta * factors)[0]

    def look(shift: Floats) -> tuple[State, Derivatives]:
        # the terms of sites are variances, their parameters deviations
        eta = np.r_[(terms + shift)[:10], np.sqrt((terms + shift)[10:])][None]
        state = evaluate_likelihood(statistics, fitted.mean, model, eta)
        return state, differentiate(statistics, fitted.mean, model, state)

    _, here = look(np.zeros(12))
    for term, shift in enumerate(1e-5 * np.eye(12)):
        # a variance of 0 can only grow
        back = 0.0 if vanished and term > 9 else 1.0
        (high, steep), (low, flat) = look(shift), look(-back * shift)
        width = (1 + back) * 1e-5
        rise = (high.log_likelihood[0] - low.log_likelihood[0]) / width
        assert rise == pytest.approx(here.score[0, term], rel=1e-3, abs=1e-3)
        bend = (flat.score[0] - steep.score[0]) / width
        assert bend == pytest.approx(here.observed[0, term], rel=2e-3, abs=2e-3)


@pytest.mark.parametrize("words", [{}, {"degrees_of_freedom": "kenward_roger"}])
@pytest.mark.parametrize("fit", [fit_mmrm, fit_random_slope])
def test_sites_that_do_not_differ_leave_the_fit_without_them(fit: Any, words: Any) -> None:
    rng = np.random.default_rng(20260101)
    y = rng.normal(size=(60, 60, 1)) + rng.normal(size=(60, 60, 1)) * TIMES
    y += rng.normal(size=(60, 60, 4))
    arm, site = (np.arange(60) // 6 % 2).astype(float), np.arange(60) % 6
    # the same mean at every site and visit, so that nothing is between sites
    for j in range(6):
        y[:, site == j] -= y[:, site == j].mean(axis=1, keepdims=True)
    found, plain = fit(y, arm, TIMES, site=site, **words), fit(y, arm, TIMES, **words)
    assert found.converged.all()
    assert found.boundary.all()
    for name in ("estimate", "se"):
        assert getattr(found, name) == pytest.approx(getattr(plain, name), rel=1e-6)
    assert found.df == pytest.approx(plain.df, rel=1e-4)


@pytest.mark.parametrize("covariance", ["pooled", "by_arm"])
def test_sites_that_differ_are_taken_off(covariance: Any) -> None:
    rng = np.random.default_rng(20260101)
    n, k = 80, 8
    y = rng.normal(size=(150, n, 1)) + 0.5 * rng.normal(size=(150, n, 1)) * TIMES
    y += 0.5 * rng.normal(size=(150, n, 4))
    arm, site = (np.arange(n) // k % 2).astype(float), np.arange(n) % k
    between = rng.normal(size=(150, k, 1)) + rng.normal(size=(150, k, 1)) * TIMES
    y += between[:, site]
    found = fit_mmrm(y, arm, TIMES, site=site, covariance=covariance)
    plain = fit_mmrm(y, arm, TIMES, covariance=covariance)
    assert found.converged.all()
    spread = found.estimate.std(ddof=1)
    # the standard error of a standard deviation over 150 trials is 6 % of it
    assert found.se.mean() == pytest.approx(spread, rel=0.2)
    assert plain.se.mean() > 1.5 * spread


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"site": np.zeros(4)}, "at least 2 sites"),
        ({"site": np.arange(3)}, "site must have the shape"),
        ({"site": np.arange(4), "standard_error": "cr2"}, 'standard_error "cr2" clusters'),
    ],
)
@pytest.mark.parametrize("fit", [fit_mmrm, fit_random_slope])
def test_sites_that_cannot_be_are_refused(fit: Any, words: Any, told: str) -> None:
    y = np.random.default_rng(0).normal(size=(1, 4, 4))
    with pytest.raises(DesignError, match=told):
        fit(y, [0, 1, 0, 1], TIMES, **words)
