"""Visits that stand in columns of one row a person."""

from pathlib import Path

import pytest

from cohorts.errors import CohortError
from cohorts.sources.loading import load_cohort


def test_waves_in_columns_give_the_visits_of_rows(tmp_path: Path) -> None:
    (tmp_path / "wide.csv").write_text(
        "id,sex,dx,AgeMRI_W1,AgeMRI_W2,MMSE_W1,MMSE_W2\na,F,CN,70,72,29,28\nb,M,MCI,65,n/a,27,\n"
    )
    cohort = load_cohort(tmp_path / "wide.csv", column_map={"AgeMRI": "age_years"})
    assert cohort.visits["session_id"].tolist() == ["W1", "W2", "W1"]
    assert cohort.visits["months_from_baseline"].tolist() == [0, 24, 0]
    assert cohort.participants["mmse"].tolist() == [29, 27]


SPELLED = [
    ("age,hippocampus_mm3_bl,hippocampus_mm3_m12,hippocampus_mm3_m24", "", "bl"),
    ("age_bl,hippocampus_mm3_bl,hippocampus_mm3_m12,hippocampus_mm3_m24", "", "bl"),
    ("age,Left-Hippocampus_bl,Left-Hippocampus_M12,Left-Hippocampus_y2", "left_", "bl"),
    ("age,hippocampus_mm3,hippocampus_mm3_m12,hippocampus_mm3_m24", "", "bl"),
    ("age,hippocampus_baseline_mm3,hippocampus_m12_mm3,hippocampus_24mo_mm3", "", "baseline"),
    ("age,HV_bl,HV_m12,HV_m24", "", "bl"),
]


@pytest.mark.parametrize(("columns", "side", "first"), SPELLED)
def test_times_in_columns_give_visits_at_those_months(
    columns: str, side: str, first: str, tmp_path: Path
) -> None:
    rows = "a,F,CN,70,3500,3400,3300\nb,M,AD,65,3000,2900,\nc,M,AD,66,,2800,2700\n"
    (tmp_path / "t.csv").write_text(f"id,sex,dx,{columns}\n{rows}")
    stated = {"HV": "hippocampus_mm3"} if "HV" in columns else {}
    cohort = load_cohort(tmp_path / "t.csv", column_map=stated)
    visits = cohort.visits
    assert visits["session_id"].tolist() == [
        *(first, "m12", "m24"), *(first, "m12"), *(first, "m12", "m24"),
    ]  # fmt: skip
    assert visits["months_from_baseline"].tolist() == [0, 12, 24, 0, 12, 0, 12, 24]
    assert visits["age_years"].tolist() == [70, 71, 72, 65, 66, 66, 67, 68]
    found = cohort.visit_volumes([f"{side}hippocampus"])[f"{side}hippocampus"]
    assert found.fillna(0).tolist() == [3500, 3400, 3300, 3000, 2900, 0, 2800, 2700]


@pytest.mark.parametrize(
    ("ends", "sessions", "months"),
    [
        *((ends, ["bl", "week24", "week52"], [0, 5.52, 11.959]) for ends in (
            ("bl", "week24", "week52"), ("bl", "wk24", "52wk"), ("bl", "W24", "w52"),
        )),
        (("w0", "w12", "w24"), ["week0", "week12", "week24"], [0, 2.76, 5.52]),
        (("bl", "y0.5", "yr1.5"), ["bl", "m06", "m18"], [0, 6, 18]),
        (("bl", "y0.3", "0.6yr"), ["bl", "y0.3", "y0.6"], [0, 3.6, 7.2]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("unit", ["{}", "mm3_{}", "{}_mm3"])
def test_weeks_and_parts_of_years_in_columns_give_visits(
    ends: tuple[str, ...], sessions: list[str], months: list[float], unit: str, tmp_path: Path
) -> None:
    columns = ",".join(f"hippocampus_{unit.format(end)}" for end in ends)
    (tmp_path / "t.csv").write_text(f"id,sex,dx,age,{columns}\na,F,CN,70,3500,3400,3300\n")
    cohort = load_cohort(tmp_path / "t.csv")
    assert cohort.visits["session_id"].tolist() == sessions
    assert cohort.visits["months_from_baseline"].tolist() == pytest.approx(months, abs=1e-3)
    assert cohort.volumes["volume_mm3"].tolist() == [3500, 3400, 3300]


def test_a_number_after_w_is_a_wave_and_no_name_of_something_else_a_week(tmp_path: Path) -> None:
    head = "hippocampus_mm3_W1,hippocampus_mm3_W2,cg_52w,snp_w99,omega_w3"
    (tmp_path / "t.csv").write_text(
        f"id,sex,dx,age_W1,age_W2,{head}\na,F,CN,70,71,3500,3400,1,2,3\n"
    )
    cohort = load_cohort(tmp_path / "t.csv")
    assert cohort.visits["session_id"].tolist() == ["W1", "W2"]
    assert cohort.visits["months_from_baseline"].tolist() == [0, 12]


@pytest.mark.parametrize(
    ("columns", "first"),
    [
        ("hippocampus_mm3_bl,hippocampus_mm3_m12,dx_y0,dx_y1", "bl"),
        ("dx_0mo,dx_12m,hippocampus_mm3,hippocampus_mm3_m12", "0mo"),
        ("hippocampus_mm3_m00,hippocampus_mm3_m12,dx_baseline,dx_yr1", "m00"),
        ("hippocampus_mm3_bl,hippocampus_mm3_m12,dx_sc,dx_m12", "bl"),
    ],
)
def test_the_baseline_is_one_visit_however_columns_spell_it(
    columns: str, first: str, tmp_path: Path
) -> None:
    row = ["7000,6900", "MCI,AD"] if columns.startswith("hippo") else ["MCI,AD", "7000,6900"]
    (tmp_path / "t.csv").write_text(f"id,sex,age,{columns}\na,F,70,{','.join(row)}\n")
    cohort = load_cohort(tmp_path / "t.csv")
    assert cohort.visits["session_id"].tolist() == [first, "m12"]
    assert cohort.visits["diagnosis"].tolist() == ["MCI", "AD"]
    assert cohort.volumes["volume_mm3"].tolist() == [7000, 6900]


@pytest.mark.parametrize(
    "stated",
    [{"diag": "diagnosis"}, {"diag_m12": "diagnosis_m12", "diag_bl": "diagnosis_bl"}],
)
def test_a_stated_diagnosis_of_each_visit_is_that_at_baseline_first(
    stated: dict[str, str], tmp_path: Path
) -> None:
    head = "id,sex,age,hippocampus_mm3_bl,hippocampus_mm3_m12"
    (tmp_path / "t.csv").write_text(f"{head},diag_bl,diag_m12\na,F,70,7000,6900,MCI,AD\n")
    cohort = load_cohort(tmp_path / "t.csv", column_map=stated)
    assert cohort.visits["diagnosis"].tolist() == ["MCI", "AD"]
    (tmp_path / "t.csv").write_text(f"{head},diag_m12\na,F,70,7000,6900,AD\n")
    with pytest.raises(
        CohortError, match="column diag: got nothing at baseline and a diagnosis later"
    ):
        load_cohort(tmp_path / "t.csv", column_map={"diag": "diagnosis"})


@pytest.mark.parametrize("ends", [("_bl", "_m12"), ("_W1", "_W2")])
@pytest.mark.parametrize(
    ("column", "value", "region"),
    [("icv", 1.5e6, "head_size_mm3"), ("brain_ml", 1200, "brain"), ("brain_mm3", 1.2e6, "brain")],
)
def test_a_volume_that_a_wide_table_tells_once_is_that_at_baseline(
    ends: tuple[str, str], column: str, value: float, region: str, tmp_path: Path
) -> None:
    names = [f"{name}{end}" for name in ("months", "hippocampus_mm3") for end in ends]
    (tmp_path / "t.csv").write_text(
        f"id,sex,dx,age,{column},{','.join(names)}\na,F,CN,70,{value},0,12,7000,6900\n"
    )
    cohort = load_cohort(tmp_path / "t.csv")
    volumes = cohort.volumes.query("region == @region")
    assert volumes["session_id"].tolist() == [{"_bl": "bl", "_W1": "W1"}[ends[0]]]
    assert volumes["volume_mm3"].item() == pytest.approx(value * (1000 if "ml" in column else 1))


def test_what_only_later_visits_tell_makes_no_visit_of_a_row(tmp_path: Path) -> None:
    head = "id,sex,dx,age,hippocampus_mm3,hippocampus_mm3_bl,dx_m24,converter_m24"
    (tmp_path / "t.csv").write_text(f"{head}\na,F,CN,70,7000,7000,AD,1\nb,M,AD,60,6000,6000,AD,0\n")
    cohort = load_cohort(tmp_path / "t.csv")
    assert cohort.visits["session_id"].tolist() == ["ses-01"] * 2
    assert any("dx_m24, converter_m24" in note for note in cohort.notes)


def test_two_columns_of_one_volume_at_baseline_are_named(tmp_path: Path) -> None:
    head = "id,sex,dx,age,hippocampus_mm3,hippocampus_mm3_bl,hippocampus_mm3_m12"
    (tmp_path / "t.csv").write_text(f"{head}\na,F,CN,70,7000,7000,6900\n")
    with pytest.raises(CohortError, match="Several columns hold hippocampus_mm3 of visit bl"):
        load_cohort(tmp_path / "t.csv")


def test_rows_that_are_visits_repeat_what_was_at_baseline(tmp_path: Path) -> None:
    rows = "a,F,CN,70,0,3500,3600\na,F,CN,71,12,3400,3600\n"
    columns = "months,left_hippocampus,right_hippocampus_bl"
    (tmp_path / "t.csv").write_text(f"id,sex,dx,age,{columns}\n{rows}")
    assert load_cohort(tmp_path / "t.csv").volumes["volume_mm3"].tolist() == [3500, 3400]


def test_person_without_the_first_wave_has_no_baseline(tmp_path: Path) -> None:
    (tmp_path / "wide.csv").write_text(
        "id,sex,dx,age_W1,age_W2\na,F,CN,70,72\nb,M,MCI,n/a,65\nc,M,AD,66,67\n"
    )
    with pytest.raises(CohortError, match="no baseline visit: got 'W2' first, W1 is expected"):
        load_cohort(tmp_path / "wide.csv")
