"""Measured change and the baseline table, against numbers worked out by hand."""

import pandas as pd
import pytest

from cohorts.cohort import Cohort
from cohorts.errors import CohortError

MONTHS = {"a": [0, 12, 25], "b": [0, 20, 30], "c": [0]}
MM3 = {"a": [7000, 6900, 6790], "b": [6000, 5700, 5400], "c": [6500]}


@pytest.fixture
def cohort() -> Cohort:
    participants = pd.DataFrame(
        {
            "participant_id": list("cab"),
            "sex": ["F", "M", "F"],
            "age_years": [70.0, 71.0, 72.0],
            "diagnosis": ["CN", "MCI", "AD"],
            "mmse": [29, 27, 22],
        }
    )
    rows = [
        (person, f"ses-{i + 1}", month, volume)
        for person in "abc"
        for i, (month, volume) in enumerate(zip(MONTHS[person], MM3[person], strict=True))
    ]
    visits = pd.DataFrame(
        rows, columns=["participant_id", "session_id", "months_from_baseline", "volume_mm3"]
    )
    volumes = visits.assign(region="hippocampus", source="test").drop(
        columns="months_from_baseline"
    )
    return Cohort(
        participants,
        visits.drop(columns="volume_mm3").assign(
            age_years=70.0, diagnosis="CN", image_path=None, segmentation_path=None
        ),
        volumes,
    )


def test_change_is_to_the_visit_nearest_the_horizon(cohort: Cohort) -> None:
    change = cohort.change("hippocampus", 24, window_months=6).set_index("participant_id")
    assert change["months"].to_dict() == {"a": 25, "b": 20}
    assert change["change_mm3"].to_dict() == {"a": -210, "b": -300}
    assert change.loc["a", "change_percent"] == pytest.approx(-3.0)
    assert change.loc["b", "annual_change_percent"] == pytest.approx(-5.0 * 12 / 20)


def test_people_without_a_visit_in_the_window_are_absent(cohort: Cohort) -> None:
    change = cohort.change("hippocampus", 12, window_months=1)
    assert change["participant_id"].tolist() == ["a"]


def test_change_can_start_at_a_later_visit(cohort: Cohort) -> None:
    change = cohort.change("hippocampus", 12, from_visit=1)
    assert change.set_index("participant_id")["months"].to_dict() == {"a": 13, "b": 10}
    assert change["baseline_volume_mm3"].tolist() == [6900, 5700]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"horizon_months": 0}, "above 0"),
        ({"horizon_months": 6, "window_months": 9}, "from 0 up to the horizon"),
        ({"horizon_months": 12, "region": "amygdala"}, "no volumes of amygdala: it has hippoc"),
    ],
)
def test_impossible_change_is_refused(cohort: Cohort, asked: dict[str, object], words: str) -> None:
    with pytest.raises(CohortError, match=words):
        cohort.change(**{"region": "hippocampus", **asked})  # type: ignore[arg-type]


def test_baseline_table_is_in_order_of_names_and_holds_the_first_visit(cohort: Cohort) -> None:
    table = cohort.baseline()
    assert table.index.tolist() == list("abc")
    assert table["hippocampus_mm3"].tolist() == [7000, 6000, 6500]
    assert table["mmse"].tolist() == [27, 22, 29]


def test_baseline_table_does_not_see_later_visits(cohort: Cohort) -> None:
    later = cohort.volumes["session_id"] != "ses-1"
    changed = cohort.volumes.assign(volume_mm3=cohort.volumes["volume_mm3"].where(~later, 1.0))
    other = Cohort(cohort.participants, cohort.visits, changed)
    pd.testing.assert_frame_equal(cohort.baseline(), other.baseline())


def test_volumes_of_two_segmentations_are_not_mixed(cohort: Cohort) -> None:
    twice = pd.concat([cohort.volumes, cohort.volumes.assign(source="other")])
    both = Cohort(cohort.participants, cohort.visits, twice.reset_index(drop=True))
    with pytest.raises(CohortError, match=r"several sources \(other, test\)"):
        both.baseline()


def test_a_visit_as_near_to_two_times_stands_for_the_earlier(cohort: Cohort) -> None:
    found = cohort.volumes_near([14, 26], region="hippocampus", window_months=6)
    stands = found.set_index(["participant_id", "session_id"])["planned_months"]
    assert stands["b", "ses-2"] == 14  # seen at month 20
