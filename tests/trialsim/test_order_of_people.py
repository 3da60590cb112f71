"""The same people in another order of rows give the same numbers, bit for bit."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from trialsim.comparison import compare_strategies
from trialsim.comparison.archive import ScreenedPeople
from trialsim.comparison.refitting import build_rescore, widen_scores
from trialsim.design import TrialDesign
from trialsim.enrichment.definition import FastProgressorDefinition
from trialsim.enrichment.evaluation.capture import capture_rate, compute_capture_rates
from trialsim.enrichment.evaluation.predictor_performance import compute_predictor_performance
from trialsim.enrichment.scoring import score_people
from trialsim.enrichment.selection import rank_people
from trialsim.enrichment.strategies.registry import build_strategies
from trialsim.enrichment.strategies.strategy import ScreeningTables
from trialsim.enrichment.truth import TrueDecline
from trialsim.finished import analyze

DESIGN = TrialDesign(
    visits_months=(0, 12, 24), unit="log_percent", slowing=0.3, analyses=("ancova",)
)
STRATEGIES = build_strategies(["random", "regression", "brlp"])
Simulate = Callable[[int, np.random.Generator], ScreeningTables]


def keep(table: Any) -> Any:
    return table


def turn(table: Any) -> Any:
    return table.iloc[::-1]


def order(people: ScreeningTables, move: Callable[[Any], Any]) -> ScreeningTables:
    """Return the tables of the people with rows in another order."""
    names = ("baseline", "outcome", "truth", "predictions")
    return replace(people, **{name: move(getattr(people, name)) for name in names})


def score(people: ScreeningTables) -> pd.DataFrame:
    """Return scores with ties and gaps."""
    table = score_people(STRATEGIES, people, np.random.default_rng(1)).round({"score": 0})
    return table.assign(score=table["score"].where(table["score"] != 3))


def follow(people: ScreeningTables) -> pd.DataFrame:
    """Return volumes, some of them missing."""
    rng, start = np.random.default_rng(4), people.baseline["hippocampus_mm3"]
    assert people.truth is not None
    volumes = {
        months: start * (1 - people.truth * months / 2400) + rng.normal(0, 70, len(start))
        for months in DESIGN.visits_months
    }
    return pd.DataFrame(volumes).mask(rng.random((len(start), 3)) < 0.1)


def assert_same(found: Mapping[str, pd.DataFrame], other: Mapping[str, pd.DataFrame]) -> None:
    for name, table in found.items():
        pd.testing.assert_frame_equal(table, other[name], check_exact=True)


@pytest.mark.parametrize("by_archive", [False, True])
def test_comparison_draws_for_people_not_for_rows(by_archive: bool, simulate: Simulate) -> None:
    # so few that some samples reach no size, which nothing costs
    people = simulate(60, np.random.default_rng(6))
    stood_for = simulate(50, np.random.default_rng(7))

    def compare(move: Callable[[Any], Any]) -> Mapping[str, pd.DataFrame]:
        own = order(people, move)
        known = stood_for.baseline[["age_years", "hippocampus_mm3"]]
        return compare_strategies(
            move(follow(people)), move(widen_scores(score(people))), DESIGN,
            sample_sizes=[100], fractions_enrolled=[0.5, 1.0], n_simulations=20, n_bootstrap=200,
            baseline=move(people.baseline[["age_years", "hippocampus_mm3"]]),
            rescore=build_rescore(STRATEGIES, own),
            stands_for=ScreenedPeople(move(widen_scores(score(stood_for))), move(known))
            if by_archive else None,
        ).tables  # fmt: skip

    assert_same(compare(keep), compare(turn))


def test_scores_are_those_of_people(people: ScreeningTables) -> None:
    found, other = (score(order(people, move)) for move in (keep, turn))
    pd.testing.assert_frame_equal(found, other, check_exact=True)


def test_ties_are_broken_for_people(people: ScreeningTables) -> None:
    keys = ["strategy", "participant_id"]
    found, other = (
        rank_people(move(score(people)), np.random.default_rng(1)).sort_values(keys).to_numpy()
        for move in (keep, turn)
    )
    assert found.tolist() == other.tolist()


def test_capture_and_performance_resample_people(people: ScreeningTables) -> None:
    assert people.truth is not None
    definition = FastProgressorDefinition()

    def evaluate(move: Callable[[Any], Any]) -> Mapping[str, pd.DataFrame]:
        decline = move(people.truth.round(0))  # type: ignore[union-attr]
        truth = TrueDecline(decline, decline / 2, decline + 7000, "latent", 0)
        rng, table = np.random.default_rng(1), move(score(people))
        captured = compute_capture_rates(table, truth, definition, [90], rng=rng, n_bootstrap=200)
        performance = compute_predictor_performance(
            table, truth, definition, rng=rng, n_bootstrap=200,
            participants=move(people.baseline.reset_index()),
        )  # fmt: skip
        keys = {"rates": ["strategy"], "performance": ["strategy", "metric", "subgroup"]}
        tables = {"rates": captured.rates, "performance": performance}
        return {k: t.sort_values(keys[k], ignore_index=True) for k, t in tables.items()}

    assert_same(evaluate(keep), evaluate(turn))


@pytest.mark.parametrize("has_fast", [False, True])
def test_capture_rate_of_arrays_does_not_go_by_places(
    has_fast: bool, rng: np.random.Generator
) -> None:
    score, decline = rng.integers(0, 5, (2, 60))
    fast = rng.random(60) < 0.3

    def capture(people: np.ndarray) -> pd.DataFrame:
        return capture_rate(
            score[people], decline[people], [20, 30], rng=np.random.default_rng(1),
            fast=fast[people] if has_fast else None, n_bootstrap=200,
        )  # fmt: skip

    found, other = capture(np.arange(60)), capture(rng.permutation(60))
    pd.testing.assert_frame_equal(found, other, check_exact=True)


def test_a_finished_trial_is_analyzed_by_people(rng: np.random.Generator) -> None:
    names = np.array([f"p{k}" for k in range(60)])
    volumes = rng.normal(3500, 300, (60, 1)) + rng.normal([0, -80, -150], 40, (60, 3))
    trial = pd.DataFrame(
        {
            "participant_id": np.repeat(names, 3),
            "arm": np.repeat(rng.permutation(np.repeat(["control", "treatment"], 30)), 3),
            "months": np.tile([0, 12, 24], 60),
            "hippocampus_mm3": volumes.ravel(),
            "age_years": np.repeat(rng.normal(70, 5, 60), 3),
        }
    )
    trial = trial[(trial["months"] == 0) | (rng.random(len(trial)) < 0.8)]
    twins = pd.DataFrame(
        {
            "participant_id": np.repeat(names, 2),
            "months": np.tile([12, 24], 60),
            "predicted_mm3": (volumes[:, :1] + rng.normal([-80, -150], 40, (60, 2))).ravel(),
        }
    )
    found, other = (
        analyze(move(trial), twins=move(twins), n_imputations=20).tables for move in (keep, turn)
    )
    assert_same(found, other)
