"""Conformal intervals cover what they say; effects by predicted decline are found."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from trialsim.errors import DesignError
from trialsim.finished import analyze
from trialsim.finished.checks import compare_baseline, count_missing
from trialsim.finished.conformal import compute_conformal_reach, estimate_individual_effects
from trialsim.finished.heterogeneity import estimate_heterogeneity
from trialsim.finished.missing_data import compare_assumptions, leave_each_person_out
from trialsim.finished.trial import FinishedTrial, TwinPredictions
from trialsim.imputation import find_tipping_point

Floats = NDArray[np.float64]


def simulate(n: int = 200, *, seed: int = 20260101, sd: bool = False) -> FinishedTrial:
    """Treatment slows the decline that was coming by 40 %; the twin knows most of it."""
    rng = np.random.default_rng(seed)
    arm = (np.arange(n) % 2).astype(float)
    base = 7000 + 500 * rng.normal(size=n)
    known = 200 + 80 * rng.normal(size=n)
    untreated = base - known + 60 * rng.normal(size=n)
    last = untreated + 0.4 * arm * known
    middle = (base + last) / 2 + 30 * rng.normal(size=n)
    outcome = np.column_stack([base, middle, last])
    outcome[rng.random(n) < 0.15, 2] = np.nan
    predicted = np.column_stack([base - known / 2, base - known])
    spread = np.full_like(predicted, 60.0) * np.exp(rng.normal(size=(n, 1)) / 4) if sd else None
    return FinishedTrial(
        participant_id=np.array([f"p{i:03d}" for i in range(n)]),
        treatment=arm,
        months=np.array([0.0, 12, 24]),
        outcome=outcome,
        covariates=pd.DataFrame({"age_years": rng.normal(73, 7, n)}),
        endpoint="hippocampus",
        twins=TwinPredictions(predicted, spread),
    )


@pytest.mark.parametrize("n", [19, 40, 100])
def test_coverage_is_exactly_what_the_ranks_say(n: int) -> None:
    rng = np.random.default_rng(20260101)
    n_trials, n_new = 2000, 200
    # errors of any shape will do: here skewed and with heavy tails
    errors = rng.exponential(size=(n_trials, n)) * rng.standard_t(3, size=(n_trials, n))
    new = rng.exponential(size=(n_trials, n_new)) * rng.standard_t(3, size=(n_trials, n_new))
    reach = np.array([compute_conformal_reach(own) for own in errors])
    covered = (np.abs(new) <= reach[:, None]).mean()
    assert covered == pytest.approx(math.ceil(0.95 * (n + 1)) / (n + 1), abs=0.005)


def test_without_exchangeability_coverage_is_lost() -> None:
    rng = np.random.default_rng(20260101)
    reach = np.array([compute_conformal_reach(rng.normal(size=60)) for _ in range(500)])
    # treated people for whom the twin errs by one standard deviation more, as where the model was
    # tuned on the controls or randomization favoured the frail
    new = 1.0 + rng.normal(size=(500, 200))
    assert (np.abs(new) <= reach[:, None]).mean() < 0.9


def test_18_controls_are_too_few_for_95_percent() -> None:
    assert compute_conformal_reach(np.arange(19)) == 18
    with pytest.raises(DesignError, match="needs at least 19 observed controls, got 18"):
        compute_conformal_reach(np.arange(18))
    assert compute_conformal_reach(np.arange(4), coverage=0.8) == 3


@pytest.mark.parametrize("sd", [False, True])
def test_intervals_of_individual_effects_cover_the_true_ones(sd: bool) -> None:
    covered, n_listed = [], 0
    for seed in range(60):
        trial = simulate(seed=seed, sd=sd)
        table = estimate_individual_effects(trial)
        where = np.flatnonzero(np.isin(trial.participant_id, table["participant_id"]))
        assert (trial.arms[where] == 1).all()
        assert trial.twins is not None
        known = trial.outcome[where, 0] - trial.twins.predicted[where, -1]
        truth = 0.4 * known
        covered.append(((table["lower"] <= truth) & (truth <= table["upper"])).mean())
        n_listed += len(table)
    assert np.mean(covered) == pytest.approx(0.96, abs=4 * np.sqrt(0.05 * 0.95 / n_listed * 5))


def test_an_interval_that_holds_0_says_nothing() -> None:
    table = estimate_individual_effects(simulate())
    holds_0 = (table["lower"] <= 0) & (table["upper"] >= 0)
    assert (table["says_something"] == ~holds_0).all()
    assert 0 < table["says_something"].sum() < len(table)


def test_proportional_slowing_is_the_slope_of_the_effect() -> None:
    slopes = [estimate_heterogeneity(simulate(seed=seed)) for seed in range(40)]
    mean = np.mean([found.slope for found in slopes])
    spread = np.std([found.slope for found in slopes], ddof=1)
    assert mean == pytest.approx(0.4, abs=4 * spread / np.sqrt(40))
    assert np.mean([found.slope_se for found in slopes]) == pytest.approx(spread, rel=0.5)
    first = slopes[0].by_decline
    assert (first["lower"] < first["effect"]).all()
    assert first["predicted_decline"].is_monotonic_increasing


def test_assumptions_about_the_missing_stand_beside_each_other() -> None:
    trial = simulate()
    without = leave_each_person_out(trial)
    table = compare_assumptions(trial, without, rng=np.random.default_rng(1), n_imputations=20)
    table = table.set_index("strategy")
    assert table.loc["jump_to_reference", "estimate"] < table.loc["missing_at_random", "estimate"]
    assert table.loc["jump_to_reference", "se_rubin"] > table.loc["jump_to_reference", "se"]
    assert find_tipping_point(without["missing_at_random"]).delta < 0


def test_checks_count_people_and_compare_arms() -> None:
    trial = simulate()
    missing = count_missing(trial).set_index(["arm", "months"])
    assert missing["n"].unique().tolist() == [100]
    seen = ~np.isnan(trial.outcome[trial.arms == 0, 2])
    assert missing.loc[("control", 24.0), "n_seen"] == seen.sum()
    baseline = compare_baseline(trial).set_index("covariate")
    age = trial.covariates["age_years"].to_numpy()
    treated, control = age[trial.arms == 1], age[trial.arms == 0]
    pooled = np.sqrt((treated.var(ddof=1) + control.var(ddof=1)) / 2)
    found = baseline.loc["age_years", "standardized_difference"]
    assert found == pytest.approx((treated.mean() - control.mean()) / pooled)


def test_an_analysis_holds_every_table_that_its_data_allow() -> None:
    trial = simulate()
    everything = analyze(trial, n_imputations=20)
    assert everything.primary.is_primary
    assert set(everything.tables) == {
        "trial_effects", "trial_visits", "trial_baseline", "trial_assumptions", "trial_findings",
        "trial_tipping_point", "twin_outcomes", "individual_effects", "effects_by_decline",
    }  # fmt: skip
    findings = everything.tables["trial_findings"].set_index("finding")
    assert 1 < findings.loc["twin_gain", "lower"] < findings.loc["twin_gain", "value"]
    few = replace(trial, outcome=np.where(np.arange(200)[:, None] < 172, np.nan, trial.outcome))
    few = replace(few, outcome=np.column_stack([trial.outcome[:, :2], few.outcome[:, 2]]))
    told = analyze(few, n_imputations=20)
    assert "individual_effects" not in told.tables
    assert "needs at least 19 observed controls" in told.left_out[0]
