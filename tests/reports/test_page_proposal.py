"""A study that proposes whole numbers answers with them, its doubts first."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cohorts.schema import BREAK_EVEN, validate_table
from reports.figures.labels import strategy_label
from reports.page.answer import describe_answer
from reports.page.choice import choose
from reports.page.content import Picture, Table
from reports.page.formats import show_chance
from reports.page.gather import StudyFacts
from reports.page.sections.choices.comparison import describe_comparison
from reports.page.sections.choices.power import describe_power
from reports.page.sections.choices.sensitivity import describe_sensitivity
from reports.page.sections.methods.paragraphs import describe_paragraphs
from reports.page.sections.record.all_rows import describe_all_rows
from reports.store import queries

DOUBT = "Whether it saves anything cannot be told with 60 people screened; about 90 more would."
PROPOSED = 120


def make_proposals() -> pd.DataFrame:
    """Return a proposal of BrLP at 40 %, which is not the least cost in `sample_sizes`."""
    row = {
        "analysis": "mmrm", "strategy": "brlp", "fraction_enrolled": 0.4, "target_power": 0.8,
        "n_control": 101.2, "n_control_proposed": PROPOSED, "n_treatment_proposed": PROPOSED,
        "n_to_screen": 600.0, "cost": 15_000_000.0, "months_to_enroll": 15.0,
        "optimism_factor": 1.1, "uncorrected_power": 0.74, "expected_power": 0.8,
        "low_power_probability": 0.17, "n_control_assured": 141.0, "n_treatment_assured": 141.0,
        "share_chosen": 0.82, "truly_cheapest_rate": 0.77, "pool_size": 77, "saving_cost": 1e6,
        "saving_cost_lower": 1e5, "saving_cost_upper": 2e6, "n_screened_to_settle": np.nan,
        "is_settled": True, "doubts": "",
    }  # fmt: skip
    return validate_table(pd.DataFrame([row]), "proposed_sizes")


def make_decisions() -> pd.DataFrame:
    rows = [("random", 1.0, 0.1, 2e7, 5e6, np.nan), ("brlp", 0.4, 0.9, 1.5e7, 3e5, 0.96)]
    names = [
        "strategy", "fraction_enrolled", "probability_cheapest", "expected_cost",
        "expected_regret", "probability_saves",
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=names)
    table["is_least_regret"] = table["strategy"] == "brlp"
    return validate_table(
        table.assign(analysis="mmrm", cost=1.6e7, expected_n_control=70.0), "decisions"
    )


def make_balance() -> pd.DataFrame:
    row = {
        "strategy": "brlp", "covariate": "age_years", "difference_unweighted": 0.62,
        "difference_weighted": -0.001, "n_archive": 350.0, "effective_size": 143.4,
        "n_outside": 4.0,
    }  # fmt: skip
    return validate_table(pd.DataFrame([row]), "archive_balance")


@pytest.fixture
def facts_of(facts: StudyFacts) -> Callable[..., StudyFacts]:
    """Return the example with a proposal, some of its values and the run's facts changed."""

    def build(outcomes: str = "archive", **changes: Any) -> StudyFacts:
        proposals = make_proposals().assign(**changes)
        added = {
            "proposed_sizes": proposals,
            "decisions": make_decisions(),
            "archive_balance": make_balance(),
        }
        writer = facts.writers["sample_sizes"]
        told = {**facts.config(writer), "outcomes": outcomes}
        config = facts.runs["config"].mask(facts.runs["run_id"] == writer, json.dumps(told))
        return replace(
            facts,
            tables={**facts.tables, **added},
            writers={**facts.writers, **dict.fromkeys(added, writer)},
            runs=facts.runs.assign(config=config),
        )

    return build


def test_the_proposed_size_leads_with_the_size_found_beside_it(
    facts_of: Callable[..., StudyFacts],
) -> None:
    facts = facts_of()
    found = choose(facts)
    assert found is not None
    raw = math.ceil(found.best["n_control"])
    answer = describe_answer(facts)
    assert answer.headline.startswith("Enrolling the top 40\u00a0% by BrLP needs 120 per arm")
    assert f"({raw} as found)" in answer.headline
    assert "expected power is 80\u00a0%" in answer.headline
    assert "17\u00a0% chance that it is below 70\u00a0%" in answer.headline
    text = " ".join(answer.details)
    assert "The assured size is 141 per arm" in text
    assert "its expected power is 74\u00a0%" in text


def test_how_often_such_a_choice_truly_is_the_cheapest_is_said(
    facts_of: Callable[..., StudyFacts],
) -> None:
    facts = facts_of()
    repeated = facts.tables["cheapest_fractions"].query(
        "choice == 'strategy and fraction' and analysis == 'mmrm'"
    )
    same = {name: repeated[name].iloc[0] for name in ("strategy", "fraction_enrolled")}
    text = " ".join(describe_answer(facts_of(**same)).details)
    assert "about 77\u00a0% truly were the cheapest" in text


def test_screened_and_cost_are_those_of_the_proposed_people(
    facts_of: Callable[..., StudyFacts],
) -> None:
    answer = describe_answer(facts_of())
    text = " ".join(answer.details)
    assert "600 people must be screened; the trial costs EUR 15.0\u00a0million" in text
    values = {number.label: number.value for number in answer.numbers}
    assert values["Proposed control arm, people"] == "120"
    assert values["To screen, people"] == "600"
    protocol = describe_paragraphs(facts_of()).blocks[0]
    assert "A total of 240 participants (120 per arm; as found" in str(protocol)
    assert "600 people have to be screened" in str(protocol)


@pytest.mark.parametrize("is_synthetic", [True, False])
def test_what_is_pasted_into_a_protocol_says_that_people_are_simulated(
    facts_of: Callable[..., StudyFacts], monkeypatch: pytest.MonkeyPatch, is_synthetic: bool
) -> None:
    monkeypatch.setattr(StudyFacts, "is_synthetic", property(lambda _: is_synthetic))
    blocks = describe_paragraphs(facts_of()).blocks
    assert [str(block).count("SYNTHETIC people") for block in blocks] == [int(is_synthetic)] * 2


def test_a_one_sided_test_has_an_interval_of_95_percent(
    facts_of: Callable[..., StudyFacts],
) -> None:
    facts = facts_of()
    writer = facts.writers["operating_characteristics"]
    told = facts.config(writer)
    told["design"] |= {"alpha": 0.025, "sides": 1}
    config = facts.runs["config"].mask(facts.runs["run_id"] == writer, json.dumps(told))
    one_sided = replace(facts, runs=facts.runs.assign(config=config))
    pictures = [one for one in describe_power(one_sided).blocks if isinstance(one, Picture)]
    (rates,) = [one for one in pictures if one.name == "error-rates"]
    assert "the nominal 2.5\u00a0% and 95.0\u00a0%" in rates.description


def test_doubts_come_before_the_cheapest_point(facts_of: Callable[..., StudyFacts]) -> None:
    answer = describe_answer(facts_of(is_settled=False, doubts=DOUBT, share_chosen=0.5))
    # the first sentence says what is not known; the result stands beside it, not below
    assert answer.headline.startswith(
        f"{DOUBT} The cheapest choice as things stand: enrolling the top 40\u00a0% by BrLP"
    )
    assert (answer.caution, f"{answer.caution} {answer.result}") == (DOUBT, answer.headline)
    assert "truly were the cheapest" not in " ".join(answer.details)


def test_where_nothing_costs_the_smallest_is_named_not_the_cheapest(
    facts_of: Callable[..., StudyFacts],
) -> None:
    facts = facts_of(is_settled=False, doubts=DOUBT)
    free = {"sample_sizes": facts.tables["sample_sizes"].assign(cost=0.0)}
    facts = replace(facts, tables={**facts.tables, **free})
    text = describe_answer(facts).headline
    assert "The smallest choice as things stand: enrolling" in text
    assert "the cheapest" not in text
    people = {"expected_n_control": [90.0, 60.0], "expected_cost": np.nan, "cost": np.nan}
    decisions = make_decisions().assign(**people)
    # earlier versions kept people under the name of money
    earlier = decisions.assign(expected_cost=[90.0, 60.0], expected_n_control=np.nan)
    for table in (decisions, earlier):
        told = replace(facts, tables={**facts.tables, "decisions": table})
        blocks = {getattr(block, "title", ""): block for block in describe_comparison(told).blocks}
        decision = blocks["Decision"]
        assert isinstance(decision, Table)
        assert "Expected size, people in the control arm" in {
            column.title for column in decision.columns
        }
        assert [row[4].text for row in decision.rows] == ["60", "90"]
    notes = [block.note for block in describe_comparison(facts).blocks if isinstance(block, Table)]
    assert "each strategy at the fraction with the fewest people" in " ".join(notes)
    assert "cheapest" not in " ".join(notes)


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ("archive", "350 other people who were followed stand in for those who were only screened"),
        # what the answer counts by weight elsewhere must not look like another count of heads
        ("archive", "77 people, counted before weighting, stand in for those who"),
        (
            "observed",
            "Outcomes come from the screened people's own follow-up; 77 people stand in for those",
        ),
    ],
)
def test_where_outcomes_come_from_stands_on_top(
    facts_of: Callable[..., StudyFacts], outcomes: str, expected: str
) -> None:
    first = describe_answer(facts_of(outcomes)).details[0]
    assert expected in first


def test_in_what_an_archive_does_not_agree_stands_on_top(
    facts_of: Callable[..., StudyFacts],
) -> None:
    facts = facts_of()
    assert "No weights" not in describe_answer(facts).details[0]
    balance = make_balance().assign(covariate="is_mci", difference_weighted=-0.97)
    unlike = replace(facts, tables={**facts.tables, "archive_balance": balance})
    said = describe_answer(unlike).details[0]
    assert "agree with the people screened in MCI (0.97 SD), so sizes are those of other" in said


def test_without_bootstrap_no_power_is_expected(facts_of: Callable[..., StudyFacts]) -> None:
    unknown = ["expected_power", "low_power_probability", "uncorrected_power",
               "n_control_assured", "n_treatment_assured", "share_chosen",
               "truly_cheapest_rate"]  # fmt: skip
    doubt = "How sure the cheapest choice is was not computed."
    answer = describe_answer(
        facts_of(**dict.fromkeys(unknown, np.nan), is_settled=False, doubts=doubt)
    )
    text = " ".join([answer.headline, *answer.details])
    assert text.startswith(doubt)
    assert "needs 120 per arm for 80\u00a0% power. Enrolling at random" in text
    assert text.count("was not computed") == 1
    assert "expected power" not in text
    assert "nan" not in text
    assert "assured" not in text.lower()


def test_least_regret_and_equal_budget_stand_in_the_answer(
    facts_of: Callable[..., StudyFacts],
) -> None:
    text = " ".join(describe_answer(facts_of()).details)
    assert "The choice with the least expected regret is BrLP at 40\u00a0%: on average" in text
    assert "on average EUR 0.300\u00a0million above the best choice of each sample" in text
    assert "cheaper than enrolling everyone with a probability of 96\u00a0%" in text
    budget = "this choice would have 86.0\u00a0% power as found (95 % interval 82.0 to 90.0\u00a0%)"
    assert budget in text


def test_a_regret_of_half_a_person_is_not_rounded_up_as_sizes_are(
    facts_of: Callable[..., StudyFacts],
) -> None:
    facts = facts_of()
    free = {
        "sample_sizes": facts.tables["sample_sizes"].assign(cost=0.0),
        "decisions": make_decisions().assign(
            cost=np.nan, expected_n_control=[75.0, 70.0], expected_regret=[64.05, 0.44]
        ),
    }
    facts = replace(facts, tables={**facts.tables, **free})
    text = " ".join(describe_answer(facts).details)
    assert "on average 0.4 people in the control arm above the best choice" in text
    assert "smaller than enrolling everyone with a probability of 96\u00a0%" in text
    blocks = describe_comparison(facts).blocks
    (decision,) = [one for one in blocks if isinstance(one, Table) and one.title == "Decision"]
    assert [row[5].text for row in decision.rows] == ["0.4", "64.0"]


@pytest.mark.parametrize(
    ("probability", "shown"),
    [
        (0.995, "over 99\u00a0%"),
        (0.994, "99\u00a0%"),
        (0.005, "under 1\u00a0%"),
        (0.006, "1\u00a0%"),
    ],
)
def test_no_chance_is_shown_as_none_or_as_certain(probability: float, shown: str) -> None:
    assert show_chance(probability) == shown


def test_decision_and_archive_stand_with_the_choices(facts_of: Callable[..., StudyFacts]) -> None:
    blocks = describe_comparison(facts_of()).blocks
    tables = {block.title: block for block in blocks if isinstance(block, Table)}
    decision = tables["Decision"]
    assert [row[0].text for row in decision.rows] == ["BrLP", "Random"]
    assert decision.rows[0][2].text == "90\u00a0%"
    assert decision.rows[0][5].text == "0.30"
    balance = tables["Archive and screened people at baseline"].rows[0]
    assert [cell.text for cell in balance[1:]] == ["0.62", "0.00", "350", "143", "4"]
    every = describe_all_rows(facts_of()).blocks[-1]
    assert isinstance(every, Table)
    assert [cell.text for cell in every.rows[0][1:4]] == ["Age, years", "0.62", "0.00"]


def test_proposal_of_a_choice_that_the_study_lacks_is_passed_over(
    facts_of: Callable[..., StudyFacts],
) -> None:
    found = choose(facts_of(strategy="another"))
    assert found is not None
    assert found.proposal is None


def test_what_the_claim_of_enrichment_hangs_on_is_told(facts_of: Callable[..., StudyFacts]) -> None:
    facts = facts_of()
    row = (
        facts.tables["sensitivity"]
        .iloc[:1]
        .assign(parameter=BREAK_EVEN, low_value=0.74, high_value=1.0)
    )
    table = pd.concat([facts.tables["sensitivity"], row])
    hangs = replace(facts, tables={**facts.tables, "sensitivity": table})
    said = "at 0.74 times that of everyone the saving vanishes"
    assert said in " ".join(describe_answer(hangs).details)
    assert said in str(describe_sensitivity(hangs).blocks[-1])
    assert "the saving vanishes" not in " ".join(describe_answer(facts).details)


def test_strategies_that_learned_from_other_people_are_marked(
    facts_of: Callable[..., StudyFacts],
) -> None:
    facts = facts_of()
    assert "\u2020" not in str(describe_comparison(facts))
    writer = facts.writers["scores"]
    told = json.dumps({**facts.config(writer), "cohort": {"training": "archive"}})
    config = facts.runs["config"].mask(facts.runs["run_id"] == writer, told)
    archived = replace(facts, runs=facts.runs.assign(config=config))
    own = set(facts.ask(queries.CROSS_FITTED, "scores")["strategy"])
    assert own
    table = describe_comparison(archived).blocks[0]
    assert isinstance(table, Table)
    assert "learned from the screened people themselves" in table.note
    marked = {row[0].text for row in table.rows if "\u2020" in row[0].text}
    assert marked == {f"{strategy_label(name)}\u00a0\u2020" for name in own}
