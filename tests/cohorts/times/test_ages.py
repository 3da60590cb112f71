"""How old people are: by bounds such as 90+, by dates of birth, which are not kept."""

from pathlib import Path

import pytest

from cohorts.errors import CohortError
from cohorts.sources.loading import load_cohort
from tests.cohorts.times.told_rows import list_problems, write


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
        (problem,) = list_problems(write(tmp_path / "p.tsv", f"dob visit_date\n{rows}"))
        assert f"row 2, column dob: this date of birth {words}" in problem


@pytest.mark.parametrize("date", ["1900-01-01", "9999-12-31"])
def test_a_date_of_birth_is_not_blamed_for_a_visits_date_that_stands_for_none(
    date: str, tmp_path: Path
) -> None:
    rows = f"a F CN 1941-05-20 2020-03-15\na F CN 1941-05-20 {date}\nb F CN 1941-05-20 2020-03-15\n"
    (problem,) = list_problems(write(tmp_path / "p.tsv", f"dob visit_date\n{rows}"))
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


def test_age_at_entry_is_that_of_the_day_from_which_visits_are_counted(tmp_path: Path) -> None:
    rows = "OAS1 F 0 70 365\nOAS1 F 0 70 1096\n"
    path = tmp_path / "p.tsv"
    path.write_text(
        "Subject\tsex\tcdr\tAgeatEntry\tdays_to_visit\n" + rows.replace(" ", "\t"), encoding="utf-8"
    )
    cohort = load_cohort(path, profile="oasis3")
    assert cohort.visits["months_from_baseline"].tolist() == pytest.approx([0, 24], abs=0.1)
    assert cohort.visits["age_years"].tolist() == pytest.approx([71, 73], abs=0.01)
