"""Which people, which visit and which measurement is meant is asked of the cohort itself."""

import pandas as pd
import pytest

from cohorts.baseline import build_baseline_table
from cohorts.cohort import Cohort
from cohorts.errors import CohortError


def make_cohort(*, two_tools: bool = False) -> Cohort:
    """Two people, visits at month 0, 11 and 13; 7,000 mm3 less one a month."""
    months = [0.0, 11.0, 13.0]
    people = pd.DataFrame(
        {"participant_id": ["a", "b"], "sex": "F", "age_years": 70.0, "diagnosis": "CN"}
    )
    visits = pd.DataFrame(
        [
            {"participant_id": p, "session_id": f"m{m:g}", "months_from_baseline": m}
            for p in "ab"
            for m in months
        ]
    ).assign(age_years=70.0, diagnosis="CN", image_path=None, segmentation_path=None)
    volumes = visits[["participant_id", "session_id"]].assign(
        region="hippocampus", volume_mm3=7000 - visits["months_from_baseline"], source="x"
    )
    if two_tools:
        second = volumes.assign(source="y", volume_mm3=volumes["volume_mm3"] + 900)
        volumes = pd.concat([volumes, second], ignore_index=True)
    return Cohort(people, visits, volumes)


def test_selected_people_take_their_visits_and_volumes_along() -> None:
    chosen = make_cohort().select(["b"])
    assert set(chosen.visits["participant_id"]) == set(chosen.volumes["participant_id"]) == {"b"}
    with pytest.raises(CohortError, match="has no zz"):
        make_cohort().select(["a", "zz"])


def test_nearest_visit_stands_for_a_time_and_the_earlier_of_two() -> None:
    cohort = make_cohort()
    assert cohort.volumes_at("hippocampus", 12).tolist() == [6989, 6989]
    assert cohort.volumes_at("hippocampus", 14).tolist() == [6987, 6987]
    assert cohort.volumes_at("hippocampus", 14, window_months=0.5).empty
    assert cohort.volumes_at("hippocampus", 0).tolist() == [7000, 7000]


def test_two_tools_at_one_visit_are_an_error_until_one_is_chosen() -> None:
    cohort = make_cohort(two_tools=True)
    for ask in (
        lambda: cohort.get_volumes(),
        lambda: cohort.volumes_at("hippocampus", 0),
        lambda: build_baseline_table(cohort),
    ):
        with pytest.raises(CohortError, match=r"several sources \(x, y\): keep one"):
            ask()
    chosen = cohort.select(source="y")
    assert chosen.volumes_at("hippocampus", 0).tolist() == [7900, 7900]
    with pytest.raises(CohortError, match="no volumes from z: it has those from x, y"):
        cohort.select(source="z")


def test_cohort_says_what_it_is_in_one_line() -> None:
    assert repr(make_cohort()) == "<Cohort cohort: 2 people, 6 visits, 6 volumes from x>"
