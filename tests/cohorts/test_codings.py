"""Codings are stated or detected, shown, never guessed."""

from pathlib import Path

import pytest

from cohorts.demographics import compute_demographics
from cohorts.errors import CohortError
from cohorts.sources.loading import load_cohort
from cohorts.sources.meaning.codings import parse_coding

HEADER = "subject_id,image_uid,age,sex,diagnosis,image_path,segm_path\n"


def write_brlp(path: Path, *rows: str) -> Path:
    path.write_text(HEADER + "".join(f"{row},,\n" for row in rows))
    return path


@pytest.mark.parametrize(
    ("rows", "sexes"),
    [
        (("a,I1,0.70,0,0", "b,I2,0.71,1,1"), ["M", "F"]),
        (("a,I1,70,1,0", "b,I2,71,2,0.5"), ["M", "F"]),
    ],
)
def test_both_forms_of_brlp_are_detected_and_shown(
    rows: tuple[str, ...], sexes: list[str], tmp_path: Path
) -> None:
    cohort = load_cohort(write_brlp(tmp_path / "b.csv", *rows))
    assert cohort.participants["sex"].tolist() == sexes
    assert cohort.participants["age_years"].round(6).tolist() == [70, 71]
    assert any("Sex was read as" in note for note in cohort.notes)
    assert any("Diagnosis was read as" in note for note in cohort.notes)


@pytest.mark.parametrize(
    "row", ["a,I1,70,1,0", "a,I1,70,1,0.5"], ids=["one code", "one code and a half"]
)
def test_sex_that_fits_both_forms_is_not_guessed(row: str, tmp_path: Path) -> None:
    with pytest.raises(CohortError, match="--sex-coding 1=F"):
        load_cohort(write_brlp(tmp_path / "b.csv", row))


def test_both_orders_of_sex_are_shown_the_usual_one_first(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("id,age,sex,dx\na,70,1,CN\nb,70,2,CN\n", encoding="utf-8")
    with pytest.raises(CohortError, match=r"dictionary.* 1=M,2=F or --sex-coding 1=F,2=M"):
        load_cohort(path)


def test_brlp_diagnosis_outside_its_form_is_not_guessed(tmp_path: Path) -> None:
    path = write_brlp(tmp_path / "b.csv", "a,I1,70,1,0", "b,I2,71,2,1", "c,I3,72,2,2")
    with pytest.raises(CohortError, match="--diagnosis-coding 0=CN,1=MCI,2=AD"):
        load_cohort(path)


def test_order_of_image_identifiers_means_nothing(tmp_path: Path) -> None:
    path = write_brlp(tmp_path / "b.csv", "a,I9,70,1,0", "a,I2,71,1,0", "b,I3,72,2,0")
    assert load_cohort(path).visits["session_id"].tolist() == ["I9", "I2", "I3"]


@pytest.mark.parametrize(("unit", "factor"), [("years", 1), ("months", 12), ("hundredths", 0.01)])
@pytest.mark.parametrize("is_stated", [True, False])
def test_unit_of_age_does_not_matter(
    unit: str, factor: float, is_stated: bool, tmp_path: Path
) -> None:
    path = tmp_path / "p.csv"
    ages = [60.5, 72, 81.25]
    rows = "".join(f"p{i},F,AD,{age * factor!r}\n" for i, age in enumerate(ages))
    path.write_text("participant_id,sex,diagnosis,age\n" + rows)
    cohort = load_cohort(path, age_unit=unit if is_stated else None)
    assert cohort.participants["age_years"].to_numpy() == pytest.approx(ages)
    detected = unit != "years" and not is_stated
    assert any("--age-unit" in note for note in cohort.notes) == detected


def test_stated_codes_match_however_the_number_is_written(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("participant_id,sex,diagnosis,age\na,1.0,2,70\nb,2.0,3,71\n")
    cohort = load_cohort(path, sex_coding={"1": "M", "2": "F"}, diagnosis_coding="2=MCI,3=AD")
    assert cohort.participants["sex"].tolist() == ["M", "F"]
    assert cohort.participants["diagnosis"].tolist() == ["MCI", "AD"]


def test_code_outside_the_statement_is_a_problem(tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("participant_id,sex,diagnosis,age\na,1,AD,70\nb,9,AD,71\n")
    with pytest.raises(CohortError, match=r"row 3, column sex: got '9'"):
        load_cohort(path, sex_coding="1=M,2=F")


def test_parse_coding_reads_words() -> None:
    stated = parse_coding("NL=CN, Dementia=AD", values=("CN", "MCI", "AD"), option="--x")
    assert stated == {"NL": "CN", "Dementia": "AD"}


MULTIPLE_SCLEROSIS = "participant_id,age_years,sex,edss,diagnosis\na,31,F,1.5,1\nb,45,M,4,2\n"


def test_diagnoses_of_another_disease_are_stated(tmp_path: Path) -> None:
    (tmp_path / "ms.csv").write_text(MULTIPLE_SCLEROSIS)
    cohort = load_cohort(tmp_path / "ms.csv", diagnosis_coding="1=RRMS,2=SPMS")
    assert cohort.participants["diagnosis"].tolist() == ["RRMS", "SPMS"]
    assert cohort.baseline()["edss"].tolist() == [1.5, 4]
    groups = compute_demographics(cohort)["group"].unique()
    assert list(groups) == ["all", "RRMS", "SPMS"]


@pytest.mark.parametrize("word", ["ad", "Alzheimer", "control", "multiple sclerosis", "2", ""])
def test_a_spelling_of_a_known_diagnosis_is_no_other_disease(word: str, tmp_path: Path) -> None:
    table = "\n".join(row.rpartition(",")[0] for row in MULTIPLE_SCLEROSIS.splitlines())
    (tmp_path / "ms.csv").write_text(table)
    assert load_cohort(tmp_path / "ms.csv", diagnosis="MS").participants["diagnosis"].eq("MS").all()
    with pytest.raises(CohortError, match="--diagnosis must be CN, MCI, AD or one word"):
        load_cohort(tmp_path / "ms.csv", diagnosis=word)
