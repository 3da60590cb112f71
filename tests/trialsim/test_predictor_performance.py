"""Out-of-sample performance of scores against SciPy and scikit-learn."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import r2_score, roc_auc_score
from threadpoolctl import threadpool_info, threadpool_limits

from cohorts.schema import validate_table
from trialsim.enrichment import (
    FastProgressorDefinition,
    ScreeningTables,
    build_strategies,
    compute_predicted_changes,
    compute_predictor_performance,
    score_people,
)
from trialsim.enrichment.evaluation import predictor_performance
from trialsim.enrichment.evaluation.predictor_performance import _measure, _Sample
from trialsim.enrichment.truth import TrueDecline

DEFINITION = FastProgressorDefinition(top_fraction=0.3)


@pytest.fixture
def truth(people: ScreeningTables) -> TrueDecline:
    volume = people.baseline["hippocampus_mm3"]
    return TrueDecline(people.truth, people.truth / 2, volume, "latent", 0)


@pytest.fixture
def scores(people: ScreeningTables, rng: np.random.Generator) -> pd.DataFrame:
    names = ["random", "baseline_volume", "brlp", "oracle"]
    return score_people(build_strategies(names), people, rng)


def test_metrics_agree_with_scipy_and_sklearn(
    people: ScreeningTables, truth: TrueDecline, scores: pd.DataFrame, rng: np.random.Generator
) -> None:
    table = compute_predictor_performance(scores, truth, DEFINITION, rng=rng)
    validate_table(table, "predictor_performance")
    found = table.query("strategy == 'brlp'").set_index("metric")["value"]
    x = scores.query("strategy == 'brlp'")["score"].to_numpy()
    y = people.truth.to_numpy()
    line = stats.linregress(x, y)
    fast = y >= np.sort(y)[-90]
    assert found["spearman"] == pytest.approx(stats.spearmanr(x, y).statistic)
    assert found["pearson"] == pytest.approx(line.rvalue)
    assert found["calibration_slope"] == pytest.approx(line.slope)
    assert found["calibration_intercept"] == pytest.approx(-line.intercept)
    assert found["r_squared"] == pytest.approx(r2_score(y, x))
    assert found["auc"] == pytest.approx(roc_auc_score(fast, x))


@pytest.mark.parametrize("decimals", [0, 8])
def test_metrics_by_count_are_those_of_repeated_people(
    decimals: int, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predictor_performance, "_AT_ONCE", 60)
    score, decline = rng.normal(size=(2, 30)).round(decimals)
    counts = rng.integers(0, 4, size=(3, 30)).astype(np.int32)
    fast = decline + rng.normal(size=30) > 0
    scores = [np.where(np.arange(30) == 7, np.nan, score), score, -score]
    counts[:, 7] = 0
    found, all_known, reversed_ = _measure(_Sample.take_each(scores, decline, fast), counts)
    # whoever has no score is as good as nobody, and orders of declines are shared
    assert all_known["spearman"] == pytest.approx(found["spearman"])
    assert reversed_["spearman"] == pytest.approx(-found["spearman"])
    for resample, often in enumerate(counts):
        people = np.repeat(np.arange(30), often)
        x, y = score[people], decline[people]
        assert found["spearman"][resample] == pytest.approx(stats.spearmanr(x, y).statistic)
        assert found["pearson"][resample] == pytest.approx(stats.pearsonr(x, y).statistic)
        assert found["auc"][resample] == pytest.approx(roc_auc_score(fast[people], x))


def test_samples_of_one_person_alone_tell_nothing(recwarn: pytest.WarningsRecorder) -> None:
    # values of which sums of squares are rounded above and below 0
    score, decline = np.array([[0.1, 0.7, 1.3], [3.3, 4.1, 2.7]])
    scores = np.append(score, np.nan)
    counts = np.array([[4, 0, 0, 0], [0, 3, 0, 1], [0, 0, 0, 4], [1, 2, 0, 1]], dtype=np.int32)
    sample = _Sample.take_each([scores], np.append(decline, 1.0), np.array([1, 0, 0, 0]) > 0)
    (found,) = _measure(sample, counts)
    for name in ("spearman", "pearson", "calibration_slope", "r_squared"):
        assert np.isnan(found[name][:3]).all(), name
        assert np.isfinite(found[name][3]), name
    assert not recwarn.list


def test_one_thread_resamples(
    truth: TrueDecline,
    scores: pd.DataFrame,
    rng: np.random.Generator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    threads: set[int] = set()
    resample = predictor_performance._resample

    def look(*arguments: Any) -> Any:
        threads.update(p["num_threads"] for p in threadpool_info() if p["user_api"] == "blas")
        return resample(*arguments)

    monkeypatch.setattr(predictor_performance, "_resample", look)
    with threadpool_limits(2, user_api="blas"):
        compute_predictor_performance(scores, truth, DEFINITION, rng=rng, n_bootstrap=200)
    assert threads == {1}


def test_interval_of_spearman_is_about_as_wide_as_theory(
    truth: TrueDecline, scores: pd.DataFrame, rng: np.random.Generator
) -> None:
    table = compute_predictor_performance(scores, truth, DEFINITION, rng=rng)
    row = table.query("strategy == 'brlp' and metric == 'spearman'").iloc[0]
    half = (np.tanh(np.arctanh(row["value"]) + 1.96 * 1.03 / np.sqrt(297))) - row["value"]
    assert (row["value_upper"] - row["value_lower"]) / 2 == pytest.approx(half, rel=0.3)


def test_only_predictions_of_decline_are_calibrated(
    truth: TrueDecline, scores: pd.DataFrame, rng: np.random.Generator
) -> None:
    table = compute_predictor_performance(scores, truth, DEFINITION, rng=rng)
    metrics = table.groupby("strategy")["metric"].agg(set)
    assert "calibration_slope" not in metrics["baseline_volume"]
    assert "calibration_slope" in metrics["oracle"]
    assert "random" not in metrics


def test_missing_scores_are_counted(
    truth: TrueDecline, scores: pd.DataFrame, rng: np.random.Generator
) -> None:
    scores.loc[scores.query("strategy == 'brlp'").index[:30], "score"] = np.nan
    table = compute_predictor_performance(scores, truth, DEFINITION, rng=rng)
    row = table.query("strategy == 'brlp'").set_index("metric")
    assert row.loc["missing_score_rate", "value"] == pytest.approx(0.1)
    assert row.loc["spearman", "n"] == 270


def test_subgroups_of_thirty_are_shown(
    people: ScreeningTables, truth: TrueDecline, scores: pd.DataFrame, rng: np.random.Generator
) -> None:
    participants = people.baseline.reset_index()
    participants["site"] = ["big"] * 290 + ["small"] * 10
    table = compute_predictor_performance(
        scores, truth, DEFINITION, rng=rng, participants=participants
    )
    assert {"all", "site big", "diagnosis MCI", "sex F"} <= set(table["subgroup"])
    assert "site small" not in set(table["subgroup"])


@pytest.mark.parametrize("unit", ["percent", "mm3"])
def test_predicted_changes_are_losses_in_percent(
    truth: TrueDecline, scores: pd.DataFrame, unit: str
) -> None:
    if unit == "mm3":
        per_percent = truth.baseline_volume / 100
        scores["score"] *= scores["participant_id"].map(per_percent)
        decline = truth.decline * per_percent
        truth = TrueDecline(decline, decline / 2, truth.baseline_volume, "latent", 0)
    table = compute_predicted_changes(scores, truth, unit=unit)
    validate_table(table, "predicted_changes")
    oracle = table.query("strategy == 'oracle'")
    assert set(table["strategy"]) == {"brlp", "oracle"}
    assert oracle["predicted_change_percent"].to_numpy() == pytest.approx(
        oracle["observed_change_percent"].to_numpy()
    )
    assert oracle["observed_change_percent"].mean() < 0


@pytest.mark.parametrize("unit", ["percent", "mm3"])
@pytest.mark.parametrize("strategy", ["random", "baseline_volume"])
def test_strategy_that_predicts_no_decline_gives_no_predicted_changes(
    people: ScreeningTables, truth: TrueDecline, rng: np.random.Generator, strategy: str, unit: str
) -> None:
    scores = score_people(build_strategies([strategy]), people, rng)
    changes = compute_predicted_changes(scores, truth, unit=unit)
    assert validate_table(changes, "predicted_changes").empty
    nobody = compute_predicted_changes(scores.iloc[:0], truth, unit=unit)
    assert list(nobody) == list(changes)
