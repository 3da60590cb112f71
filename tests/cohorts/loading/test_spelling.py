"""What is loaded does not depend on how it was written down."""

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cohorts.cohort import Cohort
from cohorts.errors import CohortError
from cohorts.sources.loading import load_cohort
from tests.cohorts.loading.made_table import TABLES, make_table

few_examples = settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def assert_same(first: Cohort, second: Cohort) -> None:
    for table in TABLES:
        keys = [
            name
            for name in ("participant_id", "session_id", "region")
            if name in getattr(first, table)
        ]
        one, two = (
            getattr(cohort, table).drop(columns="source", errors="ignore").sort_values(keys)
            for cohort in (first, second)
        )
        pd.testing.assert_frame_equal(
            one.reset_index(drop=True), two.reset_index(drop=True), check_like=True
        )


@few_examples
@given(order=st.permutations(range(12)), columns=st.permutations(range(7)))
def test_order_of_rows_and_columns_does_not_matter(
    order: list[int], columns: list[int], tmp_path: Path
) -> None:
    table = make_table()
    table.to_csv(tmp_path / "a.csv", index=False)
    table.iloc[order, columns].to_csv(tmp_path / "b.csv", index=False)
    assert_same(load_cohort(tmp_path / "a.csv"), load_cohort(tmp_path / "b.csv"))


@few_examples
@given(
    suffix=st.sampled_from([".csv", ".tsv", ".parquet"]),
    unit=st.sampled_from(["mm3", "ml", "cm3"]),
    age=st.sampled_from(["age", "AGE", "Age_Years", "age at visit"]),
    person=st.sampled_from(["subject_id", "PTID", "participant_id"]),
)
def test_spelling_unit_and_format_do_not_matter(
    suffix: str, unit: str, age: str, person: str, tmp_path: Path
) -> None:
    table = make_table()
    table.to_csv(tmp_path / "a.csv", index=False)
    other = table.rename(columns={"age_years": age, "participant_id": person})
    for side in ("left", "right"):
        mm3 = other.pop(f"{side}_hippocampus_mm3")
        other[f"{side}_hippocampus_{unit}"] = mm3 if unit == "mm3" else mm3 / 1000
    path = tmp_path / f"b{suffix}"
    if suffix == ".parquet":
        other.to_parquet(path)
    else:
        other.to_csv(path, index=False, sep="," if suffix == ".csv" else "\t")
    assert_same(load_cohort(tmp_path / "a.csv"), load_cohort(path))


def test_two_columns_that_are_stated_as_one_are_named(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,sex,dx,age,hippocampus_mm3,A,B\na,F,CN,70,7000,29,28\n")
    with pytest.raises(CohortError) as told:
        load_cohort(tmp_path / "t.csv", column_map={"A": "mmse", "B": "mmse"})
    assert str(told.value) == "t.csv has several columns stated as mmse (A, B): map one of them."


@pytest.mark.parametrize(
    "column", ["m12_hippocampus_vol", "HippVol", "hippocampal stuff", "hippocampus_mm3_V2"]
)
def test_people_without_a_volume_are_refused_where_a_column_looks_like_one(
    column: str, tmp_path: Path
) -> None:
    (tmp_path / "t.csv").write_text(f"id,sex,dx,age,{column}\na,F,CN,70,7000\nb,M,AD,60,6000\n")
    with pytest.raises(CohortError, match=f"columns look like volumes .{column}.: say what they"):
        load_cohort(tmp_path / "t.csv")
    cohort = load_cohort(tmp_path / "t.csv", ignore=[column])
    assert any("Nobody has a volume or a scan" in note for note in cohort.notes)
    mapped = load_cohort(tmp_path / "t.csv", column_map={column: "hippocampus_mm3"})
    assert len(mapped.volumes) == 2


def test_covariates_that_look_like_regions_are_told(tmp_path: Path) -> None:
    header = "id,sex,dx,age,hippocampus_mm3,L_Hipp,hippo_left,hippocampal_sclerosis,apoe4"
    (tmp_path / "t.csv").write_text(
        f"{header}\na,F,CN,70,7000,3400,3.4,0,1\nb,M,AD,60,6000,2900,2.9,1,0\n"
        "c,M,AD,61,6100,2950,2.95,0,2\n"
    )
    (note,) = [one for one in load_cohort(tmp_path / "t.csv").notes if "look like regions" in one]
    assert note == (
        "Read as covariates, not as volumes, though their names look like regions: L_Hipp, "
        "hippo_left. --map L_Hipp=REGION_mm3 (or _ml) says which region one is, such as "
        "left_hippocampus_mm3; --ignore L_Hipp leaves it out."
    )
    settled = load_cohort(
        tmp_path / "t.csv", column_map={"L_Hipp": "left_hippocampus_mm3"}, ignore=["hippo_left"]
    )
    assert not [one for one in settled.notes if "look like regions" in one]
    assert "left_hippocampus" in set(settled.volumes["region"])


def test_of_visits_at_one_time_the_first_by_name_counts_in_any_order_of_rows(
    tmp_path: Path,
) -> None:
    rows = [
        *("a,x,0,70,F,CN,3000,30", "a,y,0,70,F,CN,3300,20"),
        *("a,z,12,71,F,CN,2900,10", "a,w,12,71,F,CN,2700,15"),
        *("b,x,0,70,M,CN,3000,30", "b,z,12,71,M,CN,2900,12"),
    ]
    header = "participant_id,session_id,months_from_baseline,age_years,sex,diagnosis"
    for ordered in (rows, rows[::-1]):
        (tmp_path / "p.csv").write_text("\n".join([f"{header},hippocampus_mm3,mmse", *ordered]))
        cohort = load_cohort(tmp_path / "p.csv")
        table = cohort.baseline()[["mmse", "hippocampus_mm3"]]
        assert table.to_numpy().tolist() == [[30, 3000]] * 2
        assert cohort.change("hippocampus", 12)["change_mm3"].tolist() == [-300, -100]
        assert any("1 person has several visits at one time" in note for note in cohort.notes)


def test_both_sides_are_left_plus_right_where_only_those_are_given(tmp_path: Path) -> None:
    table = make_table()
    table.to_csv(tmp_path / "p.csv", index=False)
    both = load_cohort(tmp_path / "p.csv").baseline()["hippocampus_mm3"]
    first = table.drop_duplicates("participant_id")
    sides = first["left_hippocampus_mm3"] + first["right_hippocampus_mm3"]
    assert both.to_numpy() == pytest.approx(sides.to_numpy())


def test_paths_of_scans_do_not_hang_on_the_folder_that_they_were_read_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "people.csv"
    table.write_text("participant_id,age,sex,diagnosis\np1,70,F,CN\n")
    monkeypatch.chdir(tmp_path)
    (source,) = load_cohort("people.csv").sources
    assert source == table
