"""A growth model of everyone tells error from decline, and misses nobody."""

from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm

from trialsim.errors import DesignError
from trialsim.simulation.expectations import Predictors, expect_outcomes
from trialsim.simulation.growth import find_new, fit_growth, scale_weights
from trialsim.simulation.own_volume import remove_own_volume
from trialsim.simulation.pool import fill_score, widen

TIMES = np.array([0.0, 12.0, 24.0])


def simulate(n: int, noise: float, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return measured outcomes, true ones, and a covariate that knows part of the slope."""
    rng = np.random.default_rng(seed)
    known, own = rng.normal(size=(2, n))
    level = 880 + 12 * rng.normal(size=n)
    slope = -0.2 - 0.08 * known - 0.08 * own - 0.004 * (880 - level)
    truth = level[:, None] + slope[:, None] * TIMES
    return truth + noise * rng.normal(size=truth.shape), truth, known


def select_lowest(outcome: np.ndarray, share: float = 0.25) -> np.ndarray:
    return outcome[:, 0] <= np.quantile(outcome[:, 0], share)


def compute_decline(outcome: np.ndarray) -> np.ndarray:
    return outcome[:, 0] - outcome[:, -1]


@pytest.mark.parametrize("noise", [1.0, 2.0, 3.0, 5.0])
def test_decline_of_people_selected_by_a_measured_baseline_is_their_true_one(noise: float) -> None:
    outcome, truth, known = simulate(40_000, noise)
    chosen = select_lowest(outcome)
    score = remove_own_volume(-outcome[:, 0], outcome[:, 0], known[:, None])
    x = np.column_stack([score, known])
    expected = expect_outcomes(fit_growth(outcome, TIMES, x), outcome, Predictors(x))
    right = compute_decline(truth)[chosen].mean()
    found = -expected.true_change[chosen, -1].mean()
    measured = compute_decline(outcome)[chosen].mean()
    # standard error of the mean over 10,000 people: at most 0.08
    assert found == pytest.approx(right, abs=0.25)
    if noise >= 3:
        assert abs(measured - right) > 3 * abs(found - right)


def test_variances_are_those_that_the_people_were_drawn_with() -> None:
    outcome, _, known = simulate(20_000, 2.0)
    growth = fit_growth(outcome, TIMES, known[:, None])
    assert growth.residual_variance == pytest.approx(4.0, rel=0.05)
    assert growth.lines[1, 0] == pytest.approx(-0.08, abs=0.004)


def test_a_missed_visit_is_expected_where_it_would_have_been() -> None:
    outcome, _, known = simulate(20_000, 1.0)
    seen = outcome.copy()
    # those who declined fastest in the first year are the ones who leave
    seen[outcome[:, 0] - outcome[:, 1] > 3, 2] = np.nan
    x = known[:, None]
    expected = expect_outcomes(fit_growth(seen, TIMES, x), seen, Predictors(x))
    missed = np.isnan(seen[:, 2])
    assert missed.mean() > 0.3
    completers = seen[~missed, 2].mean()
    assert abs(completers - outcome[:, 2].mean()) > 1
    assert expected.outcome[:, 2].mean() == pytest.approx(outcome[:, 2].mean(), abs=0.1)
    drawn = expected.draw(np.random.default_rng(2), np.ones(len(seen)))
    assert drawn[missed, 2].std() == pytest.approx(outcome[missed, 2].std(), rel=0.03)
    assert (drawn[~missed] == outcome[~missed]).all()


def test_people_who_lack_the_same_visits_share_what_is_not_known_of_them() -> None:
    outcome, _, known = simulate(400, 1.0)
    outcome[::4, 2] = outcome[1::4, 1] = outcome[1::4, 2] = np.nan
    outcome[2] = np.nan
    growth = fit_growth(outcome, TIMES, known[:, None])
    expected = expect_outcomes(growth, outcome, Predictors(known[:, None]))
    assert len(expected.spreads) == 4  # nothing, the last, the last two; and nobody's third visit
    total = growth.visit_covariance
    alone = total[2, 2] - total[2, :2] @ np.linalg.solve(total[:2, :2], total[:2, 2])
    assert expected.covariance[0] == pytest.approx(np.diag([0, 0, alone]))
    both = total[1:, 1:] - np.outer(total[1:, 0], total[0, 1:]) / total[0, 0]
    assert expected.covariance[1, 1:, 1:] == pytest.approx(both)
    assert not expected.covariance[[2, 3]].any()
    few = expected.select(np.array([3, 1, 0]))
    np.testing.assert_array_equal(few.covariance, expected.covariance[[3, 1, 0]])
    weights = np.ones(400)
    ratio = np.nanmean(expected.surprise)
    normal = np.random.default_rng(5).standard_normal((400, 3))
    drawn = expected.draw(np.random.default_rng(5), weights)
    step = np.sqrt(alone * ratio) * normal[0, 2]
    assert drawn[0, 2] - expected.outcome[0, 2] == pytest.approx(step)
    np.testing.assert_array_equal(drawn[3::4], outcome[3::4])


def test_two_visits_leave_measured_change_as_it_is() -> None:
    outcome, _, _ = simulate(50, 1.0)
    pair = outcome[:, [0, 2]]
    x = np.empty((50, 0))
    expected = expect_outcomes(fit_growth(pair, TIMES[[0, 2]], x), pair, Predictors(x))
    assert expected.noise_sd == 0
    assert expected.true_change[:, 1] == pytest.approx(pair[:, 1] - pair[:, 0])


def test_a_predictor_that_others_explain_is_left_out() -> None:
    first, second, noise = np.random.default_rng(3).normal(size=(3, 200))
    columns = [first, np.full(200, 4.0), second, 2 * first - second + 5]
    columns += [1e5 * (first + 1e-4 * noise), 1e5 * (first + 1e-2 * noise)]
    assert find_new(np.column_stack(columns)).tolist() == [0, 2, 5]
    assert find_new(np.empty((200, 0))).tolist() == []


def test_weights_count_as_people() -> None:
    outcome, _, known = simulate(60, 1.0)
    weights = np.where(np.arange(60) < 20, 2.0, 1.0)
    copies = np.repeat(np.arange(60), weights.astype(int))
    x = known[:, None]
    weighted = fit_growth(outcome, TIMES, x, weights)
    repeated = fit_growth(outcome[copies], TIMES, x[copies])
    # the means are the same; REML of fewer effective people differs in the variances alone
    assert weighted.means == pytest.approx(repeated.means, abs=0.02)
    assert scale_weights(weights).sum() == pytest.approx(80**2 / 120)


def test_people_who_are_drawn_again_vary_as_those_they_are_a_sample_of() -> None:
    rng, n = np.random.default_rng(3), 12
    first = rng.normal(3000, 300, n)
    later = 0.9 * first + rng.normal(0, 50, n)
    wide, _ = widen(np.column_stack([first, later]), np.zeros(n), np.full(n, 1 / n))
    assert wide[:, 0].var() == pytest.approx(first.var(ddof=1))
    drawn, sample = (sm.OLS(y, sm.add_constant(x)).fit() for x, y in (wide.T, (first, later)))
    assert drawn.params == pytest.approx(sample.params)
    # people drawn again are the population: their mean square has nothing left to make up for
    assert drawn.ssr / n == pytest.approx(sample.mse_resid)


def test_a_score_that_is_missing_is_the_mean_of_the_people_weighed() -> None:
    filled = fill_score(np.array([1.0, 3.0, np.nan]), 3, np.array([0.6, 0.2, 0.2]))
    assert filled.tolist() == pytest.approx([-0.5, 1.5, 0])


def test_the_part_of_a_score_that_reads_the_baseline_is_taken_off() -> None:
    rng = np.random.default_rng(1)
    baseline, head = rng.normal(size=(2, 200))
    baseline = baseline + head
    score = -2 * baseline + 3 * head
    found = remove_own_volume(score, baseline, head[:, None])
    assert np.ptp(found - 3 * (head - head.mean())) < 1e-9
    kept = remove_own_volume(score, baseline, None)
    assert kept == pytest.approx(score - score.mean())


def test_the_expectations_move_with_the_people_they_are_estimated_from() -> None:
    outcome, _, known = simulate(80, 1.0)
    outcome[:20, 2] = np.nan
    x = known[:, None]
    growth = fit_growth(outcome, TIMES, x)
    expected = expect_outcomes(growth, outcome, Predictors(x))
    assert expected.refit is not None
    assert np.abs(expected.refit.move(np.ones((1, 80)))).max() < 1e-3
    only = np.zeros((1, 80))
    only[0, 30:] = 1
    moved = expected.outcome[:20, 2] + expected.refit.move(only)[0, 2, :20]
    # generalized least squares of the others, who were seen at every visit; variances are kept
    design = np.concatenate(
        [np.tile(np.eye(3), (50, 1, 1)), x[30:, :, None] * growth.courses], axis=2
    )
    back = design.transpose(0, 2, 1) @ np.linalg.inv(growth.visit_covariance)
    terms = np.linalg.solve((back @ design).sum(0), np.einsum("ipv,iv->p", back, outcome[30:]))
    refitted = replace(growth, means=terms[:3], lines=terms[3:, None])
    again = expect_outcomes(refitted, outcome[:20], Predictors(x[:20])).outcome[:, 2]
    assert moved == pytest.approx(again, abs=1e-3)


def test_too_few_people_with_follow_up_are_refused() -> None:
    outcome, _, _ = simulate(30, 1.0)
    outcome[9:, 2] = np.nan
    with pytest.raises(DesignError, match="Only 9 of 30 people have the first and the last visit"):
        fit_growth(outcome, TIMES, np.empty((30, 0)))


@pytest.mark.parametrize("decimals", [2, 3, 9])
def test_outcomes_on_lines_are_expected_as_they_are(decimals: int) -> None:
    outcome, _, known = simulate(60, 0.0)
    outcome = (7.6 * outcome).round(decimals)
    x = np.column_stack([known, np.random.default_rng(2).normal(size=60)])
    growth = fit_growth(outcome, TIMES, x)
    assert growth.residual_variance < 1e-4
    expected = expect_outcomes(growth, outcome, Predictors(x))
    assert expected.true_change == pytest.approx(outcome - outcome[:, :1], abs=0.02)


def test_outcomes_that_what_is_known_tells_to_the_last_digit_are_refused() -> None:
    outcome, _, _ = simulate(60, 0.0)
    with pytest.raises(DesignError, match=r"no fit: .* outcomes with a measurement error are"):
        fit_growth(outcome, TIMES, outcome[:, :1])
