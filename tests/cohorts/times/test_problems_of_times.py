"""Times that contradict each other, or that nothing tells, are one problem each."""

from pathlib import Path

import pytest

from cohorts.errors import CohortError
from cohorts.sources.loading import load_cohort
from tests.cohorts.times.told_rows import list_problems, write

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


def test_a_time_that_nothing_tells_is_one_problem_without_what_follows_from_it(
    tmp_path: Path,
) -> None:
    rows = "a F CN 70\na F CN n/a\na F CN 72\nb M AD 60\nb M AD 61\n"
    first, *others = list_problems(write(tmp_path / "p.tsv", f"age\n{rows}"))
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
    problems = list_problems(write(tmp_path / "p.tsv", f"{age} visit_date\n{rows}"))
    assert len(problems) == 1
    assert "column visit_date: got a visit" in problems[0]
    assert "years after the person's first one; at most 50" in problems[0]


def test_commas_in_times_and_ages_are_told_without_what_follows_from_them(tmp_path: Path) -> None:
    rows = "a F CN 70,1 0,0\na F CN 71,2 12,1\nb M AD 60,5 0,0\nb M AD 61,5 12,4\n"
    problems = list_problems(write(tmp_path / "p.tsv", f"age months\n{rows}"))
    assert [problem.split(":")[0] for problem in problems] == [
        "p.tsv, column months",
        "p.tsv, column age",
    ]


def test_braces_in_names_of_columns_are_no_places(tmp_path: Path) -> None:
    rows = "a F CN 70 0 2020-01-01\na F CN 71 12 2010-01-01\nb F CN 60 0 2020-01-01\n"
    path = write(tmp_path / "p.tsv", f"age month{{0}} at{{day}}\n{rows}")
    (problem,) = list_problems(
        path, column_map={"month{0}": "months_from_baseline", "at{day}": "visit_date"}
    )
    assert "at{day} and month{0} tell different times: month -120 and month 12" in problem


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
