"""What became of people after baseline is left out."""

from pathlib import Path

import pandas as pd
import pytest

from cohorts.errors import CohortError
from cohorts.sources.loading import load_cohort
from tests.cohorts.loading.made_table import make_table


def test_columns_from_after_baseline_are_left_out(tmp_path: Path) -> None:
    later = ["last_diagnosis", "MRIW1toW2", "converter", "cdr_m12", "cdr_month6", "cdr_12mo"]
    later += ["cdr_week52", "cdr_24wk", "cdr_yr1", "cdr_2years", "yr0.5_cdr", "1.5yr_cdr"]
    own = ["cdr_month0", "cdr_week0", "cdr_00mo", "week_hours", "yrs", "years_2nd", "site"]
    table = make_table().assign(**dict.fromkeys(later, 1), **dict.fromkeys(own, 3))
    table.to_csv(tmp_path / "p.csv", index=False)
    cohort = load_cohort(tmp_path / "p.csv")
    assert {*later, *own} & set(cohort.participants) == set(own)
    assert any("last_diagnosis" in note for note in cohort.notes)
    assert cohort.participants["site"].tolist() == ["3"] * 6


LATER = [
    *("cdr_24m", "cdr_12m", "cdr_m6", "cdr_y2", "cdr_2y", "cdr_y0.5", "cdr_52w", "cdr_w52"),
    *("mmse_y2", "mmse_12m", "MMSE.m24", "MMSE m24", "mmse-24months", "mmse24m", "dxM24"),
    *("cdr_month_24", "cdr_24_months", "cdr_year_2", "cdr_12mos", "cdr_6mths", "cdr_day730"),
    *("y2_cdr", "24m_cdr", "visit2_cdr", "visit_2_mmse", "cdr_V2", "cdr_wave2", "cdr_ses-02"),
    *("cdr_fu", "cdr_fu1", "cdr_followup", "progressor", "progressed", "pMCI", "time_to_event"),
    *("months_to_ad", "age_at_death", "died", "censored", "dropout", "mmse_change", "delta_mmse"),
    *("mmse_slope", "annualized_loss", "atrophy_rate", "m24_hippocampus_mm3", "hippocampus_fu_ml"),
]


OWN = [
    *("cdr_m0", "cdr_m00", "cdr_y0", "cdr_0mo", "m1_thickness", "t2_lesions", "apoe4_years", "v1"),
    *("gait_4m", "walk_10m", "sf_36", "ADAS13", "ptau181", "heart_rate", "eos", "weekly_hours"),
    *("cdr_V1", "visit_reason", "cdr_d1", "years_smoked", "m1_hippocampus_mm3"),
]


@pytest.mark.parametrize("n_visits", [1, 2])
def test_names_of_later_times_and_of_what_became_of_people_reach_no_score(
    n_visits: int, tmp_path: Path
) -> None:
    table = pd.DataFrame(
        {"id": list("abcd"), "sex": list("FMFM"), "dx": "MCI", "age": 70, "hippocampus_mm3": 7000}
    )
    visits = [table.assign(age=70 + i, visit_id=f"ses-0{i + 1}") for i in range(n_visits)]
    columns = dict.fromkeys([*LATER, *OWN], 3000)
    pd.concat(visits).assign(**columns).to_csv(tmp_path / "p.csv", index=False)
    cohort = load_cohort(tmp_path / "p.csv")
    regions = [name for name in OWN if "mm3" in name]
    assert {*cohort.participants} & {*columns} == {*OWN} - {*regions}
    assert {*cohort.volumes["region"]} == {"hippocampus", "m1_hippocampus"}
    kept = load_cohort(tmp_path / "p.csv", column_map={"cdr_24m": "gait"}).participants
    assert kept["gait"].tolist() == [3000] * 4


@pytest.mark.parametrize("n_visits", [1, 2])
def test_what_was_known_at_baseline_is_kept_as_its_note_says(n_visits: int, tmp_path: Path) -> None:
    table = make_table().assign(walk_6m=400, falls_12m=1)
    table.groupby("participant_id").head(n_visits).to_csv(tmp_path / "p.csv", index=False)
    (note,) = [one for one in load_cohort(tmp_path / "p.csv").notes if "walk_6m, falls_12m" in one]
    assert "One that was known at baseline, such as a walk of 6 minutes, is kept" in note
    assert note.endswith("--map walk_6m=NAME.")
    kept = load_cohort(tmp_path / "p.csv", column_map={"walk_6m": "walk", "falls_12m": "falls"})
    assert {"walk", "falls"} <= {*kept.participants}


def test_a_wave_that_is_none_is_kept_as_its_note_says(tmp_path: Path) -> None:
    rows = "id,sex,dx,age,hippocampus_mm3,cdr_W2\na,F,CN,70,7000,1\nb,M,MCI,65,6500,2\n"
    (tmp_path / "wide.csv").write_text(rows)
    cohort = load_cohort(tmp_path / "wide.csv")
    (note,) = [one for one in cohort.notes if "later wave" in one]
    assert "cdr_W2. One that was known at baseline is kept under another name" in note
    assert note.endswith("--map cdr_W2=NAME.")
    kept = load_cohort(tmp_path / "wide.csv", column_map={"cdr_W2": "ward"}).participants
    assert kept["ward"].tolist() == [1, 2]


@pytest.mark.parametrize("column", ["last_diagnosis", "DX_m24", "final_dx", "dx_24m", "DX.y2"])
def test_later_diagnosis_is_refused_as_the_baseline_one(column: str, tmp_path: Path) -> None:
    make_table().rename(columns={"diagnosis": column}).to_csv(tmp_path / "p.csv", index=False)
    with pytest.raises(CohortError, match="only known after baseline"):
        load_cohort(tmp_path / "p.csv", column_map={column: "diagnosis"})
