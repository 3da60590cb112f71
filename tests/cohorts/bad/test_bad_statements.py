"""What users state of a table is refused where it cannot be, and kept where it can."""

from pathlib import Path
from typing import Any

import pytest

from cohorts.errors import CohortError
from cohorts.sources.loading import load_cohort
from tests.cohorts.bad.rows import good_rows, put, put_all, write_rows


@pytest.mark.parametrize(
    ("stated", "words"),
    [
        ({"age_unit": "days"}, "--age-unit must be one of years, months, hundredths, got 'days'"),
        ({"sex_coding": "0:M"}, "--sex-coding must say what each code means"),
        ({"sex_coding": "0=male"}, "values F, M"),
        ({"diagnosis_coding": "1=alzheimer"}, "--diagnosis-coding must say"),
        ({"diagnosis": "CN"}, "--diagnosis is for data without a diagnosis"),
        ({"column_map": {"AGE": "age_years"}}, "has no column AGE to read as age_years"),
    ],
)
def test_bad_statement_gets_its_sentence(
    stated: dict[str, Any], words: str, tmp_path: Path
) -> None:
    path = write_rows(tmp_path / "people.csv", good_rows())
    with pytest.raises(CohortError, match=words):
        load_cohort(path, **stated)


def test_quarantine_keeps_the_sound_and_lists_the_others(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "people.csv", put(2, age_years=-3)(good_rows()))
    cohort = load_cohort(path, quarantine=True)
    assert set(cohort.participants["participant_id"]) == {"sub-01", "sub-03"}
    assert set(cohort.rejected["participant_id"]) == {"sub-02"}
    assert cohort.rejected["problem"].str.contains("got -3").any()


def test_quarantine_does_not_pass_a_problem_of_the_whole_file(tmp_path: Path) -> None:
    rows = put_all("sex", lambda sex: int(sex == "F"))(good_rows())
    with pytest.raises(CohortError, match="--sex-coding"):
        load_cohort(write_rows(tmp_path / "people.csv", rows), quarantine=True)


def test_quarantine_that_leaves_nobody_is_refused(tmp_path: Path) -> None:
    rows = put_all("mmse", lambda _: 40)(good_rows())
    with pytest.raises(CohortError, match="Nobody is left"):
        load_cohort(write_rows(tmp_path / "people.csv", rows), quarantine=True)
