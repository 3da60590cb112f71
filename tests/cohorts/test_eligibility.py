"""Criteria keep whom they should, and count who fails what."""

import pandas as pd
import pytest

from cohorts.cohort import Cohort
from cohorts.eligibility import parse_criterion, screen_cohort
from cohorts.errors import CohortError
from cohorts.schema import validate_table

AGES = [50.0, 55.0, 70.0, 85.0, 90.0, 60.0]
MMSE = [29.0, 20.0, None, 28.0, 25.0, 24.0]


@pytest.fixture
def cohort() -> Cohort:
    people = [f"p{i}" for i in range(6)]
    participants = pd.DataFrame(
        {
            "participant_id": people,
            "sex": "F",
            "age_years": AGES,
            "diagnosis": ["CN", "MCI", "MCI", "AD", "AD", "MCI"],
            "mmse": MMSE,
            "site": ["1", "2", "3", "3", "1", "2"],
        }
    )
    visits = pd.DataFrame({"participant_id": people, "session_id": "ses-1", "age_years": AGES})
    visits = visits.assign(
        months_from_baseline=0.0, diagnosis="CN", image_path=None, segmentation_path=None
    )
    volumes = visits[["participant_id", "session_id"]].assign(
        region="hippocampus", volume_mm3=[7e3, 6e3, 6.5e3, 5e3, 5.5e3, 7e3], source="test"
    )
    return Cohort(participants, visits, volumes)


@pytest.mark.parametrize(
    ("criterion", "kept"),
    [
        ("age_years between 55 and 85", "1235"),
        ("age_years > 55", "2345"),
        ("age_years >= 55", "12345"),
        ("age_years < 55", "0"),
        ("mmse between 20 and 28", "1345"),
        ("diagnosis in MCI, AD", "12345"),
        ("diagnosis not in CN", "12345"),
        ("diagnosis == MCI", "125"),
        ("site != 3", "0145"),
        ("mmse in 20, 24", "15"),
        ("hippocampus_mm3 <= 6000", "134"),
    ],
)
def test_criterion_keeps_whom_it_should(cohort: Cohort, criterion: str, kept: str) -> None:
    eligible = screen_cohort(cohort, [criterion]).eligible
    assert eligible.participants["participant_id"].tolist() == [f"p{i}" for i in kept]
    assert set(eligible.volumes["participant_id"]) == set(eligible.visits["participant_id"])


def test_flow_counts_one_criterion_after_another(cohort: Cohort) -> None:
    criteria = ["age_years between 55 and 85", "diagnosis in MCI, AD", "mmse >= 24"]
    screening = screen_cohort(cohort, criteria)
    flow = validate_table(screening.flow, "screening_flow")
    assert flow["n_entering"].tolist() == [6, 4, 4]
    assert flow["n_failed"].tolist() == [2, 0, 2]
    assert flow["n_remaining"].tolist() == [4, 4, 2]
    assert flow["n_failed_alone"].tolist() == [2, 1, 2]
    assert flow["n_missing"].tolist() == [0, 0, 1]


def test_failures_name_every_criterion_that_a_person_fails(cohort: Cohort) -> None:
    failures = screen_cohort(cohort, ["age_years >= 55", "diagnosis != CN"]).failures
    first = failures[failures["participant_id"] == "p0"]
    assert first["criterion"].tolist() == ["age_years >= 55", "diagnosis != CN"]
    assert first["value"].tolist() == ["50.0", "CN"]


def test_order_of_criteria_does_not_change_who_is_eligible(cohort: Cohort) -> None:
    criteria = ["mmse >= 24", "age_years between 55 and 85", "site in 2, 3"]
    kept = [
        screen_cohort(cohort, order).eligible.participants["participant_id"].tolist()
        for order in (criteria, criteria[::-1])
    ]
    assert kept[0] == kept[1] == ["p3", "p5"]


def test_no_criteria_keep_everyone(cohort: Cohort) -> None:
    screening = screen_cohort(cohort, [])
    assert len(screening.eligible.participants) == 6
    assert screening.flow.empty


@pytest.mark.parametrize(
    ("criterion", "words"),
    [
        ("age_years", "must read like 'age_years between 55 and 85'"),
        ("age_years between 85 and 55", "limits the wrong way round"),
        ("age_years between a and b", "must read like|asks for"),
        ("months >= 3", "asks for months, which is not known at baseline"),
        ("diagnosis > CN", "compares by size"),
        ("age_years > old", "compares by size"),
        ("age_years > 100", "Nobody of 6 people is eligible; .* age_years > 100: 6"),
    ],
)
def test_impossible_criterion_is_refused(cohort: Cohort, criterion: str, words: str) -> None:
    with pytest.raises(CohortError, match=words):
        screen_cohort(cohort, [criterion])


def test_all_wrong_criteria_are_told_at_once(cohort: Cohort) -> None:
    with pytest.raises(CohortError) as caught:
        screen_cohort(cohort, ["nonsense", "height >= 3"])
    assert len(caught.value.problems) == 2


def test_parse_criterion_reads_lists() -> None:
    assert parse_criterion("site not in 3, 4").operands == ("3", "4")
