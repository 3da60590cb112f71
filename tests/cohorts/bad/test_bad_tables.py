"""Every bad table gets the sentence that says what, where and what would be right."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cohorts.errors import CohortError
from cohorts.sources.loading import load_cohort
from tests.cohorts.bad.rows import (
    Rows,
    add,
    chain,
    drop,
    good_rows,
    keep,
    put,
    put_all,
    rename,
    write_rows,
)

BAD_TABLES: dict[str, tuple[Callable[[Rows], Rows], list[str]]] = {
    "no participant column": (
        rename("participant_id", "who"),
        ["no column participant_id", "--map"],
    ),
    "no age column": (drop("age_years"), ["no column age_years", "--map COLUMN=age_years"]),
    "no sex column": (drop("sex"), ["no column sex", "--map COLUMN=sex"]),
    "no diagnosis column": (drop("diagnosis"), ["no column diagnosis", "--diagnosis CN"]),
    "participant missing": (
        put(0, participant_id="n/a"),
        ["row 2, column participant_id", "an identifier is expected"],
    ),
    "session missing": (put(1, session_id=""), ["row 3, column session_id", "name of a visit"]),
    "age missing": (put(2, age_years="n/a"), ["row 4, column age_years: got nothing", "sub-02"]),
    "age text": (put(2, age_years="old"), ["row 4, column age_years: got 'old'", "numbers"]),
    "age with decimal comma": (put(2, age_years="75,5"), ["got '75,5'", "numbers"]),
    "ages with decimal commas": (
        put_all("age_years", lambda age: f"{age:.0f},5"),
        ["column age_years: 6 numbers are written with a comma (the first '70,5'); a decimal"],
    ),
    "volumes with parted thousands": (
        put_all("hippocampus_mm3", lambda mm3: f"{mm3:,.1f}"),
        ["column hippocampus_mm3: 6 numbers are written with a comma (the first '6,900.0')"],
    ),
    "a word among volumes with commas": (
        chain(put_all("hippocampus_mm3", lambda mm3: f"{mm3:g},5"), put(2, hippocampus_mm3="big")),
        ["row 4, column hippocampus_mm3: got 'big', a volume in numbers"],
    ),
    "ages all missing": (
        chain(rename("age_years", "age"), put_all("age", lambda _: "")),
        ["column age: nobody's is known; an age is expected of everyone"],
    ),
    **{
        f"all missing of {name}": (
            chain(*(put_all(one, lambda _: "n/a") for one in ("age_years", "sex", "diagnosis"))),
            [f"column {name}: nobody's is known; {expected} is expected of everyone"],
        )
        for name, expected in (("sex", "F or M"), ("diagnosis", "a diagnosis"))
    },
    "a date of birth or of the visit missing of everyone": (
        chain(
            keep(0, 2, 4),
            rename("age_years", "dob"),
            put_all("dob", lambda _: ""),
            put(0, dob="1950-01-01"),
            add("visit_date", "", "2020-01-01", "2020-01-01"),
        ),
        ["column dob: nobody's is known; an age is expected of everyone"],
    ),
    "age negative": (put(2, age_years=-3), ["row 4, column age_years: got -3", "0 to 120"]),
    "age zero": (put(2, age_years=0), ["got 0, an age in years", "sub-02"]),
    "age infinite": (put(2, age_years="inf"), ["row 4, column age_years: got inf", "sub-02"]),
    "a covariate without end": (
        chain(add("amyloid", 1.5), put(2, amyloid="-inf")),
        ["row 4, column amyloid: got '-inf', a finite number is expected", "sub-02"],
    ),
    "one age in months": (put(2, age_years=906), ["got 906", "looks like months", "sub-02"]),
    "one age in hundredths": (put(2, age_years=0.755), ["got 0.755", "years / 100"]),
    "ages of children and adults mixed": (
        put_all("age_years", lambda age: age - 66),
        ["mostly not those of adults", "--age-unit years|months|hundredths"],
    ),
    "ages half in months": (
        chain(*(put(i, age_years=870 + i) for i in (0, 1, 2))),
        ["state it with --age-unit"],
    ),
    "sex missing": (
        chain(put(0, sex="n/a"), put(1, sex="n/a")),
        ["column sex: got nothing", "F or M is expected", "2 rows, first 2, 3; 1 person"],
    ),
    "sex unknown code": (put(0, sex="X"), ["row 2, column sex: got 'X'", "F, M is expected"]),
    "sex changes": (put(1, sex="M"), ["row 3, column sex: got 'M'", "earlier visit"]),
    "sex in numbers": (
        put_all("sex", lambda sex: int(sex == "F")),
        ["codes 0, 1 can be read in more than one way", "--sex-coding 0=F,1=M"],
    ),
    "diagnosis unknown word": (
        put(4, diagnosis="dementia"),
        [
            "row 6, column diagnosis: got 'dementia'",
            "CN, MCI, AD is expected",
            "--diagnosis-coding",
        ],
    ),
    "diagnosis in numbers": (
        put_all("diagnosis", {"CN": 1, "MCI": 2, "AD": 3}.get),
        ["codes 1, 2, 3 can be read", "--diagnosis-coding 1=CN,2=MCI,3=AD"],
    ),
    "diagnosis missing": (
        chain(put(0, diagnosis=""), put(1, diagnosis="")),
        ["row 2, column diagnosis: got nothing, the diagnosis at baseline is expected"],
    ),
    "diagnosis only known later": (
        put(0, diagnosis="n/a"),
        ["row 2, column diagnosis", "a later one must not stand in", "sub-01"],
    ),
    "diagnosis of the last visit": (
        rename("diagnosis", "last_diagnosis"),
        ["no column diagnosis"],
    ),
    "visit twice": (put(1, session_id="ses-01"), ["row 3", "ses-01 is in the data twice"]),
    "person twice without sessions": (
        chain(drop("session_id"), put(1, age_years=70.0)),
        ["row 3", "the person is in the data twice at the same age", "--map COLUMN=session_id"],
    ),
    "same person in other letters": (
        chain(keep(0, 0, 2), put(1, participant_id="SUB-01")),
        ["differs from another identifier only in upper or lower case"],
    ),
    "same person with another space": (
        chain(keep(0, 0, 2), put(0, participant_id="sub 01"), put(1, participant_id="sub  01")),
        ["row 3", "'sub  01' differs from another identifier only in", "spaces"],
    ),
    "same person without zeros": (
        chain(keep(0, 0, 2), put(0, participant_id="007"), put(1, participant_id="7")),
        ["row 3", "'7' differs from another identifier only in", "how a number is written"],
    ),
    "same person as a number and as text": (
        chain(keep(0, 0, 2), put(0, participant_id="7.0"), put(1, participant_id="07")),
        ["row 2", "'7.0' differs from another identifier only in", "how a number is written"],
    ),
    "identifier shortened by a spreadsheet": (
        put(0, participant_id="1.23457E+10"),
        ["row 2", "got '1.23457E+10', a number that a spreadsheet has shortened"],
    ),
    "same person in letters of two signs": (
        chain(keep(0, 0, 2), put(0, participant_id="\u00e91"), put(1, participant_id="e\u03011")),
        ["row 2", "differs from another identifier only in", "how letters are coded"],
    ),
    "no baseline session": (keep(1, 2, 3, 4, 5), ["no baseline visit: got 'ses-02'", "ses-01"]),
    "no visit at month 0": (
        chain(add("months_from_baseline", 0, 12), put(0, months_from_baseline=6)),
        ["no baseline visit: month 0 is expected", "sub-01"],
    ),
    "visit before baseline": (
        chain(add("months_from_baseline", 0, 12), put(0, months_from_baseline=-6)),
        ["got -6 months", "no visit comes before the baseline"],
    ),
    "visits out of order": (
        chain(put(0, age_years=72), put(1, age_years=71)),
        ["row 3, column session_id: 'ses-02' is not later than the visit before it"],
    ),
    "two sessions at one age": (
        put(1, age_years=70.0),
        ["the time of the visit ses-02 is unknown", "sub-01"],
    ),
    "date missing": (
        chain(add("visit_date", "2020-01-31", "2021-01-31"), put(1, visit_date="", age_years=70)),
        ["the time of the visit ses-02 is unknown", "sub-01"],
    ),
    "date without a day": (
        add("visit_date", "2020-01"),
        ["column visit_date: none of ", "a date like 2024-03-31, the first is '2020-01'"],
    ),
    "age at baseline at every visit": (
        chain(
            *(put(i, age_years=70) for i in range(6)),
            add("months_from_baseline", 0, 24),
        ),
        ["nobody's age changes", "--map age_years=baseline_age_years"],
    ),
    "label of a later time": (
        put(4, diagnosis="Converted"),
        ["row 6, column diagnosis: got 'Converted', which tells what became of the person later"],
    ),
    "age against time": (
        chain(add("months_from_baseline", 0, 12), put(1, age_years=80)),
        ["row 3, column age_years: got 80 years, 71 is expected 1.0 years after baseline"],
    ),
    "same age at each visit of a long study": (
        chain(put(1, age_years=70), add("months_from_baseline", 0, 48)),
        ["got 70 years, 74 is expected"],
    ),
    "time beyond numbers": (
        chain(add("months_from_baseline", 0, 12), put(1, months_from_baseline=1e308)),
        ["row 3, column months_from_baseline: got '1e+308', the time of a visit is expected"],
    ),
    "time text": (
        chain(add("months_from_baseline", 0, 12), put(1, months_from_baseline="m12")),
        ["column months_from_baseline: got 'm12', a time in numbers is expected"],
    ),
    "two columns of time": (
        chain(add("months_from_baseline", 0, 12), add("years_from_baseline", 0, 2)),
        ["say the same thing and differ", "--map months_from_baseline=months_from_baseline"],
    ),
    "date in another order": (
        chain(add("visit_date", "2020-01-31", "31/01/2021")),
        ["column visit_date: got '31/01/2021', a date like 2024-03-31 is expected"],
    ),
    "baseline age without time": (
        chain(drop("age_years"), add("age_bl", 70)),
        ["the age at baseline and no time; add a column months_from_baseline"],
    ),
    "volume zero": (
        put(0, left_hippocampus_mm3=0),
        ["row 2, column left_hippocampus_mm3: got 0, a volume above 0 mm3"],
    ),
    "volume negative": (put(0, hippocampus_mm3=-7000), ["got -7000, a volume above 0 mm3"]),
    "volume infinite": (put(0, hippocampus_mm3="inf"), ["got inf, a volume above 0 mm3"]),
    "volume beyond numbers": (
        put(0, hippocampus_mm3=1e308),
        ["row 2", "got 1e+308, a volume in mm3 (1000 to 14500) is expected"],
    ),
    "volume larger than a head": (
        chain(add("entorhinal_mm3", 3600, 3500), put(2, entorhinal_mm3=1e200)),
        ["row 4, column entorhinal_mm3: got 1e+200, a volume in mm3 (0 to 3e+06) is expected"],
    ),
    "side infinite": (put(2, left_hippocampus_mm3="9" * 400), ["got inf, a volume above 0 mm3"]),
    "volume text": (
        put(0, hippocampus_mm3="6.900,0"),
        ["row 2, column hippocampus_mm3: got '6.900,0', a volume in numbers"],
    ),
    "volumes in ml": (
        chain(
            *(
                put_all(f"{part}hippocampus_mm3", lambda mm3: mm3 / 1000)
                for part in ("", "left_", "right_")
            )
        ),
        ["look like ml (median 6.8)", "--map hippocampus_mm3=hippocampus_ml"],
    ),
    "one volume in ml": (
        put(0, hippocampus_mm3=6.9),
        ["row 2, column hippocampus_mm3: got 6.9, which looks like ml (cm3)"],
    ),
    "volume implausible": (
        put(0, hippocampus_mm3=69_000),
        ["row 2", "got 69000, a volume in mm3 (1000 to 14500) is expected"],
    ),
    "volume that is a code": (
        chain(drop("left_hippocampus_mm3", "right_hippocampus_mm3"), put(1, hippocampus_mm3=9999)),
        ["row 3, column hippocampus_mm3: got 9999, which looks like a code", "--missing 9999"],
    ),
    "code among words": (
        chain(add("race", "white", "black", "black"), put(1, race="-4")),
        ["row 3, column race: got '-4', which looks like a code for a missing value", "-4, or"],
    ),
    "volume as share of head size": (
        put_all("hippocampus_mm3", lambda mm3: mm3 / 1.5e6),
        ["column hippocampus_mm3", "a volume in mm3 (1000 to 14500) is expected"],
    ),
    "head size in ml": (
        put_all("head_size_mm3", lambda mm3: mm3 / 1000),
        ["look like ml (median 1500)", "head_size_ml"],
    ),
    "sides summed twice": (
        put(0, hippocampus_mm3=13_800),
        ["got 13800, twice left plus right: both sides were summed twice"],
    ),
    "sides do not add up": (
        put(0, hippocampus_mm3=5000),
        ["got 5000, left plus right is expected (3400 + 3500)"],
    ),
    "one side holds both": (
        chain(drop("right_hippocampus_mm3"), put(0, left_hippocampus_mm3=6800)),
        ["got 6800, as large as both sides together (6900)"],
    ),
    "one side too large": (
        chain(drop("hippocampus_mm3"), put(0, right_hippocampus_mm3=9000)),
        ["column right_hippocampus_mm3: got 9000, a volume in mm3 (250 to 8700)"],
    ),
    "sides swapped at follow-up": (
        chain(
            put(0, left_hippocampus_mm3=2900, right_hippocampus_mm3=4000),
            put(1, left_hippocampus_mm3=3900, right_hippocampus_mm3=2800, hippocampus_mm3=6700),
        ),
        ["row 3", "volumes of ses-02 mirror those of the baseline visit"],
    ),
    "brain larger than head": (
        add("brain_mm3", 1_900_000),
        ["got 1900000, no more than the head size is expected (1500000)"],
    ),
    "mmse out of range": (put(0, mmse=31), ["row 2, column mmse: got 31", "from 0 to 30"]),
    "mmse text": (put(0, mmse="high"), ["column mmse: got 'high', a number is expected"]),
    "apoe4 out of range": (add("apoe4", 0, 3), ["column apoe4: got 3, a number from 0 to 2"]),
    "apoe4 as genotype": (add("apoe4", "e3/e4"), ["column apoe4: got 'e3/e4'"]),
    "education out of range": (add("education_years", 99), ["got 99, a number from 0 to 35"]),
    "image missing": (
        add("image_path", *(f"scan{i}.nii.gz" for i in range(6))),
        ["row 2, column image_path: scan0.nii.gz: the file is missing"],
    ),
    "same scan twice": (
        add("image_path", "scan.nii.gz"),
        ["which another visit has too; a file of its own is expected"],
    ),
    "two columns for age": (
        chain(rename("age_years", "age"), add("age_at_visit", 70)),
        ["several columns for age_years (age, age_at_visit)", "--map age=age_years"],
    ),
    "two columns for sex": (add("gender", "F"), ["several columns for sex (sex, gender)"]),
}


@pytest.mark.parametrize("name", BAD_TABLES)
def test_bad_table_gets_its_sentence(name: str, tmp_path: Path) -> None:
    change, words = BAD_TABLES[name]
    path = write_rows(tmp_path / "people.csv", change(good_rows()))
    with pytest.raises(CohortError) as caught:
        load_cohort(path)
    assert any(all(word in problem for word in words) for problem in caught.value.problems), str(
        caught.value
    )


def test_good_table_is_sound(tmp_path: Path) -> None:
    cohort = load_cohort(write_rows(tmp_path / "people.csv", good_rows()))
    assert (len(cohort.participants), len(cohort.visits), len(cohort.volumes)) == (3, 6, 24)


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    change = chain(put(0, sex="X"), put(2, age_years=-3), put(4, hippocampus_mm3=0))
    with pytest.raises(CohortError) as caught:
        load_cohort(write_rows(tmp_path / "people.csv", change(good_rows())))
    named = {row for row in (2, 4, 6) if any(f"row {row}," in p for p in caught.value.problems)}
    assert named == {2, 4, 6}


@pytest.mark.parametrize("n_wrong", [5, 8])
def test_many_values_that_are_wrong_alike_are_one_problem(n_wrong: int, tmp_path: Path) -> None:
    rows = [{**row, "participant_id": f"p{i}"} for i, row in enumerate(good_rows()[::2] * 4)]
    for i in range(n_wrong):
        rows[-1 - i]["mmse"] = f"27 ({i})"
    rows[2]["sex"] = "X"
    with pytest.raises(CohortError) as caught:
        load_cohort(write_rows(tmp_path / "people.csv", rows))
    told = [one for one in caught.value.problems if "mmse" in one]
    assert len(caught.value.problems) == len(told) + 1
    if n_wrong == 5:
        assert len(told) == 5
        return
    (one,) = told
    assert "column mmse: got '27 (7)' and 7 other values, a number is expected" in one
    assert "(8 rows, first 6, 7, 8; 8 people, first p4)" in one


@pytest.mark.parametrize("name", ["scan.nii.gz", "scan.nii", "Scan.MGZ"])
def test_a_scan_in_place_of_a_cohort_is_named_as_one(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\x1f\x8b")
    with pytest.raises(CohortError, match=f"{name} is one scan, not a cohort: .*check-scan"):
        load_cohort(tmp_path / name)
