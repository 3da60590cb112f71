"""When visits took place: by dates, names of visits, ages, or what the table states."""

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cohorts.errors import CohortError
from cohorts.sources.loading import load_cohort
from cohorts.sources.visit_times.times import read_months_of_name
from tests.cohorts.times.told_rows import write
from tests.counted_calls import count_calls


@pytest.mark.parametrize(
    ("name", "months"),
    [
        *(("bl", 0), ("sc", 0), ("ses-baseline", 0), ("m06", 6), ("M006", 6), ("ses-m120", 120)),
        *(("0m", 0), ("12M", 12), ("mo12", 12), ("12mon", 12), ("yr1", 12), ("2y", 24)),
        *(("2yrs", 24), ("ses-1year", 12), ("12", None), ("3t", None)),
        *(("12mo", 12), ("month24", 24), ("y2", 24), ("ses-01", None), ("W2", None)),
        *(("followup", None), ("m", None), ("v06", None)),
        *(("yr0.5", 6), ("1.5y", 18), ("y0.25", 3), ("week0", 0), ("w52", None), ("x52w", None)),
        *(
            (name, pytest.approx(11.959, abs=1e-3))
            for name in ("week52", "WK52", "52w", "ses-52wk")
        ),
    ],
)
def test_month_of_a_visits_name(name: str, months: float | None) -> None:
    assert read_months_of_name(name) == months


def test_dates_of_mixed_time_zones_count_days(tmp_path: Path) -> None:
    path = write(
        tmp_path / "p.tsv",
        "age_bl session_id acq_time\n"
        "a F CN 70 ses-1 2020-02-02T15:02:49.685215Z\n"
        "a F CN 70 ses-2 2021-02-02T15:15:03\n"
        "b M CN 70 ses-1 2020-03-02T15:02:49+01:00\n"
        "b M CN 70 ses-2 2021-03-05\n",
    )
    months = load_cohort(path).visits["months_from_baseline"]
    assert months.tolist() == pytest.approx([0, 366 / 30.4375, 0, 367 / 30.4375], abs=0.04)


@pytest.mark.parametrize(
    ("column", "last", "told"),
    [
        (
            "months",
            2,
            "at most 2.0 months: if months is in another unit, say so with --map mo",
        ),
        (
            "months",
            365,
            "at least 30 years: if months is in another unit, say so with --map months=da",
        ),
        ("years_bl", 24, "say so with --map years_bl=months_from_baseline."),
        (
            "years_bl",
            49,
            "at least 49 years: if years_bl is in another unit, say so with --map years_b",
        ),
        ("days_from_baseline", 24, "at most 0.8 months: if days_from_baseline is in another unit"),
        ("days_from_baseline", 24, "so with --map days_from_baseline=months_from_baseline."),
        ("months", 0.3, None),
        ("months", 6, None),
        ("months", 180, None),
        ("months", 0, None),
    ],
)
def test_follow_up_as_long_as_that_of_another_unit_is_told(
    column: str, last: float, told: str | None, tmp_path: Path
) -> None:
    text = f"age_bl {column}\n"
    for person in "abc":
        text += f"{person} F CN 70 0\n" + (f"{person} F CN 70 {last}\n" if last else "")
    found = [note for note in load_cohort(write(tmp_path / "p.tsv", text)).notes if "Half" in note]
    assert len(found) == (told is not None)
    assert told is None or told in found[0]


def test_a_column_with_a_space_is_named_as_a_shell_takes_it(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("subject,sex,dx,age_bl,Visit no\na,F,CN,70,0\na,F,CN,70,2\n")
    notes = load_cohort(path, column_map={"Visit no": "months_from_baseline"}).notes
    assert any("--map 'Visit no=years_from_baseline'" in note for note in notes)


def test_names_tell_the_time_where_ages_do_not(tmp_path: Path) -> None:
    path = write(
        tmp_path / "p.tsv",
        "AGE VISCODE\na F CN 70.2 bl\na F CN 70.2 m06\na F CN 70.2 m12\nb M CN 71.5 bl\n",
    )
    cohort = load_cohort(path, column_map={"AGE": "baseline_age_years"})
    assert cohort.visits["months_from_baseline"].tolist() == [0, 6, 12, 0]
    assert cohort.visits["age_years"].tolist() == pytest.approx([70.2, 70.7, 71.2, 71.5])


def test_screening_visit_fills_the_baseline_visit(tmp_path: Path) -> None:
    path = write(
        tmp_path / "p.tsv",
        "AGE VISCODE mmse hippocampus\na F CN 70.2 sc 27 7000\na F CN 70.2 bl n/a 6990\n"
        "a F CN 70.2 m12 26 6900\n",
    )
    cohort = load_cohort(path, column_map={"AGE": "baseline_age_years"})
    assert cohort.visits["session_id"].tolist() == ["bl", "m12"]
    assert cohort.participants["mmse"].tolist() == [27]
    assert cohort.volumes["volume_mm3"].tolist() == [6990, 6900]


def test_whole_year_ages_keep_the_stated_time(tmp_path: Path) -> None:
    path = write(
        tmp_path / "p.tsv",
        "age months\na F CN 70 0\na F CN 70 6\na F CN 71 12\nb F CN 80 0\n",
    )
    assert load_cohort(path).visits["months_from_baseline"].tolist() == [0, 6, 12, 0]


def test_whole_year_ages_alone_are_said_to_be_rough(tmp_path: Path) -> None:
    path = write(tmp_path / "p.tsv", "age session_id\na F CN 70 ses-1\na F CN 72 ses-2\n")
    cohort = load_cohort(path)
    assert cohort.visits["months_from_baseline"].tolist() == [0, 24]
    assert any("whole years" in note for note in cohort.notes)


def test_whole_ages_among_others_are_counted(tmp_path: Path) -> None:
    path = write(
        tmp_path / "p.tsv",
        "age_years session_id\n"
        "a F CN 70.3 ses-1\na F CN 71.4 ses-2\nb M CN 71 ses-1\nb M CN 72 ses-2\n",
    )
    notes = load_cohort(path).notes
    assert any("Times of visits of 1 of 2 people follow from ages in whole" in n for n in notes)


def test_stated_column_wins_over_recognized_ones(tmp_path: Path) -> None:
    path = write(
        tmp_path / "p.tsv",
        "age Years_bl Month_bl\na F CN 70 0 0\na F CN 71 9 12\n",
    )
    with pytest.raises(CohortError, match="say the same thing and differ"):
        load_cohort(path)
    cohort = load_cohort(path, column_map={"Month_bl": "months_from_baseline"})
    assert cohort.visits["months_from_baseline"].tolist() == [0, 12]


def test_diagnosis_at_baseline_fills_an_empty_baseline_visit(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text(
        "participant_id,sex,age,months,DX_bl,DX\na,F,70,0,LMCI,\na,F,71,12,LMCI,AD\nb,M,70,0,AD,MCI\n"
    )
    cohort = load_cohort(path)
    assert cohort.participants["diagnosis"].tolist() == ["MCI", "MCI"]
    assert cohort.visits["diagnosis"].tolist() == ["MCI", "AD", "MCI"]


def test_a_gap_in_times_is_filled_by_ages_where_visits_have_no_names(tmp_path: Path) -> None:
    rows = "a F CN 70 0\na F CN 71  \na F CN 72 24\n"
    cohort = load_cohort(write(tmp_path / "p.tsv", f"age months\n{rows.replace('  ', ' ')}"))
    assert cohort.visits["months_from_baseline"].tolist() == pytest.approx([0, 12, 24])
    assert cohort.visits["session_id"].tolist() == ["ses-01", "ses-02", "ses-03"]
    dated = "a F CN 70 2020-03-15\na F CN 71 \na F CN 72 2022-03-15\n"
    cohort = load_cohort(write(tmp_path / "p.tsv", f"age visit_date\n{dated}"))
    assert cohort.visits["months_from_baseline"].tolist() == pytest.approx([0, 12, 24])


def test_a_wave_with_volumes_took_place_though_its_age_is_missing(tmp_path: Path) -> None:
    long = "a F CN 70 0 7000\na F CN n/a 12 6900\nb M AD 60 0 6500\n"
    by_row = load_cohort(write(tmp_path / "long.tsv", f"age months hippocampus_mm3\n{long}"))
    measured = ("age", "months", "hippocampus_mm3")
    columns = [f"{name}_W{wave}" for wave in (1, 2) for name in measured]
    wide = "a F CN 70 0 7000 n/a 12 6900\nb M AD 60 0 6500 n/a 12 n/a\n"
    by_column = load_cohort(write(tmp_path / "wide.tsv", f"{' '.join(columns)}\n{wide}"))
    for one in (by_row, by_column):
        assert one.visits["age_years"].tolist() == pytest.approx([70, 71, 60])
        assert one.visits["months_from_baseline"].tolist() == pytest.approx([0, 12, 0])
        assert one.volumes["volume_mm3"].tolist() == [7000, 6900, 6500]
    assert any("1 of 4 planned visits have no age and no volume" in n for n in by_column.notes)


@pytest.mark.parametrize("told_by", ["age", "session_id"])
def test_times_that_no_column_states_cost_what_stated_ones_do(told_by: str, tmp_path: Path) -> None:
    """Each person went through pandas on their own: 100,000 people took seven minutes."""
    months, calls = [0, 6, 12], {}
    stated = "months_from_baseline"
    for name in (stated, stated, told_by):  # the first time modules are loaded
        table = pd.DataFrame({"participant_id": [f"s{k:04d}" for k in range(1500) for _ in months]})
        told = {"age": 70 + np.array(months) / 12, "session_id": ["bl", "m06", "m12"]}
        table = table.assign(sex="F", diagnosis="CN", hippocampus_mm3=7300)
        table[name] = np.tile(told.get(name, months), 1500)
        if name != "age":
            table["age_bl"] = 70
        table.to_csv(tmp_path / f"{name}.csv", index=False)
        cohort, calls[name] = count_calls(partial(load_cohort, tmp_path / f"{name}.csv"))
        assert cohort.visits["months_from_baseline"].tolist() == pytest.approx(months * 1500)
    assert calls[told_by] < 5 * calls[stated]


@pytest.mark.parametrize(
    "names", [("ses-20210103", "ses-20220105"), ("2021-01-03", "2022-01-05"), ("20210103",) * 2]
)
def test_dates_that_visits_are_called_by_tell_the_time(
    names: tuple[str, str], tmp_path: Path
) -> None:
    first, second = names
    rows = [f"a F CN 70.5 {first}", f"a F CN 71.5 {second}", f"b M CN 80.5 {second}"]
    if first == second:  # one visit each
        rows = [rows[0], rows[2]]
    path = write(tmp_path / "p.tsv", "\n".join(["age_years session_id", *rows]) + "\n")
    cohort = load_cohort(path)
    months = cohort.visits["months_from_baseline"].to_numpy()
    passed = 367 / (365.25 / 12)
    expected = [0.0, 0.0] if first == second else [0.0, passed, 0.0]
    assert months == pytest.approx(expected, abs=0.01)
    assert any("called by dates, which every table keeps" in note for note in cohort.notes)


def test_a_stated_time_counts_before_the_dates_that_visits_are_called_by(tmp_path: Path) -> None:
    path = write(
        tmp_path / "p.tsv",
        "age_years session_id months\na F CN 70 20210103 0\na F CN 71 20220105 12\n",
    )
    cohort = load_cohort(path)
    assert cohort.visits["months_from_baseline"].tolist() == [0, 12]
    assert any("called by dates" in note for note in cohort.notes)
    assert not any("read from the dates" in note for note in cohort.notes)
