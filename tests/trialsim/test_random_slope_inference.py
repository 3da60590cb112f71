"""Kenward-Roger, covariances by arm, clustered errors of the random-slope model."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import linalg, stats

from trialsim.analysis import fit_mmrm, fit_random_slope
from trialsim.analysis.inference import StandardError
from trialsim.analysis.inputs import read_trials
from trialsim.analysis.random_slope import estimate_growth

Floats = NDArray[np.float64]
RECORDS = json.loads((Path(__file__).parent / "pbkrtest_reference.json").read_text())["records"]
TIMES = np.array([0.0, 0.5, 1.0, 1.5, 2.0])


def simulate(
    n_trials: int, n: int, *, sds: tuple[float, float], missing: float
) -> tuple[Floats, Floats]:
    """Return outcomes whose slopes differ by `sds` in control and treatment."""
    rng = np.random.default_rng(20260101)
    arm = (np.arange(n) % 2).astype(float)
    slopes = rng.normal(size=(n_trials, n, 1)) * np.where(arm, *sds[::-1])[:, None]
    y = rng.normal(size=(n_trials, n, 1)) + (slopes - 0.5) * TIMES
    y = y + 0.4 * rng.normal(size=y.shape)
    y[rng.random(y.shape) < missing] = np.nan
    return y, arm


@pytest.mark.parametrize("number", range(len(RECORDS)))
@pytest.mark.parametrize("baseline", ["free", "common"])
def test_kenward_roger_agrees_with_pbkrtest(number: int, baseline: str) -> None:
    record = RECORDS[number]
    expected = record["results"][baseline]
    y = np.array(record["outcome"], dtype=float)[None]
    arm, times, common = record["treatment"], record["times"], baseline == "common"
    plain = fit_random_slope(y, arm, times, common_baseline=common)
    found = fit_random_slope(
        y, arm, times, common_baseline=common, degrees_of_freedom="kenward_roger"
    )
    assert found.boundary[0] == expected["singular"]
    assert found.estimate[0] == pytest.approx(expected["estimate"], abs=1e-5 * expected["se"])
    assert plain.se[0] == pytest.approx(expected["se"], rel=1e-6)
    assert found.se[0] == pytest.approx(expected["kenward_roger_se"], rel=1e-5)
    assert found.df[0] == pytest.approx(expected["df"], rel=1e-4)


def find_slopes(y: Floats) -> Floats:
    """Return each person's own slope, (n_trials, n_people)."""
    centered = TIMES - TIMES.mean()
    return np.asarray(y @ centered / (centered @ centered))


@pytest.mark.parametrize("analysis", ["random_slope", "mmrm"])
def test_arms_with_covariances_of_their_own_give_welchs_test(analysis: str) -> None:
    y, arm = simulate(5, 60, sds=(0.5, 1.5), missing=0.0)
    keep = np.arange(60) % 6 != 1
    y, arm = y[:, keep], arm[keep]
    if analysis == "mmrm":
        fit, values = fit_mmrm(y, arm, TIMES, covariance="by_arm"), y[..., -1]
    else:
        fit, values = fit_random_slope(y, arm, TIMES, covariance="by_arm"), find_slopes(y)
    welch = stats.ttest_ind(values[:, arm == 1], values[:, arm == 0], axis=1, equal_var=False)
    assert fit.converged.all()
    assert fit.p_value == pytest.approx(welch.pvalue, rel=1e-5)
    assert fit.df == pytest.approx(welch.df, rel=1e-5)


def test_an_arm_whose_slopes_do_not_differ_is_kept_on_the_boundary() -> None:
    y, arm = simulate(60, 60, sds=(0.0, 0.8), missing=0.15)
    fit = fit_random_slope(y, arm, TIMES, covariance="by_arm")
    assert fit.converged.all()
    assert 0.2 < fit.boundary.mean() < 0.9


@pytest.mark.parametrize("kind", ["cr0", "cr2"])
def test_clustered_errors_are_those_written_person_by_person(kind: StandardError) -> None:
    y, arm = simulate(2, 24, sds=(0.3, 0.9), missing=0.2)
    fit = fit_random_slope(y, arm, TIMES, standard_error=kind)
    trials = read_trials(y, arm, TIMES, None, min_visits=3).center()
    terms = estimate_growth(trials.summarize(), TIMES).terms
    for k in range(2):
        se, df = compute_directly(y[k], arm, terms[k], corrected=kind == "cr2")
        assert fit.se[k] == pytest.approx(se, rel=1e-6)
        assert fit.df[k] == pytest.approx(df, rel=1e-6)


def compute_directly(
    y: Floats, arm: Floats, terms: Floats, *, corrected: bool
) -> tuple[float, float]:
    """Return standard error and Bell & McCaffrey's df from everyone's matrices at once."""
    d00, d01, d11, residual = terms
    person = np.repeat(np.arange(len(y)), y.shape[1])
    lines = np.column_stack([np.ones_like(TIMES), TIMES])
    spread = lines @ np.array([[d00, d01], [d01, d11]]) @ lines.T + residual * np.eye(len(TIMES))
    seen = ~np.isnan(y.ravel())
    v = np.kron(np.eye(len(y)), spread)[np.ix_(seen, seen)]
    x = np.column_stack([np.tile(lines, (len(y), 1)), np.kron(arm[:, None], lines)])[seen]
    person, outcome = person[seen], y.ravel()[seen]
    w = np.linalg.inv(v)
    phi = np.linalg.inv(x.T @ w @ x)
    left = np.eye(len(x)) - x @ phi @ x.T @ w
    rows = []
    for i in np.unique(person):
        own = np.flatnonzero(person == i)
        part = v[np.ix_(own, own)]
        root = linalg.cholesky(np.linalg.inv(part), lower=True)
        hat = root.T @ x[own] @ phi @ x[own].T @ root
        scale = np.eye(len(own))
        if corrected:
            scale = np.linalg.inv(linalg.sqrtm(np.eye(len(own)) - hat))
        rows.append(phi[3] @ x[own].T @ root @ scale @ root.T @ left[own])
    g = np.array(rows)
    p = g @ v @ g.T
    return np.sqrt(((g @ outcome) ** 2).sum()), np.trace(p) ** 2 / np.trace(p @ p)


def test_the_clustered_error_of_one_person_is_that_of_the_model() -> None:
    # one treated person: the residual is 0 whatever the outcome, and a t test has 20 - 1
    y, arm = np.random.default_rng(20260101).normal(size=(20, 21, 2)), np.arange(21) == 7
    clustered, model = (
        fit_mmrm(y, arm, [12.0, 24.0], standard_error=kind) for kind in ("cr2", "model")
    )
    assert clustered.se == pytest.approx(model.se)
    assert clustered.df == pytest.approx(19)


def test_a_trial_without_a_maximum_does_not_stop_the_clustered_errors_of_others() -> None:
    rng = np.random.default_rng(20260101)
    y, arm, base = rng.normal(size=(200, 8, 2)), np.arange(8) % 2, rng.normal(size=(200, 8, 1))
    y[..., 1][rng.random((200, 8)) < 0.5] = np.nan
    found = fit_mmrm(y, arm, [12.0, 24.0], base, standard_error="cr2")
    fine = fit_mmrm(y, arm, [12.0, 24.0], base).converged
    assert 0.2 < fine.mean() < 0.8
    assert np.isnan(found.se[~fine]).all()
    alone = int(np.flatnonzero(fine & found.converged)[0])
    one = fit_mmrm(y[[alone]], arm, [12.0, 24.0], base[[alone]], standard_error="cr2")
    assert found.se[alone] == pytest.approx(one.se[0], rel=1e-9)
