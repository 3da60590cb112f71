"""When visits took place: dates, names of visits, whole-year ages, bounds such as 90+."""

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cohorts.errors import CohortError
from cohorts.sources.loading import load_cohort
from cohorts.sources.visit_times.times import read_months_of_name
from tests.counted_calls import count_calls

CASES = Path(__file__).parents[3] / "shared" / "cases"
needs_cases = pytest.mark.skipif(not CASES.is_dir(), reason="../shared/cases is not here")


def write(path: Path, text: str) -> Path:
    path.write_text("participant_id\tsex\tdiagnosis\t" + text.replace(" ", "\t"), encoding="utf-8")
    return path


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


@pytest.mark.parametrize(("bound", "value"), [("90+", 90), (">89", 89), (">=90", 90)])
def test_age_that_is_a_bound_is_kept_and_marked(bound: str, value: float, tmp_path: Path) -> None:
    path = write(
        tmp_path / "p.tsv", f"age months\na F CN {bound} 0\na F CN {bound} 24\nb M CN 70 0\n"
    )
    cohort = load_cohort(path)
    assert cohort.participants["age_years"].tolist() == [value, 70]
    assert cohort.participants["age_is_top_coded"].tolist() == [1, 0]
    stated = load_cohort(path, top_coded_age=93)
    assert stated.participants["age_years"].tolist() == [93, 70]


def test_bounds_are_read_in_words_and_among_numbers(tmp_path: Path) -> None:
    ages = ["90 or older", " ≥ 85", "80 or more", "75 or above", "71.25", "60"]
    rows = [f"s{k},F,CN,{age},bl" for k, age in enumerate(ages)]
    header = "participant_id,sex,diagnosis,age,session_id"
    (tmp_path / "p.csv").write_text("\n".join([header, *rows]))
    people = load_cohort(tmp_path / "p.csv").participants
    assert people["age_years"].tolist() == [90, 85, 80, 75, 71.25, 60]
    assert people["age_is_top_coded"].tolist() == [1, 1, 1, 1, 0, 0]


def test_stated_column_wins_over_recognized_ones(tmp_path: Path) -> None:
    path = write(
        tmp_path / "p.tsv",
        "age Years_bl Month_bl\na F CN 70 0 0\na F CN 71 9 12\n",
    )
    with pytest.raises(CohortError, match="say the same thing and differ"):
        load_cohort(path)
    cohort = load_cohort(path, column_map={"Month_bl": "months_from_baseline"})
    assert cohort.visits["months_from_baseline"].tolist() == [0, 12]


CONTRADICTING = {
    "months": ("months visit_date", ("0 2020-03-15", "24 2021-03-15", "48 2022-03-15")),
    "names": ("session_id visit_date", ("bl 2020-03-15", "m12 2022-03-15", "m24 2023-03-15")),
    "names beside months": ("session_id months", ("bl 0", "m12 24", "m24 36")),
}


@pytest.mark.parametrize("told", CONTRADICTING)
def test_times_that_contradict_each_other_are_refused(told: str, tmp_path: Path) -> None:
    header, visits = CONTRADICTING[told]
    rows = "".join(f"{who} F CN 70 {visit}\n" for who in "ab" for visit in visits)
    with pytest.raises(CohortError, match="tell different times at 4 of 4 visits after the first"):
        load_cohort(write(tmp_path / "p.tsv", f"age_bl {header}\n{rows}"))


@pytest.mark.parametrize(
    ("late", "words"),
    [
        ("2022-05-15", None),
        ("2022-08-15", "at 1 of 4 visits after the first, by up to 5 months: months counts"),
        ("2023-08-15", "row 4, .*tell different times: month 41 and month 24"),
    ],
)
def test_a_visit_may_be_late(late: str, words: str | None, tmp_path: Path) -> None:
    dates = ("0 2020-03-15", "12 2021-03-15", f"24 {late}")
    rows = [f"a F CN 70 {visit}\n" for visit in dates]
    rows += [f"b F CN 70 {visit}\n" for visit in ("0 2020-03-15", "6 2020-09-30", "12 2021-03-01")]
    path = write(tmp_path / "p.tsv", f"age_bl months visit_date\n{''.join(rows)}")
    if words is not None and words.startswith("row"):
        with pytest.raises(CohortError, match=words):
            load_cohort(path)
        return
    cohort = load_cohort(path)
    assert cohort.visits["months_from_baseline"].tolist() == [0, 12, 24, 0, 6, 12]
    assert [note for note in cohort.notes if "different times" in note] == (
        [f"visit_date and months tell different times {words}."] if words else []
    )


def test_names_that_count_visits_contradict_nothing(tmp_path: Path) -> None:
    visits = ("M0 2020-03-15", "M1 2021-03-15", "M2 2022-03-15")
    rows = "".join(f"{who} F CN 70 {visit}\n" for who in "ab" for visit in visits)
    cohort = load_cohort(write(tmp_path / "p.tsv", f"age_bl session_id visit_date\n{rows}"))
    assert cohort.visits["months_from_baseline"].round().tolist() == [0, 12, 24] * 2


@pytest.mark.parametrize(
    "name",
    [
        *("birth_date", "DateOfBirth", "DOB", "PTDOB", "BRTHDTC", "BRTHDT", "birth_dt", "DEM_DOB"),
        *("patient-birth-date", "DateOfBirth_D", "Geburtstag", "Geb.-Datum", "DOB_(dd/mm/yyyy)"),
    ],
)
def test_a_date_of_birth_tells_ages_and_is_not_kept(name: str, tmp_path: Path) -> None:
    rows = "a F CN 20/05/1941 2020-03-15\na F CN 20/05/1941 2021-03-15\n"
    cohort = load_cohort(write(tmp_path / "p.tsv", f"{name} visit_date\n{rows}"))
    assert cohort.visits["age_years"].tolist() == pytest.approx([78.82, 79.82])
    assert name not in cohort.participants
    assert any(f"a date of birth identifies a person: {name}. Ages" in n for n in cohort.notes)


def test_a_date_of_birth_beside_ages_is_left_out(tmp_path: Path) -> None:
    path = write(tmp_path / "p.tsv", "age months birthday birth_weight\na F CN 70 0 1941-05-20 3\n")
    cohort = load_cohort(path)
    assert cohort.participants.columns[-1] == "birth_weight"
    assert cohort.participants["age_years"].tolist() == [70]
    assert any("identifies a person: birthday." in note for note in cohort.notes)


@pytest.mark.parametrize(
    ("birth", "visits", "where"),
    [
        *((birth, "2020 2021", "dob: dates of birth") for birth in ("20/05/41", "1941")),
        ("03/04/1941", "2020 2021", "dob: dates of birth"),
        # of somebody's only visit nothing but an age asks for a date
        ("1941-05-20", "20", "visit_date: dates of visits"),
    ],
)
def test_dates_that_tell_no_age_say_so_once_and_are_not_shown(
    birth: str, visits: str, where: str, tmp_path: Path
) -> None:
    rows = "".join(f"a F CN {birth} {year}-03-15\n" for year in visits.split())
    with pytest.raises(CohortError) as caught:
        load_cohort(write(tmp_path / "p.tsv", f"dob visit_date\n{rows}"))
    (problem,) = caught.value.problems
    assert f"column {where} tell no ages" in problem
    assert birth not in problem


@pytest.mark.parametrize(
    ("birth", "words"),
    [
        ("1850-05-20", "this date of birth makes an age of 169.8 years, 0 to 120 are expected"),
        ("2030-05-20", "this date of birth makes an age of -10.2 years"),
        ("03/04/1941", "this date of birth is none like 2024-03-31"),
    ],
)
def test_one_wrong_date_of_birth_is_told_as_what_it_is(
    birth: str, words: str, tmp_path: Path
) -> None:
    rows = f"a F CN {birth} 2020-03-15\nb F CN 1941-05-20 2020-03-15\n"
    with pytest.raises(CohortError) as caught:
        load_cohort(write(tmp_path / "p.tsv", f"dob visit_date\n{rows}"))
    (problem,) = caught.value.problems
    assert f"row 2, column dob: {words}" in problem
    assert birth not in problem


@pytest.mark.parametrize(
    ("birth", "words"),
    [
        ("1800-01-01", "makes an age of 218.2 years, 0 to 120 are expected"),
        ("9999-12-31", "makes an age of -7981.6 years"),
        ("1900-01-01", "is the day from which spreadsheets and databases count, nothing is exp"),
    ],
)
@pytest.mark.parametrize("later", ["2018-09-15", "2021-03-15"])
def test_a_date_of_birth_that_stands_for_none_is_told_once_for_a_person(
    birth: str, words: str, later: str, tmp_path: Path
) -> None:
    for again in (birth, "n/a"):
        rows = f"a F CN {birth} 2018-03-15\na F CN {again} {later}\nb F CN 1941-05-20 2020-03-15\n"
        (problem,) = _problems(write(tmp_path / "p.tsv", f"dob visit_date\n{rows}"))
        assert f"row 2, column dob: this date of birth {words}" in problem


@pytest.mark.parametrize("date", ["1900-01-01", "9999-12-31"])
def test_a_date_of_birth_is_not_blamed_for_a_visits_date_that_stands_for_none(
    date: str, tmp_path: Path
) -> None:
    rows = f"a F CN 1941-05-20 2020-03-15\na F CN 1941-05-20 {date}\nb F CN 1941-05-20 2020-03-15\n"
    (problem,) = _problems(write(tmp_path / "p.tsv", f"dob visit_date\n{rows}"))
    assert "column visit_date: got a visit" in problem


def test_computed_ages_are_in_years_whatever_their_unit_would_be_guessed_as(
    tmp_path: Path,
) -> None:
    rows = "a F CN 2010-05-20 2020-05-20\nb F CN 2008-05-20 2020-05-20\n"
    path = write(tmp_path / "p.tsv", f"dob visit_date\n{rows}")
    for unit in (None, "months"):
        assert load_cohort(path, age_unit=unit).visits["age_years"].tolist() == [10, 12]
    with pytest.raises(CohortError, match=r"--age-unit must be one of .*, got 'weeks'"):
        load_cohort(path, age_unit="weeks")


@pytest.mark.parametrize("name", ["Geburtsjahr", "année_de_naissance", "año_nacimiento"])
def test_years_of_birth_are_left_out_in_four_languages(name: str, tmp_path: Path) -> None:
    path = write(tmp_path / "p.tsv", f"age months {name} geburtsgewicht\na F CN 70 0 1941 3.1\n")
    cohort = load_cohort(path)
    assert {name, "geburtsgewicht"} & {*cohort.participants} == {"geburtsgewicht"}
    assert any("a date of birth identifies" in note for note in cohort.notes)


def test_years_of_birth_and_births_of_others_are_no_ages(tmp_path: Path) -> None:
    columns = "BIRTHYR BIRTHMO mother_dob birth_weight place_of_birth"
    path = write(tmp_path / "p.tsv", f"age months {columns}\na F CN 70 0 1941 5 1915-01-02 3 Ulm\n")
    cohort = load_cohort(path)
    assert {*columns.split()} & {*cohort.participants} == {"birth_weight"}
    rows = "a F CN 1915-01-02 2020-03-15\na F CN 1915-01-02 2021-03-15\n"
    with pytest.raises(CohortError, match="no column age_years"):
        load_cohort(write(tmp_path / "p.tsv", f"mother_dob visit_date\n{rows}"))


_DATED = (
    *("2020-03-31", "2020-03-31T10:00:00", "20200331", "2020/3/31", "2020-03", "31/03/2020"),
    *("3-31-20", "31.03.2020", "31MAR2020", "31-Mar-20", "March_31,_2020"),
    *("31.03.20", "20200331083000", "Mar-2020"),
)
_NO_DATES = ("5.3.0", "6.0.10", "20123456", "1/2", "3/4", "May_12", "1234567.8", "1941", "12345678")


def test_dates_and_names_of_people_are_told_and_not_kept(tmp_path: Path) -> None:
    dates = {f"d{place}": value for place, value in enumerate(_DATED)}
    others = {f"o{place}": value for place, value in enumerate(_NO_DATES)}
    named = {"first_name": "Ann", "E-mail": "a@b.org", "MRN": "77", "ZIP_code": "12345"}
    named |= {"FNAME": "Ann", "pt_initials": "AL", "contact_email": "a@b.org", "hospital_no": "7"}
    others |= {"phonemic_fluency": "12", "initial_score": "3", "stroke_no": "1"}
    row = {**dates, **others, **named, "area": "south"}
    text = f"age months {' '.join(row)}\na F CN 70 0 {' '.join(row.values())}\n"
    cohort = load_cohort(write(tmp_path / "p.tsv", text.replace("_31,_", "\u00a031,\u00a0")))
    assert {*row} & {*cohort.participants} == {*others, "area"}
    notes = " ".join(cohort.notes)
    assert "because dates identify people: d0, d1" in notes
    assert "because they identify people: first_name, E-mail, MRN, ZIP_code, FNAME" in notes
    # a name of one's own is a decision
    kept = load_cohort(tmp_path / "p.tsv", column_map={"ZIP_code": "area_code"})
    assert "area_code" in kept.participants


def test_ages_that_are_missing_are_asked_for_in_words_of_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "p.tsv", "born visit_date\na F CN 20/05/1941 2020-03-15\n")
    with pytest.raises(CohortError, match=r"\(other columns: born\).*date of birth") as caught:
        load_cohort(path)
    assert "\0" not in str(caught.value)


def test_diagnosis_at_baseline_fills_an_empty_baseline_visit(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text(
        "participant_id,sex,age,months,DX_bl,DX\na,F,70,0,LMCI,\na,F,71,12,LMCI,AD\nb,M,70,0,AD,MCI\n"
    )
    cohort = load_cohort(path)
    assert cohort.participants["diagnosis"].tolist() == ["MCI", "MCI"]
    assert cohort.visits["diagnosis"].tolist() == ["MCI", "AD", "MCI"]


@needs_cases
def test_reported_cases_give_their_right_months() -> None:
    dates = load_cohort(CASES / "26-T22-mixed-timezone-dates/a.tsv")
    assert dates.visits["months_from_baseline"].round(1).tolist() == [0, 12.0, 0, 12.1]
    for file, stated in (
        ("31-T19-viscode-only/a.csv", {"AGE": "baseline_age_years"}),
        (
            "30-T18-adnimerge/ADNIMERGE.csv",
            {"AGE": "baseline_age_years", "Month_bl": "months_from_baseline"},
        ),
    ):
        cohort = load_cohort(CASES / file, column_map=stated, diagnosis_coding="Dementia=AD")
        assert (len(cohort.participants), len(cohort.visits)) == (8, 32)
        months = cohort.visits["months_from_baseline"].round().tolist()
        assert months == [0, 6, 12, 24] * 8
    with pytest.raises(CohortError, match="--map AGE=baseline_age_years"):
        load_cohort(CASES / "31-T19-viscode-only/a.csv", diagnosis_coding="Dementia=AD")


@needs_cases
def test_reported_diagnosis_words_are_told_once() -> None:
    path = CASES / "49-T17-adni-dx-words/p.tsv"
    with pytest.raises(CohortError) as caught:
        load_cohort(path)
    assert len(caught.value.problems) == 3
    assert all("--diagnosis-coding" in problem for problem in caught.value.problems)
    stated = load_cohort(path, diagnosis_coding="Dementia=AD,SMC=CN,MCI to Dementia=AD")
    assert stated.participants["diagnosis"].tolist() == ["CN", "MCI", "AD", "MCI", "CN", "AD"]


def _problems(path: Path, **stated: object) -> list[str]:
    with pytest.raises(CohortError) as caught:
        load_cohort(path, **stated)  # type: ignore[arg-type]
    return list(caught.value.problems)


def test_a_gap_in_times_is_filled_by_ages_where_visits_have_no_names(tmp_path: Path) -> None:
    rows = "a F CN 70 0\na F CN 71  \na F CN 72 24\n"
    cohort = load_cohort(write(tmp_path / "p.tsv", f"age months\n{rows.replace('  ', ' ')}"))
    assert cohort.visits["months_from_baseline"].tolist() == pytest.approx([0, 12, 24])
    assert cohort.visits["session_id"].tolist() == ["ses-01", "ses-02", "ses-03"]
    dated = "a F CN 70 2020-03-15\na F CN 71 \na F CN 72 2022-03-15\n"
    cohort = load_cohort(write(tmp_path / "p.tsv", f"age visit_date\n{dated}"))
    assert cohort.visits["months_from_baseline"].tolist() == pytest.approx([0, 12, 24])


def test_a_time_that_nothing_tells_is_one_problem_without_what_follows_from_it(
    tmp_path: Path,
) -> None:
    rows = "a F CN 70\na F CN n/a\na F CN 72\nb M AD 60\nb M AD 61\n"
    first, *others = _problems(write(tmp_path / "p.tsv", f"age\n{rows}"))
    assert "the time of this visit is unknown" in first
    assert "(3 rows, first 2, 3, 4; " in first
    assert len(others) == 1
    assert "row 3, column age: got nothing" in others[0]


@pytest.mark.parametrize("date", ["1900-01-01", "9999-12-31"])
@pytest.mark.parametrize("age", ["age", "age_bl"])
def test_a_date_that_stands_for_none_is_told_where_it_is(
    date: str, age: str, tmp_path: Path
) -> None:
    later = 70 if age == "age_bl" else 71
    rows = f"a F CN 70 2020-03-15\na F CN {later} {date}\nb F CN 60 2021-01-05\n"
    problems = _problems(write(tmp_path / "p.tsv", f"{age} visit_date\n{rows}"))
    assert len(problems) == 1
    assert "column visit_date: got a visit" in problems[0]
    assert "years after the person's first one; at most 50" in problems[0]


def test_commas_in_times_and_ages_are_told_without_what_follows_from_them(tmp_path: Path) -> None:
    rows = "a F CN 70,1 0,0\na F CN 71,2 12,1\nb M AD 60,5 0,0\nb M AD 61,5 12,4\n"
    problems = _problems(write(tmp_path / "p.tsv", f"age months\n{rows}"))
    assert [problem.split(":")[0] for problem in problems] == [
        "p.tsv, column months",
        "p.tsv, column age",
    ]


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


def test_age_at_entry_is_that_of_the_day_from_which_visits_are_counted(tmp_path: Path) -> None:
    rows = "OAS1 F 0 70 365\nOAS1 F 0 70 1096\n"
    path = tmp_path / "p.tsv"
    path.write_text(
        "Subject\tsex\tcdr\tAgeatEntry\tdays_to_visit\n" + rows.replace(" ", "\t"), encoding="utf-8"
    )
    cohort = load_cohort(path, profile="oasis3")
    assert cohort.visits["months_from_baseline"].tolist() == pytest.approx([0, 24], abs=0.1)
    assert cohort.visits["age_years"].tolist() == pytest.approx([71, 73], abs=0.01)


def test_braces_in_names_of_columns_are_no_places(tmp_path: Path) -> None:
    rows = "a F CN 70 0 2020-01-01\na F CN 71 12 2010-01-01\nb F CN 60 0 2020-01-01\n"
    path = write(tmp_path / "p.tsv", f"age month{{0}} at{{day}}\n{rows}")
    (problem,) = _problems(
        path, column_map={"month{0}": "months_from_baseline", "at{day}": "visit_date"}
    )
    assert "at{day} and month{0} tell different times: month -120 and month 12" in problem


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


@pytest.mark.parametrize("names", [("20211303", "20220105"), ("2021010", "20220105")])
def test_numbers_that_are_no_dates_tell_no_time(names: tuple[str, str], tmp_path: Path) -> None:
    rows = "".join(f"a F CN 70 {name}\n" for name in names)
    path = write(tmp_path / "p.tsv", f"age_bl session_id\n{rows}")
    with pytest.raises(CohortError, match="age at baseline and no time; add a column months_from"):
        load_cohort(path)


def test_a_name_that_says_its_time_is_not_blamed_for_another(tmp_path: Path) -> None:
    path = write(tmp_path / "p.tsv", "age_bl session_id\na F CN 70 baseline\na F CN 70 followup\n")
    with pytest.raises(CohortError) as caught:
        load_cohort(path)
    assert len(caught.value.problems) == 1
    assert "the time of the visit followup is unknown" in str(caught.value)


def test_rows_without_a_name_are_one_problem_without_what_follows_from_it(tmp_path: Path) -> None:
    rows = [
        f"{person if month == 0 else ''} F CN {70 + month / 12:g} {month}"
        for person in ("a", "b")
        for month in (0, 12, 24)
    ]
    path = write(tmp_path / "p.tsv", "\n".join(["age_years months", *rows]) + "\n")
    with pytest.raises(CohortError) as caught:
        load_cohort(path)
    (problem,) = caught.value.problems
    assert "got nothing, an identifier is expected in each row (4 rows, first 3, 4, 6)." in problem
