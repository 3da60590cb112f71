"""Tables that users reported give what they should."""

from pathlib import Path

import pytest

from cohorts.errors import CohortError
from cohorts.sources.loading import load_cohort

CASES = Path(__file__).parents[3] / "shared" / "cases"


needs_cases = pytest.mark.skipif(not CASES.is_dir(), reason="../shared/cases is not here")


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
