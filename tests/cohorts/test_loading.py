"""What is loaded does not depend on how it was written down; real data load."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cohorts.cohort import Cohort
from cohorts.errors import CohortError
from cohorts.sources.loading import load_cohort
from cohorts.synthetic.tabular import synthesize_table
from cohorts.volumes.volumetry import compute_volumes

SHARED = Path(__file__).parents[3] / "shared"
DLBS = SHARED / "data" / "dlbs_ds004856" / "dlbs_participants.tsv"
AOMIC = SHARED / "data" / "aomic_piop2_sub-0001"
needs_shared = pytest.mark.skipif(not AOMIC.is_dir(), reason="../shared/data is not here")
few_examples = settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

TABLES = ("participants", "visits", "volumes")


def make_table(n_people: int = 6) -> pd.DataFrame:
    rng = np.random.default_rng(4)
    people = np.repeat([f"sub-{i:02d}" for i in range(n_people)], 2)
    visit = np.tile([0, 1], n_people)
    left, right = rng.uniform(3000, 3600, (2, 2 * n_people)).round(1)
    return pd.DataFrame(
        {
            "participant_id": people,
            "session_id": [f"ses-{i + 1}" for i in visit],
            "age_years": np.repeat(rng.uniform(60, 80, n_people).round(2), 2) + visit,
            "sex": np.repeat(["F", "M"], n_people),
            "diagnosis": np.tile(["MCI", "AD"], n_people),
            "left_hippocampus_mm3": left,
            "right_hippocampus_mm3": right,
        }
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


def test_two_columns_that_are_stated_as_one_are_named(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,sex,dx,age,hippocampus_mm3,A,B\na,F,CN,70,7000,29,28\n")
    with pytest.raises(CohortError) as told:
        load_cohort(tmp_path / "t.csv", column_map={"A": "mmse", "B": "mmse"})
    assert str(told.value) == "t.csv has several columns stated as mmse (A, B): map one of them."


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


def test_person_without_the_first_wave_has_no_baseline(tmp_path: Path) -> None:
    (tmp_path / "wide.csv").write_text(
        "id,sex,dx,age_W1,age_W2\na,F,CN,70,72\nb,M,MCI,n/a,65\nc,M,AD,66,67\n"
    )
    with pytest.raises(CohortError, match="no baseline visit: got 'W2' first, W1 is expected"):
        load_cohort(tmp_path / "wide.csv")


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


def test_folder_gives_back_what_was_written(tmp_path: Path) -> None:
    make_table().to_csv(tmp_path / "p.csv", index=False)
    cohort = load_cohort(tmp_path / "p.csv")
    cohort.write(tmp_path / "cohort")
    again = load_cohort(tmp_path / "cohort")
    for table in TABLES:
        pd.testing.assert_frame_equal(getattr(cohort, table), getattr(again, table))
    assert (again.name, again.notes, again.sources) == (cohort.name, cohort.notes, cohort.sources)


def test_synthetic_people_are_sound_and_stay_synthetic(tmp_path: Path) -> None:
    cohort, _ = synthesize_table(400, rng=np.random.default_rng(3))
    cohort.write(tmp_path / "cohort")
    again = load_cohort(tmp_path / "cohort")
    assert again.is_synthetic
    assert len(again.participants) == 400


@pytest.mark.parametrize(
    ("table", "change", "words"),
    [
        ("participants", {"age_years": None}, "no column age_years; import the cohort again"),
        ("visits", {"age_years": 800.0}, "got 800, an age in years"),
        ("volumes", {"volume_mm3": -1.0}, "got -1, a volume above 0 mm3"),
        ("volumes", {"session_id": "ses-9"}, "no visit ses-9 in visits.parquet"),
        ("visits", {"participant_id": "x"}, "no such person in participants.parquet"),
        ("participants", {"diagnosis": "AD"}, "'MCI' at the baseline visit and 'AD' in the table"),
    ],
)
def test_folder_that_was_changed_is_refused(
    table: str, change: dict[str, object], words: str, tmp_path: Path
) -> None:
    make_table().to_csv(tmp_path / "p.csv", index=False)
    load_cohort(tmp_path / "p.csv").write(tmp_path / "cohort")
    path = tmp_path / "cohort" / f"{table}.parquet"
    frame = pd.read_parquet(path)
    for column, value in change.items():
        frame = frame.drop(columns=column) if value is None else frame.assign(**{column: value})
    frame.to_parquet(path)
    with pytest.raises(CohortError, match=f"{table}.parquet is not the one that was imported"):
        load_cohort(tmp_path / "cohort")
    forget_checksums(tmp_path / "cohort")
    with pytest.raises(CohortError, match=words):
        load_cohort(tmp_path / "cohort")


def forget_checksums(folder: Path) -> None:
    """Make the folder one of an earlier version, which recorded none."""
    path = folder / "cohort.json"
    description = json.loads(path.read_text())
    del description["files"]
    path.write_text(json.dumps(description))


@needs_shared
def test_dallas_lifespan_study_loads_with_its_drop_out() -> None:
    cohort = load_cohort(
        DLBS,
        diagnosis="CN",
        column_map={
            "AgeMRI": "age_years",
            "MRIW1toW2": "years_from_baseline_W2",
            "MRIW1toW3": "years_from_baseline_W3",
        },
    )
    assert cohort.visits["session_id"].value_counts().to_dict() == {"W1": 310, "W2": 205, "W3": 133}
    assert not {"CogW1toW2", "MRIW2toW3"} & set(cohort.participants)
    second = cohort.visits.loc[cohort.visits["session_id"] == "W2", "months_from_baseline"]
    assert second.mean() == pytest.approx(12 * 4, abs=3)


@pytest.fixture(scope="module")
def freesurfer() -> pd.DataFrame:
    """Return the baseline of the FreeSurfer subject."""
    return load_cohort(AOMIC, diagnosis="CN").baseline()


@needs_shared
def test_freesurfer_subject_loads_with_its_own_volumes(freesurfer: pd.DataFrame) -> None:
    table = freesurfer
    assert table.loc["sub-0001", "left_hippocampus_mm3"] == 4280.4
    assert table.loc["sub-0001", "hippocampus_mm3"] == pytest.approx(4280.4 + 4231.5)
    assert table.loc["sub-0001", "head_size_mm3"] == pytest.approx(1560838.764254)


@needs_shared
def test_brain_of_aseg_stats_means_the_same_as_that_of_the_label_map(
    freesurfer: pd.DataFrame,
) -> None:
    measured = compute_volumes(AOMIC / "aseg.mgz").set_index("region")["volume_mm3"]
    assert freesurfer.loc["sub-0001", "brain_mm3"] == pytest.approx(measured["brain"], rel=0.005)


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
