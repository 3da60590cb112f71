"""Imputation under each assumption: courses by hand, MMRM at random missingness, honest errors."""

import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from trialsim.analysis import fit_mmrm
from trialsim.analysis.adjusted import fit_adjusted, regress
from trialsim.analysis.patterns import summarize
from trialsim.analysis.residuals import estimate_residual_covariance
from trialsim.errors import DesignError
from trialsim.imputation import STRATEGIES, find_tipping_point, fit_imputed
from trialsim.imputation.imputing import impute
from trialsim.imputation.jackknife import Jackknife, leave_each_out
from trialsim.imputation.model import ImputationModel, estimate_imputation_model
from trialsim.imputation.strategies import build_courses

Floats = NDArray[np.float64]
TIMES = np.array([6.0, 12.0, 24.0])


def simulate(
    n_trials: int, n: int = 80, *, effect: float = 1.0, seed: int = 20260101
) -> tuple[Floats, Floats, Floats]:
    rng = np.random.default_rng(seed)
    arm = (np.arange(n) % 2).astype(float)
    person = rng.normal(size=(n_trials, n, 2))
    base = person[..., :1] + 0.4 * rng.normal(size=(n_trials, n, 1))
    y = person[..., :1] + (0.03 * person[..., 1:] - 0.05) * TIMES
    y = y + 0.4 * rng.normal(size=y.shape) + effect * arm[:, None] * TIMES / 24
    left = rng.exponential(40, size=(n_trials, n))[..., None] < TIMES
    y[left] = np.nan
    return y, arm, base


def predict(arm: Floats, covariates: Floats) -> Floats:
    """The predictors of imputation, (n_trials, n, p)."""
    arms = np.broadcast_to(arm[:, None], (*covariates.shape[:2], 1))
    return np.concatenate([np.ones_like(arms), arms, covariates], axis=2)


def leave_out(y: Floats, arm: Floats, base: Floats) -> Jackknife:
    return leave_each_out(y, predict(arm, base), ["missing_at_random"])["missing_at_random"]


def test_courses_by_hand() -> None:
    own, control = np.array([[[1.0, 2, 3]]]), np.array([[[0.0, -1, -2]]])
    after_first = np.array([[0]])
    expected = {
        "missing_at_random": [1, 2, 3],
        "jump_to_reference": [1, -1, -2],
        "copy_increments": [1, 0, -1],
        "copy_reference": [0, -1, -2],
    }
    for strategy, course in expected.items():
        assert build_courses(own, control, after_first, strategy)[0, 0].tolist() == course
        complete = build_courses(own, control, np.array([[2]]), strategy)
        assert complete[0, 0].tolist() == [1, 2, 3]
    never = build_courses(own, control, np.array([[-1]]), "copy_increments")
    assert never[0, 0].tolist() == [0, -1, -2]


def test_gaps_get_their_conditional_mean_by_hand() -> None:
    # treated mean 1, 2; control mean 0, 0; correlation .5: seen 3 at the first visit
    model = ImputationModel(
        np.array([[[0.0, 1.0], [0.0, 2.0]]]), np.array([[[1.0, 0.5], [0.5, 1.0]]]), np.array([True])
    )
    y, z = np.array([[[3.0, np.nan]]]), np.array([[[1.0, 1.0]]])
    expected = {
        "missing_at_random": 2 + 0.5 * (3 - 1),
        "jump_to_reference": 0 + 0.5 * (3 - 1),
        "copy_increments": 1 + 0.5 * (3 - 1),
        "copy_reference": 0 + 0.5 * (3 - 0),
    }
    for strategy, value in expected.items():
        assert impute(y, z, model, strategy=strategy)[0, 0].tolist() == [3.0, value]
    drawn = [
        impute(y, z, model, strategy="missing_at_random", rng=np.random.default_rng(i))[0, 0, 1]
        for i in range(800)
    ]
    assert np.mean(drawn) == pytest.approx(3.0, abs=4 * np.sqrt(0.75 / 800))
    assert np.var(drawn) == pytest.approx(0.75, abs=4 * 0.75 * np.sqrt(2 / 800))


def test_at_random_missingness_the_estimate_is_the_mmrms() -> None:
    y, arm, base = simulate(3)
    imputed, mixed = fit_imputed(y, arm, base), fit_mmrm(y, arm, TIMES, base)
    assert imputed.estimate == pytest.approx(mixed.estimate, abs=1e-9)
    assert imputed.se == pytest.approx(mixed.se, rel=0.1)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_with_nobody_missing_every_strategy_is_the_linear_model(strategy: str) -> None:
    y, arm, base = simulate(1)
    y = np.nan_to_num(y)
    imputed, plain = (
        fit_imputed(y, arm, base, strategy=strategy),
        fit_adjusted(y[..., -1], arm, base),
    )
    assert imputed.estimate == pytest.approx(plain.estimate)
    # the jackknife is HC3 up to its centring
    assert imputed.se == pytest.approx(plain.se, rel=0.03)


def test_leaving_each_person_out_takes_no_memory_for_every_pair_of_people() -> None:
    y, arm, base = simulate(1, n=1200)
    tracemalloc.start()
    fit = fit_imputed(y, arm, base)
    assert tracemalloc.get_traced_memory()[1] < 100e6  # a copy without each person: 300 MB
    tracemalloc.stop()
    assert fit.converged.all()


def refit(y: Floats, z: Floats, strategy: str) -> float:
    """The effect after imputation, from the people themselves and from nobody's fit but theirs."""
    model = estimate_imputation_model(summarize(y, z), estimate_residual_covariance(y, z))
    assert model.converged.all()
    last = impute(y, z, model, strategy=strategy)[..., -1]
    return float(regress(last, z, np.ones_like(last)).beta[0, 1])


def drop_in_between(y: Floats, rng: np.random.Generator) -> Floats:
    return np.where(rng.random(y.shape) < 0.15, np.nan, y)


def see_nobody_after_baseline(y: Floats, rng: np.random.Generator) -> Floats:
    return np.where(rng.random((*y.shape[:2], 1)) < 0.2, np.nan, y)


def follow_a_schedule_of_ones_own(y: Floats, rng: np.random.Generator) -> Floats:
    late = rng.random(y.shape[:2]) < 0.3
    y = y.copy()
    y[late, 0], y[late, -1] = np.nan, np.nan
    return y


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(
    "lose", [drop_in_between, see_nobody_after_baseline, follow_a_schedule_of_ones_own]
)
def test_each_fit_without_a_person_is_the_one_of_starting_anew(
    lose: Callable[[Floats, np.random.Generator], Floats], strategy: str
) -> None:
    rng = np.random.default_rng(20260101)
    y, arm, base = simulate(1, n=60)
    y = 7000 + 100 * lose(y, rng)
    covariates = np.concatenate([base, rng.normal(size=(1, 60, 2)) > 0], axis=2)
    covariates = covariates - covariates.mean(axis=1, keepdims=True)
    z = predict(arm, covariates)
    found = leave_each_out(y, z, [strategy])[strategy]
    # Newton's last step starts with a decrement below 1e-9, and leaves an error of that order
    close = 1e-8 * float(found.combine(0).se[0])
    assert found.full[0, 0] == pytest.approx(refit(y, z, strategy), abs=close)
    others = [np.delete(np.arange(60), person) for person in range(60)]
    anew = [refit(y[:, kept], z[:, kept], strategy) for kept in others]
    assert found.without[0, 0] == pytest.approx(anew, abs=close)
    shifted = np.isnan(y[..., -1]) & (arm == 1)
    added = [regress(1.0 * shifted[:, kept], z[:, kept], np.ones((1, 59))) for kept in others]
    assert found.without[1, 0] == pytest.approx([fit.beta[0, 1] for fit in added], abs=1e-12)


def test_how_many_people_are_left_out_together_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    y, arm, base = simulate(3, n=40)
    together = fit_imputed(y, arm, base, strategy="copy_increments")
    monkeypatch.setattr("trialsim.imputation.jackknife._BATCH_VALUES", 7 * 600)
    assert fit_imputed(y, arm, base, strategy="copy_increments").se.tolist() == together.se.tolist()


def test_jackknife_error_is_that_of_the_estimate_where_rubins_is_too_large() -> None:
    n_trials = 120
    y, arm, base = simulate(n_trials, n=50)
    y = y[..., 1:]
    fit = fit_imputed(y, arm, base, strategy="jump_to_reference")
    spread = fit.estimate.std(ddof=1)
    assert fit.se.mean() == pytest.approx(spread, abs=4 * spread / np.sqrt(2 * n_trials))
    rubin = fit_imputed(
        y[:20], arm, base[:20], strategy="jump_to_reference", variance="rubin",
        rng=np.random.default_rng(1),
    )  # fmt: skip
    assert rubin.se.mean() > 1.15 * fit.se[:20].mean()
    assert rubin.estimate == pytest.approx(fit.estimate[:20], abs=4 * rubin.se.mean() / 10)


def test_delta_moves_the_estimate_by_the_share_imputed() -> None:
    y, arm, base = simulate(1)
    share = np.isnan(y[0, arm == 1, -1]).mean()
    plain, shifted = fit_imputed(y, arm, base), fit_imputed(y, arm, base, delta=-2.0)
    assert shifted.estimate[0] - plain.estimate[0] == pytest.approx(-2 * share, rel=0.1)


def test_at_the_tipping_point_p_is_alpha() -> None:
    y, arm, base = simulate(1, n=120)
    found = find_tipping_point(leave_out(y, arm, base))
    assert found.delta < 0
    at = fit_imputed(y, arm, base, delta=found.delta)
    assert at.p_value[0] == pytest.approx(0.05, abs=1e-6)


def test_an_effect_that_is_not_significant_tips_at_once() -> None:
    y, arm, base = simulate(1, effect=0.0)
    assert find_tipping_point(leave_out(y, arm, base)).delta == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"strategy": "hope"}, "strategy must be one of missing_at_random, jump_to_reference"),
        ({"variance": "rubin"}, "Rubin's rules need rng"),
        ({"variance": "rubin", "n_imputations": 2, "rng": np.random.default_rng(1)}, "got 2"),
    ],
)
def test_wrong_arguments_are_told(options: dict[str, object], words: str) -> None:
    y, arm, base = simulate(1)
    with pytest.raises(DesignError, match=words):
        fit_imputed(y, arm, base, **options)


def test_rules_that_no_imputation_allows_have_no_estimate() -> None:
    y, arm, base = simulate(1)
    y[0, arm == 0, 1] = np.nan  # the arms cannot be compared there
    fit = fit_imputed(y, arm, base, variance="rubin", rng=np.random.default_rng(1))
    assert not fit.converged[0]
    assert np.isnan(fit.estimate[0])


def test_nobody_missing_has_no_tipping_point() -> None:
    y, arm, base = simulate(1)
    with pytest.raises(DesignError, match="no tipping point"):
        find_tipping_point(leave_out(np.nan_to_num(y), arm, base))
