"""Linear models of one outcome agree with statsmodels, twins keep alpha where effects differ."""

import numpy as np
import pytest
import statsmodels.api as sm
from numpy.typing import NDArray
from scipy import stats

from trialsim.analysis.adjusted import fit_adjusted
from trialsim.analysis.augmented import fit_augmented, fit_prediction_powered
from trialsim.errors import DesignError

Floats = NDArray[np.float64]


def simulate(n: int = 80, n_trials: int = 1, seed: int = 20260101) -> tuple[Floats, Floats, Floats]:
    rng = np.random.default_rng(seed)
    arm = (np.arange(n) % 4 == 0).astype(float)
    x = rng.normal(size=(n_trials, n, 2))
    noise = rng.normal(size=(n_trials, n)) * (1 + 0.5 * arm)
    y = 1 + 0.5 * arm * (1 + x[..., 1]) + x @ [0.8, -0.6] + noise
    return y, arm, x


@pytest.mark.parametrize("missing", [0, 15])
@pytest.mark.parametrize("weighted", [False, True])
def test_estimate_and_errors_are_those_of_statsmodels(missing: int, weighted: bool) -> None:
    y, arm, x = simulate()
    y[0, :missing] = np.nan
    weights = np.exp(x[0, :, 0]) if weighted else np.ones(y.shape[1])
    design = np.column_stack([np.ones_like(arm), arm, x[0]])
    peer = sm.WLS(y[0, missing:], design[missing:], weights=weights[missing:]).fit()
    robust = peer.get_robustcov_results("HC2", use_t=True)
    fewer = compute_bell_mccaffrey(design[missing:], weights[missing:])
    for kind, expected, df in (("model", peer, peer.df_resid), ("robust", robust, fewer)):
        fit = fit_adjusted(y, arm, x, weights=weights, standard_error=kind)
        assert fit.estimate[0] == pytest.approx(expected.params[1], rel=1e-9)
        assert fit.se[0] == pytest.approx(expected.bse[1], rel=1e-9)
        p = 2 * stats.t.sf(abs(expected.tvalues[1]), df)
        assert fit.p_value[0] == pytest.approx(p, rel=1e-7)
        assert fit.df[0] == pytest.approx(df, rel=1e-9)


def compute_bell_mccaffrey(design: Floats, weights: Floats) -> float:
    """Return the degrees of freedom of the treatment's HC2 variance, by matrices of people."""
    x = np.sqrt(weights)[:, None] * design
    hat = x @ np.linalg.inv(x.T @ x) @ x.T
    moved = (x @ np.linalg.inv(x.T @ x))[:, 1]
    left = np.eye(len(x)) - hat
    # the variance is e' M D M e: mean and variance of a quadratic form of standard normals
    form = left @ np.diag(moved**2 / (1 - np.diag(hat))) @ left
    return float(np.trace(form) ** 2 / np.trace(form @ form))


def test_a_small_arm_beside_a_large_one_is_judged_by_its_own_degrees_of_freedom() -> None:
    # of two means they are Welch's at one variance: (1/10 + 1/40)^2 / (1/10^2/9 + 1/40^2/39)
    rng, n_trials, arm = np.random.default_rng(20260101), 8000, np.repeat([0.0, 1.0], [10, 40])
    y, x = rng.normal(size=(n_trials, 50)), rng.normal(size=(n_trials, 50, 1))
    plain = fit_adjusted(y, arm)
    assert plain.df == pytest.approx(0.125**2 / (0.01 / 9 + 0.000625 / 39))
    for fit in (plain, fit_adjusted(y, arm, x), fit_adjusted(y, arm, x, n_interacted=1)):
        error = np.sqrt(0.05 * 0.95 / n_trials)
        assert np.mean(fit.p_value < 0.05) == pytest.approx(0.05, abs=4 * error)


@pytest.mark.parametrize("n_sites", [0, 4])
def test_a_person_whom_the_line_runs_through_errs_as_the_others_do(n_sites: int) -> None:
    # one treated person alone, or beside four who are each the only one of a site: the effect is
    # that person's residual, which is 0 whatever the outcome; the t test of one knows that
    rng, n_trials, n = np.random.default_rng(20260101), 4000, 21 + n_sites
    y, arm, site = rng.normal(size=(n_trials, n)), np.zeros(n), np.zeros(n)
    arm[: 1 + n_sites], site[:n_sites] = 1, 1 + np.arange(n_sites)
    sites = (site[:, None] == 1 + np.arange(n_sites)).astype(float)
    robust, model = (
        fit_adjusted(y, arm, sites, standard_error=kind) for kind in ("robust", "model")
    )
    assert robust.se == pytest.approx(model.se)
    assert robust.df == pytest.approx(19)
    error = np.sqrt(0.05 * 0.95 / n_trials)
    assert np.mean(robust.p_value < 0.05) == pytest.approx(0.05, abs=4 * error)


def test_augmented_error_knows_of_people_who_are_alone_of_their_site() -> None:
    rng, n_trials = np.random.default_rng(20260101), 4000
    arm, site = np.repeat([1.0, 0.0], 20), np.append([1, 2, 3], np.zeros(37))
    site[20:] = np.repeat([0, 1, 2, 3], 5)
    sites = (site[:, None] == [1, 2, 3]).astype(float)
    fit = fit_augmented(rng.normal(size=(n_trials, 40)), arm, sites)
    error = np.sqrt(0.05 * 0.95 / n_trials)
    assert np.mean(fit.p_value < 0.05) == pytest.approx(0.05, abs=4 * error)
    assert fit.se.mean() == pytest.approx(fit.estimate.std(), rel=0.05)


@pytest.mark.parametrize("far", [1e2, 1e3, 1e4, 1e5, 1e6])
def test_degrees_of_freedom_are_right_however_far_off_a_covariate_is(far: float) -> None:
    rng, arm = np.random.default_rng(20260101), np.repeat([1.0, 0.0], [2, 21])
    x, y = rng.normal(size=(23, 1)), rng.normal(size=(1, 23))
    x[0] = far  # leverage of 1 but for about 22 / far^2
    fit, design = fit_adjusted(y, arm, x), np.column_stack([np.ones(23), arm, x - x.mean()])
    turn, _ = np.linalg.qr(design)
    left = np.eye(23) - turn @ turn.T
    square = np.linalg.pinv(design)[1] ** 2
    told = np.diag(left) > 1e-6
    form = left @ np.diag(np.where(told, square, 0) / np.where(told, np.diag(left), 1)) @ left
    form += square[~told].sum() * left / 20
    assert fit.se[0] ** 2 == pytest.approx(y[0] @ form @ y[0], rel=1e-6)
    df = np.trace(form) ** 2 / np.trace(form @ form)
    assert fit.df[0] == pytest.approx(df, rel=1e-3)


def test_interacted_model_is_lins() -> None:
    y, arm, x = simulate()
    fit = fit_adjusted(y, arm, x, n_interacted=2)
    centred = x[0] - x[0].mean(axis=0)
    design = np.column_stack([np.ones_like(arm), arm, centred, arm[:, None] * centred])
    peer = sm.OLS(y[0], design).fit().get_robustcov_results("HC2")
    slopes = peer.params[4:]
    mean_error = slopes @ np.cov(x[0].T) @ slopes / len(arm)
    assert fit.estimate[0] == pytest.approx(peer.params[1])
    assert fit.se[0] ** 2 == pytest.approx(peer.bse[1] ** 2 + mean_error)


def test_without_covariates_the_robust_error_is_that_of_unequal_variances() -> None:
    y, arm, _ = simulate()
    treated, control = y[0, arm == 1], y[0, arm == 0]
    fit = fit_adjusted(y, arm)
    variance = treated.var(ddof=1) / len(treated) + control.var(ddof=1) / len(control)
    assert fit.se[0] ** 2 == pytest.approx(variance)


def test_augmented_estimate_without_missing_people_is_the_fully_interacted_one() -> None:
    y, arm, x = simulate()
    augmented = fit_augmented(y, arm, x)
    interacted = fit_adjusted(y, arm, x, n_interacted=2)
    assert augmented.estimate[0] == pytest.approx(interacted.estimate[0])
    assert augmented.se[0] == pytest.approx(interacted.se[0], rel=0.05)


def test_augmented_estimate_mends_outcomes_missing_at_random() -> None:
    y, arm, x = simulate(n=400, n_trials=300)
    rng = np.random.default_rng(1)
    fast = x[..., 0] < 0
    y[(arm == 1) & fast & (rng.random(y.shape) < 0.7)] = np.nan
    seen_only, augmented = fit_adjusted(y, arm), fit_augmented(y, arm, x)
    bias = augmented.estimate.mean() - 0.5
    assert abs(bias) < 4 * augmented.estimate.std() / np.sqrt(300)
    assert abs(seen_only.estimate.mean() - 0.5) > 0.1
    assert augmented.se.mean() == pytest.approx(augmented.estimate.std(), rel=0.15)


def test_augmented_estimate_stands_where_what_is_known_tells_who_is_missing() -> None:
    # the logistic models then have no maximum: whoever is seen is sure to be, and nobody is weighed
    y, arm, x = simulate(n=160)
    x[..., 0] = 5000 + 500 * x[..., 0]  # volumes beside a covariate of the size of one
    y += x[..., 0]
    for a in (0, 1):
        own = np.flatnonzero(arm == a)
        y[0, own[np.argsort(x[0, own, 0])[:3]]] = np.nan
    augmented, lines = fit_augmented(y, arm, x), fit_adjusted(y, arm, x)
    assert augmented.se[0] == pytest.approx(lines.se[0], rel=0.2)
    assert abs(augmented.estimate[0] - lines.estimate[0]) < lines.se[0]


@pytest.mark.parametrize(("n", "n_covariates"), [(60, 4), (30, 2), (150, 4)])
def test_augmented_error_is_that_of_the_estimate_where_covariates_tell_who_leaves(
    n: int, n_covariates: int
) -> None:
    rng, n_trials = np.random.default_rng(20260101), 3000
    arm = (np.arange(n) % (3 if n == 150 else 2) == 0).astype(float)
    x = rng.normal(size=(n_trials, n, n_covariates))
    y = x.sum(axis=2) / 2 + rng.normal(size=(n_trials, n))
    y[rng.random(y.shape) < 1 / (1 + np.exp(0.8 - 0.8 * x[..., 0] - 0.8 * x[..., 1]))] = np.nan
    fit = fit_augmented(y, arm, x)
    # in a small arm hardly anyone may be left
    fine, error = fit.converged, np.sqrt(0.05 * 0.95 / n_trials)
    assert fine.mean() > 0.99
    assert np.mean(fit.p_value[fine] < 0.05) == pytest.approx(0.05, abs=4 * error)
    assert fit.se[fine].mean() == pytest.approx(fit.estimate[fine].std(), rel=0.05)


def test_augmented_error_is_worked_out_person_by_person() -> None:
    y, arm, x = simulate(n=60)
    y[0, [1, 4, 7, 20, 33]] = np.nan
    fit, n = fit_augmented(y, arm, x), len(arm)
    design, seen, influence = sm.add_constant(x[0]), ~np.isnan(y[0]), np.zeros(len(arm))
    for a, sign in ((1, 1), (0, -1)):
        own = arm == a
        used = np.flatnonzero(own & seen)
        line = sm.OLS(y[0, used], design[used]).fit()
        chance = np.ones(n)
        if not seen[own].all():
            chance[own] = sm.Logit(seen[own].astype(float), design[own]).fit(disp=0).predict()
        fitted, hat = line.predict(design), line.get_influence().hat_matrix_diag

        def estimate(outcome: Floats, used: NDArray = used, chance: Floats = chance) -> float:
            line = sm.OLS(outcome, design[used]).fit()
            weight = n / (arm == arm[used[0]]).sum() / chance[used]
            return float(line.predict(design).mean() + (weight * line.resid).sum() / n)

        # what each outcome moves the arm's mean by: the estimate is linear in them
        moved = np.array([estimate(np.eye(len(used))[k]) for k in range(len(used))])
        influence += sign * fitted
        influence[used] += sign * n * moved * line.resid / np.sqrt(1 - hat)
    assert fit.se[0] == pytest.approx(influence.std() / np.sqrt(n), rel=1e-7)


def test_chances_to_be_seen_are_those_of_statsmodels() -> None:
    y, arm, x = simulate(n=400)
    x[..., 0] = 5000 + 500 * x[..., 0]
    gone = np.random.default_rng(4).random(y.shape) < np.where(x[..., 0] < 4800, 0.4, 0.02)
    y[gone] = np.nan
    fit, influence = fit_augmented(y, arm, x), np.zeros(len(arm))
    centred = (x[0] - x[0].mean(axis=0)) / x[0].std(axis=0)
    design, seen = sm.add_constant(centred), ~np.isnan(y[0])
    for a, sign in ((1, 1), (0, -1)):
        own = arm == a
        line = sm.OLS(y[0, own & seen], design[own & seen]).fit().predict(design)
        chance = sm.Logit(seen[own].astype(float), design[own]).fit(disp=0).predict(design)
        error = np.where(own & seen, np.nan_to_num(y[0]) - line, 0)
        influence += sign * (line + error / own.mean() / chance)
    assert fit.estimate[0] == pytest.approx(influence.mean(), rel=1e-9)


def test_a_small_arm_keeps_alpha_by_augmented_differences() -> None:
    rng, n_trials = np.random.default_rng(20260101), 6000
    error = np.sqrt(0.05 * 0.95 / n_trials)
    for n_treated, n_control in ((3, 20), (5, 20), (8, 16), (10, 40)):
        arm = np.repeat([1.0, 0.0], [n_treated, n_control])
        x = rng.normal(size=(n_trials, len(arm), 1))
        y = x[..., 0] / 2 + rng.normal(size=x.shape[:2])
        for fit in (fit_augmented(y, arm, x), fit_prediction_powered(y, arm, x[..., 0])):
            assert np.mean(fit.p_value < 0.05) < 0.05 + 4 * error


def test_prediction_powered_difference_on_a_case_worked_by_hand() -> None:
    # control y = 1, 2, 3 with m = 0, 1, 2; treatment y = 2, 4, 6 with m = 1, 1, 4: the means are
    # 2 and 4, 1 and 2; var m = 1, 3; cov = 1, 3; with 3 people an arm lambda = (3 + 1) / (3 + 1)
    # = 1, the estimate (4 - 2) - 1 (2 - 1) = 1; y - m is 1, 1, 1 and 1, 3, 2
    y = np.array([[1.0, 2, 3, 2, 4, 6]])
    m = np.array([0.0, 1, 2, 1, 1, 4])
    fit = fit_prediction_powered(y, [0, 0, 0, 1, 1, 1], m)
    assert fit.estimate[0] == pytest.approx(1.0)
    # residuals 0, 0, 0, -1, 1, 0; those of treatment have 2/3 - 1/8 of their variance left, and
    # count 1/3 + 1/8 (their m - 1 is -1, the squares of both arms are 8)
    assert fit.se[0] == pytest.approx(np.sqrt(2 * (11 / 24) ** 2 / (13 / 24)))


@pytest.mark.parametrize("n_treated", [3, 5, 9])
def test_prediction_powered_error_is_that_of_the_sum_over_responses(n_treated: int) -> None:
    rng = np.random.default_rng(n_treated)
    arm = np.repeat([1.0, 0.0], [n_treated, 14])
    m = rng.normal(size=len(arm))
    y = m + rng.normal(size=len(arm))

    def tune(y: Floats) -> tuple[float, Floats]:
        """Return the difference and the residuals, by the definition of lambda."""
        own = [arm == 1, arm == 0]
        scale = [1 / (k.sum() * (k.sum() - 1)) for k in own]
        away = [np.where(k, m - m[k].mean(), 0) for k in own]
        of_y = [np.where(k, y - y[k].mean(), 0) for k in own]
        both = sum(s * (d * e).sum() for s, d, e in zip(scale, away, of_y, strict=True))
        tuned = both / sum(s * (d * d).sum() for s, d in zip(scale, away, strict=True))
        left = y - tuned * m
        return left[own[0]].mean() - left[own[1]].mean(), sum(of_y) - tuned * sum(away)

    parts = [tune(unit) for unit in np.eye(len(arm))]
    counts, made = np.array([p[0] for p in parts]), np.array([p[1] for p in parts]).T
    spread = made @ made.T
    weight = counts**2 / np.diag(spread)
    fit = fit_prediction_powered(y[None], arm, m)
    assert fit.estimate[0] == pytest.approx(tune(y)[0])
    assert fit.se[0] == pytest.approx(np.sqrt((weight * tune(y)[1] ** 2).sum()))
    df = (counts**2).sum() ** 2 / (np.outer(weight, weight) * spread**2).sum()
    assert fit.df[0] == pytest.approx(df)


@pytest.mark.parametrize("far", [False, True])
def test_in_arms_of_one_size_a_prediction_powers_as_a_covariate_does(far: bool) -> None:
    rng = np.random.default_rng(20260101)
    arm = np.repeat([1.0, 0.0], 7)
    m = (np.arange(14) == 2).astype(float) if far else rng.normal(size=14)
    y = rng.normal(size=(3, 14))
    fit, adjusted = fit_prediction_powered(y, arm, m), fit_adjusted(y, arm, m[:, None])
    for name in ("estimate", "se", "df", "p_value"):
        assert getattr(fit, name) == pytest.approx(getattr(adjusted, name))


def test_no_lambda_gives_a_smaller_variance_than_the_tuned_one() -> None:
    y, arm, x = simulate()
    m = x[0, :, 0]
    tuned = fit_prediction_powered(y, arm, m).estimate[0]
    shares = np.linspace(-2, 2, 81)
    fits = [fit_adjusted(y - share * m, arm) for share in shares]
    best = int(np.argmin([fit.se[0] for fit in fits]))
    # the estimate is linear in lambda, which lies within a step of the best of a grid
    around = [fits[best - 1].estimate[0], fits[best + 1].estimate[0]]
    assert min(around) < tuned < max(around)


def test_a_prediction_that_is_the_same_for_everyone_changes_nothing() -> None:
    y, arm, _ = simulate()
    fit = fit_prediction_powered(y, arm, np.full(len(arm), 7.0))
    plain = fit_adjusted(y, arm)
    for name in ("estimate", "se", "df"):
        assert getattr(fit, name) == pytest.approx(getattr(plain, name))


def test_robust_errors_keep_alpha_where_effects_differ_and_arms_are_unequal() -> None:
    rng = np.random.default_rng(20260101)
    n_trials, n = 4000, 120
    arm = (np.arange(n) % 4 == 0).astype(float)
    twin = rng.normal(size=(n_trials, n))
    y = twin + arm * 1.2 * twin + 0.6 * rng.normal(size=(n_trials, n))
    columns = twin[..., None]
    robust = fit_adjusted(y, arm, columns, n_interacted=1)
    model = fit_adjusted(y, arm, columns, standard_error="model")
    mcse = np.sqrt(0.05 * 0.95 / n_trials)
    assert abs((robust.p_value < 0.05).mean() - 0.05) < 4 * mcse
    assert (model.p_value < 0.05).mean() > 0.05 + 4 * mcse


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"weights": np.zeros(80)}, "weights must be positive"),
        ({"weights": np.ones(3)}, "weights must have the shape"),
        ({"n_interacted": 3}, "n_interacted must be between 0 and the 2"),
    ],
)
def test_wrong_arguments_are_told(change: dict[str, object], words: str) -> None:
    y, arm, x = simulate()
    with pytest.raises(DesignError, match=words):
        fit_adjusted(y, arm, x, **change)


def test_a_prediction_of_another_shape_is_told() -> None:
    y, arm, _ = simulate()
    with pytest.raises(DesignError, match="prediction must have the shape"):
        fit_prediction_powered(y, arm, np.ones(3))


@pytest.mark.filterwarnings("error")
def test_trials_of_too_few_people_fail_without_a_warning() -> None:
    rng = np.random.default_rng(20260101)
    for n in (3, 4, 6):
        y, x, arm = rng.normal(size=(200, n)), rng.normal(size=(200, n, 1)), np.arange(n) % 2
        y[rng.random(y.shape) < 0.5] = np.nan
        twice = np.concatenate([x, 2 * x], axis=2)
        for columns in (x, twice):
            for fit in (fit_adjusted(y, arm, columns), fit_augmented(y, arm, columns)):
                assert not fit.converged.all()
                assert np.isfinite(fit.p_value[fit.converged]).all()
