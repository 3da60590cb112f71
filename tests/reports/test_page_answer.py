"""The answer on top of the page says what the tables say, with its intervals."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reports.figures.labels import strategy_label, strategy_words
from reports.page.answer import describe_answer
from reports.page.choice import best_fractions, choose
from reports.page.content import Answer
from reports.page.gather import StudyFacts, gather_study
from reports.store.study import Study

Tables = dict[str, pd.DataFrame]
NAMES = ("participants", "visits", "volumes", "sample_sizes", "sample_size_savings")


@pytest.fixture
def answer_of(
    facts: StudyFacts, study_tables: Tables
) -> Callable[[Callable[[Tables], Tables]], Answer]:
    """Return the answer of the example after its tables were changed."""

    def build(change: Callable[[Tables], Tables]) -> Answer:
        tables = change({name: frame.copy() for name, frame in study_tables.items()})
        writers = {name: run for name, run in facts.writers.items() if name in tables}
        return describe_answer(StudyFacts(facts.study, tables, facts.runs, writers))

    return build


def best_row(tables: Tables) -> pd.Series:
    sizes = tables["sample_sizes"].query("analysis == 'mmrm' and strategy != 'oracle'")
    return sizes.loc[sizes["cost"].idxmin()]


def test_answer_names_the_cheapest_attainable_choice(
    facts: StudyFacts, study_tables: Tables
) -> None:
    best = best_row(study_tables)
    answer = describe_answer(facts)
    assert f"{int(np.ceil(best['n_control']))} per arm" in answer.headline
    assert "error of cohort and prediction model" in answer.headline
    assert "oracle" not in answer.headline.lower()


def test_what_the_study_calls_unattainable_is_never_proposed(
    facts: StudyFacts, study_tables: Tables
) -> None:
    best = best_row(study_tables)["strategy"]
    run_id = facts.writers["sample_sizes"]
    asked = {run_id: {"resolved.selection.unattainable": [best]}}
    found = describe_answer(replace(facts, descriptions=asked))
    assert strategy_label(best) not in found.headline
    assert f"{strategy_words(best)}, which no trial could carry out" in " ".join(found.details)


def test_saving_has_its_own_paired_interval(facts: StudyFacts, study_tables: Tables) -> None:
    best = best_row(study_tables)
    savings = study_tables["sample_size_savings"]
    row = savings[
        (savings["strategy"] == best["strategy"])
        & (savings["fraction_enrolled"] == best["fraction_enrolled"])
        & (savings["analysis"] == "mmrm")
    ].iloc[0]
    low, high = round(row["saving_n_control_lower"]), round(row["saving_n_control_upper"])
    text = " ".join(describe_answer(facts).details)
    assert f"paired 95 % interval {low} to {high}" in text


def test_number_to_screen_has_the_interval_of_the_sample_size(
    facts: StudyFacts, study_tables: Tables
) -> None:
    best = best_row(study_tables)
    answer = describe_answer(facts)
    low, high = (
        int(np.ceil(best["n_to_screen"] * best[f"n_control_{end}_cohort"] / best["n_control"]))
        for end in ("lower", "upper")
    )
    assert f"must be screened (95 % interval {low} to {high})" in " ".join(answer.details)
    assert answer.numbers[1].interval == f"{low} to {high}"


def test_answer_says_that_the_choice_was_repeated(facts: StudyFacts) -> None:
    text = " ".join(describe_answer(facts).details)
    assert "62\u00a0% of the samples" in text


def test_saving_that_may_be_nothing_says_so(
    answer_of: Callable[[Callable[[Tables], Tables]], Answer],
) -> None:
    def widen(tables: Tables) -> Tables:
        tables["sample_size_savings"]["saving_n_control_lower"] = -5.0
        return tables

    assert "does not exclude that nothing is saved" in " ".join(answer_of(widen).details)


def test_interval_of_the_simulation_alone_is_called_that(
    answer_of: Callable[[Callable[[Tables], Tables]], Answer],
) -> None:
    def drop_cohort_error(tables: Tables) -> Tables:
        for end in ("lower", "upper"):
            tables["sample_sizes"][f"n_control_{end}_cohort"] = np.nan
        return tables

    headline = answer_of(drop_cohort_error).headline
    assert "that of cohort and prediction model was not computed" in headline


def test_enrolling_everyone_wins_where_it_is_cheapest(
    answer_of: Callable[[Callable[[Tables], Tables]], Answer],
) -> None:
    def make_random_cheap(tables: Tables) -> Tables:
        sizes = tables["sample_sizes"]
        sizes.loc[sizes["strategy"] == "random", "cost"] = 1.0
        return tables

    headline = answer_of(make_random_cheap).headline
    assert headline.startswith("Enrolling everyone eligible")
    assert "no strategy that selects people costs less" in headline


def test_target_that_nothing_reaches_is_said(
    answer_of: Callable[[Callable[[Tables], Tables]], Answer],
) -> None:
    def unreach(tables: Tables) -> Tables:
        tables["sample_sizes"]["n_control"] = np.nan
        return tables

    assert "No strategy reaches the target power" in answer_of(unreach).headline


def test_unequal_arms_are_named(
    answer_of: Callable[[Callable[[Tables], Tables]], Answer],
) -> None:
    def double_treatment(tables: Tables) -> Tables:
        tables["sample_sizes"]["n_treatment"] *= 2
        return tables

    headline = answer_of(double_treatment).headline
    assert "in the control arm and" in headline
    assert "per arm" not in headline


def test_without_costs_the_smallest_trial_is_chosen(facts: StudyFacts) -> None:
    free = dict(facts.tables)
    free["sample_sizes"] = free["sample_sizes"].assign(cost=0.0)
    found = choose(StudyFacts(facts.study, free, facts.runs, facts.writers))
    assert found is not None
    assert found.by == "n_control"
    assert found.best["fraction_enrolled"] == 0.2


def test_each_strategy_stands_at_its_cheapest_fraction(
    facts: StudyFacts, study_tables: Tables
) -> None:
    sizes = study_tables["sample_sizes"].query("analysis == 'mmrm'")
    expected = sizes.groupby("strategy")["cost"].min()
    found = best_fractions(facts).set_index("strategy")["cost"]
    pd.testing.assert_series_equal(found.sort_index(), expected.sort_index())


def test_study_without_sample_sizes_says_which_command_computes_them(tmp_path: Path) -> None:
    study = Study.open(tmp_path / "empty.duckdb")
    assert "trialsim power" in describe_answer(gather_study(study)).headline


def test_older_table_is_called_out_of_date(facts: StudyFacts) -> None:
    of_scores = facts.runs["run_id"] == facts.writers["scores"]
    read = json.dumps({"participants": facts.writers["participants"]})
    runs = facts.runs.assign(parents=facts.runs["parents"].mask(of_scores, read))
    assert StudyFacts(facts.study, facts.tables, runs, facts.writers).stale == {}
    writers = {**facts.writers, "participants": "r000099"}
    stale = StudyFacts(facts.study, facts.tables, runs, writers).stale
    assert "`trialsim rank` brings it up to date" in stale["scores"]


def test_study_is_synthetic_where_any_person_is(facts: StudyFacts) -> None:
    assert facts.is_synthetic
