"""Which people, which visit and which measurement is meant is asked of the cohort itself."""

from pathlib import Path

import pandas as pd
import pytest

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


def test_people_and_visits_stand_in_the_same_order_in_whatever_order_they_came() -> None:
    cohort = make_cohort()
    tables = (cohort.participants, cohort.visits, cohort.volumes)
    other = Cohort(*(table.iloc[::-1] for table in tables))
    for name in ("participants", "visits"):
        pd.testing.assert_frame_equal(getattr(other, name), getattr(cohort, name))
    pd.testing.assert_frame_equal(other.baseline(), cohort.baseline())


def test_a_visit_stands_for_one_planned_time_and_the_baseline_for_itself() -> None:
    cohort = make_cohort()
    found = cohort.volumes_near([0.0, 2.0, 12.0, 13.0, 15.0], window_months=3)
    mine = found[found["participant_id"] == "a"]
    # month 11 is nearest 12, month 13 is 13's; the baseline is within 3 months of 2, but not of it
    assert dict(zip(mine["planned_months"], mine["months_from_baseline"], strict=True)) == {
        0: 0,
        12: 11,
        13: 13,
    }
    assert cohort.volumes_at("hippocampus", 2).empty
    with pytest.raises(CohortError, match="window_months must be 0 or more"):
        cohort.volumes_at("hippocampus", 12, window_months=-1)


def test_what_is_known_at_a_time_holds_nothing_later() -> None:
    known = make_cohort().until(11)
    assert known.visits["months_from_baseline"].max() == 11
    assert set(known.volumes["session_id"]) == {"m0", "m11"}
    assert make_cohort().visit(2)["months_from_baseline"].tolist() == [13, 13]


def test_visits_have_a_row_with_what_was_measured_at_them() -> None:
    wide = make_cohort().visit_volumes(["hippocampus", "amygdala"])
    assert wide["hippocampus"].tolist() == [7000, 6989, 6987] * 2
    assert wide["amygdala"].isna().all()


def test_a_cohort_is_read_as_it_was_written(tmp_path: Path) -> None:
    cohort = make_cohort()
    cohort.write(str(tmp_path / "people"))
    again = Cohort.read(str(tmp_path / "people"))
    for name in ("participants", "visits", "volumes"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(cohort, name))


def test_two_tools_at_one_visit_are_an_error_until_one_is_chosen() -> None:
    cohort = make_cohort(two_tools=True)
    for ask in (
        lambda: cohort.get_volumes(),
        lambda: cohort.volumes_at("hippocampus", 0),
        lambda: cohort.baseline(),
        lambda: cohort.change("hippocampus", 12),
        lambda: cohort.visit_volumes(),
        lambda: cohort.volumes_of("a", "m0"),
    ):
        with pytest.raises(CohortError, match=r"several sources \(x, y\): keep those of one"):
            ask()
    chosen = cohort.select(source="y")
    assert chosen.volumes_at("hippocampus", 0).tolist() == [7900, 7900]
    with pytest.raises(CohortError, match="no volumes from z: it has those from x, y"):
        cohort.select(source="z")


def test_cohort_says_what_it_is_in_one_line() -> None:
    assert repr(make_cohort()) == "<Cohort cohort: 2 people, 6 visits, 6 volumes from x>"
