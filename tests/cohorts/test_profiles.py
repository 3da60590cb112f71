"""Each profile reads a table of its study's or tool's shape, and the user's statements win."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from cohorts.errors import CohortError
from cohorts.sources.loading import load_cohort
from cohorts.sources.profile import list_profiles, read_profile
from cohorts.volumes.measurement import list_tools, tell_acquisition

CASES = Path(__file__).parents[3] / "shared" / "cases"


def make_adnimerge() -> pd.DataFrame:
    """Two people in ADNIMERGE's columns; the age is that at baseline, DX is empty at baseline."""
    visits = [("bl", 0.0), ("m06", 5.97), ("m12", 12.3), ("m24", 24.1)]
    rows: list[dict[str, Any]] = []
    for person, dx_bl, dx in (("001_S_1", "SMC", "CN"), ("002_S_2", "LMCI", "Dementia")):
        for code, months in visits:
            rows.append(
                {
                    "RID": person[-1],
                    "PTID": person,
                    "VISCODE": code,
                    "SITE": 11,
                    "EXAMDATE": "2005-09-10",
                    "DX_bl": dx_bl,
                    "AGE": 70.3,
                    "PTGENDER": "Female",
                    "PTEDUCAT": 16,
                    "APOE4": 1,
                    "ABETA": ">1700",
                    "MMSE": 28,
                    "Ventricles": 34000,
                    "Hippocampus": 7000 - months,
                    "WholeBrain": 1_050_000,
                    "Entorhinal": 3500,
                    "Fusiform": 16000,
                    "MidTemp": 19000,
                    "ICV": 1_500_000,
                    "FLDSTRENG": "1.5 Tesla MRI" if months < 12 else "3 Tesla MRI",
                    "FSVERSION": f"Cross-Sectional FreeSurfer ({4.3 if months < 12 else 5.1})",
                    "DX": "" if code == "bl" else dx,
                    "MMSE_bl": 28,
                    "Years_bl": months / 12.03,
                    "Month_bl": months,
                    "Month": round(months),
                    "M": round(months),
                }
            )
    return pd.DataFrame(rows)


TABLES: dict[str, tuple[pd.DataFrame, dict[str, Any], list[float], list[str]]] = {
    "adnimerge": (make_adnimerge(), {}, [0, 6, 12.3, 24.1] * 2, ["CN", "MCI"]),
    "oasis2": (
        pd.DataFrame(
            {
                "Subject ID": ["OAS2_1", "OAS2_1", "OAS2_2", "OAS2_2"],
                "MRI ID": ["OAS2_1_MR1", "OAS2_1_MR2", "OAS2_2_MR1", "OAS2_2_MR2"],
                "Group": ["Nondemented", "Nondemented", "Converted", "Converted"],
                "Visit": [1, 2, 1, 2],
                "MR Delay": [0, 457, 0, 560],
                "M/F": ["M", "M", "F", "F"],
                "Hand": "R",
                "Age": [87, 88, 75, 76],
                "EDUC": [14, 14, 12, 12],
                "SES": [2, 2, np.nan, np.nan],
                "MMSE": [27, 30, 23, 28],
                "CDR": [0, 0, 0, 0.5],
                "eTIV": [1987, 2004, 1678, 1738],
                "nWBV": [0.696, 0.681, 0.736, 0.713],
                "ASF": [0.883, 0.876, 1.046, 1.010],
            }
        ),
        {},
        [0, 15.01, 0, 18.4],
        ["CN", "CN"],
    ),
    "oasis3": (
        pd.DataFrame(
            {
                "OASISID": ["OAS30001", "OAS30001"],
                "Session": ["OAS30001_MR_d0129", "OAS30001_MR_d0860"],
                "AgeatEntry": [65.2, 65.2],
                "GENDER": [2, 2],
                "CDRTOT": [0, 0.5],
                "IntraCranialVol": [1.4e6, 1.4e6],
                "Left-Hippocampus_volume": [3600, 3500],
                "Right-Hippocampus_volume": [3650, 3550],
            }
        ),
        {},
        [0, (860 - 129) / 30.4375],
        ["CN"],
    ),
    "nacc": (
        pd.DataFrame(
            {
                "NACCID": ["NACC1", "NACC1", "NACC2"],
                "NACCVNUM": [1, 2, 1],
                "NACCAGE": [70, 70, 80],
                "NACCFDYS": [0, 340, 0],
                "VISITYR": [2010, 2011, 2010],
                "SEX": [1, 1, 2],
                "EDUC": [16, 16, 99],
                "NACCUDSD": [1, 3, 4],
                "NACCMMSE": [29, 88, -4],
                "NACCNE4S": [0, 0, 9],
                "LHIPPO": [3.2, 3.1, 88.8888],
                "RHIPPO": [3.3, 3.2, 88.8888],
            }
        ),
        {},
        [0, 340 / 30.4375, 0],
        ["CN", "AD"],
    ),
    "aibl": (
        pd.DataFrame(
            {
                "RID": [2, 2, 3],
                "VISCODE": ["bl", "m18", "bl"],
                "AGE": [71.5, 71.5, 66],
                "PTGENDER": [1, 1, 2],
                "DXCURREN": [1, 2, 3],
                "MMSCORE": [29, 28, -4],
                "EXAMDATE": ["-4", "-4", "01/02/2010"],
            }
        ),
        {},
        [0, 18, 0],
        ["CN", "AD"],
    ),
    "ukb": (
        pd.DataFrame(
            {
                "eid": [1, 2],
                "31-0.0": [0, 1],
                "21003-0.0": [55, 58],
                "21003-2.0": [60, 64],
                "21003-3.0": [63, np.nan],
                "25019-2.0": [3700.1, 3800.2],
                "25019-3.0": [3650.1, np.nan],
                "25020-2.0": [3750, 3850],
                "25020-3.0": [3700, np.nan],
                "20016-2.0": [6, -1],
            }
        ),
        {"diagnosis": "CN"},
        [0, 36, 0],
        ["CN", "CN"],
    ),
    "clinica": (
        pd.DataFrame(
            {
                "participant_id": ["sub-1", "sub-1"],
                "session_id": ["ses-M000", "ses-M006"],
                "sex": ["F", "F"],
                "age_bl": [70.0, 70.0],
                "diagnosis_bl": ["LMCI", "LMCI"],
                "diagnosis": ["MCI", "AD"],
                "education_level": [16, 16],
                "MMS": [27, 26],
            }
        ),
        {},
        [0, 6],
        ["MCI"],
    ),
    "freesurfer": (
        pd.DataFrame(
            {
                "Measure:volume": ["sub-1"],
                "age": [70],
                "sex": ["F"],
                "diagnosis": ["CN"],
                "Left-Hippocampus": [3400.1],
                "Right-Hippocampus": [3500.2],
                "BrainSegVol": [1.05e6],
                "Brain-Stem": [21000],
                "CSF": [1200],
                "EstimatedTotalIntraCranialVol": [1.5e6],
            }
        ),
        {},
        [0],
        ["CN"],
    ),
    "synthseg": (
        pd.DataFrame(
            {
                "subject": ["sub-1"],
                "age": [70],
                "sex": ["F"],
                "diagnosis": ["CN"],
                "total intracranial": [1.5e6],
                "left hippocampus": [3400.1],
                "right hippocampus": [3500.2],
                "3rd ventricle": [1500],
                "left accumbens area": [450],
            }
        ),
        {},
        [0],
        ["CN"],
    ),
}
TABLES["fastsurfer"] = TABLES["freesurfer"]
TABLES["adni-bids"] = TABLES["clinica"]
_FREESURFER_FIELDS = {"25019": "26562", "25020": "26593"}
TABLES["ukb-freesurfer"] = (
    TABLES["ukb"][0].rename(
        columns=lambda name: name.replace(name[:5], _FREESURFER_FIELDS.get(name[:5], name[:5]))
    ),
    *TABLES["ukb"][1:],
)


@pytest.mark.parametrize("name", list_profiles())
def test_profile_reads_a_table_of_its_shape(name: str, tmp_path: Path) -> None:
    table, stated, months, diagnoses = TABLES[name]
    table.to_csv(tmp_path / "t.csv", index=False)
    cohort = load_cohort(tmp_path / "t.csv", profile=name, **stated)
    assert cohort.visits["months_from_baseline"].to_numpy() == pytest.approx(months, abs=0.1)
    assert cohort.participants["diagnosis"].tolist() == diagnoses


def test_adnimerge_has_its_volumes_and_ages() -> None:
    profile = read_profile("adnimerge")
    assert profile.columns["WholeBrain"] == "whole_brain_mm3"


def test_ages_advance_and_volumes_have_names(tmp_path: Path) -> None:
    make_adnimerge().to_csv(tmp_path / "t.csv", index=False)
    cohort = load_cohort(tmp_path / "t.csv", profile="adnimerge")
    assert cohort.visits["age_years"].iloc[:4].tolist() == pytest.approx(
        [70.3, 70.3 + 5.97 / 12, 70.3 + 12.3 / 12, 70.3 + 24.1 / 12]
    )
    regions = set(cohort.volumes["region"])
    assert {"hippocampus", "ventricles", "whole_brain", "entorhinal"} <= regions
    assert {"fusiform", "middle_temporal", "head_size_mm3"} <= regions
    assert "MMSE_bl" not in cohort.participants


def test_adnimerge_says_what_measured_its_volumes_and_how_people_were_scanned(
    tmp_path: Path,
) -> None:
    make_adnimerge().to_csv(tmp_path / "t.csv", index=False)
    cohort = load_cohort(tmp_path / "t.csv", profile="adnimerge")
    field, software = tell_acquisition({"adni": cohort})
    assert "field_strength; adni: 1.5 Tesla MRI, 3 Tesla MRI" in field
    assert "software; adni: Cross-Sectional FreeSurfer (4.3), Cross-Sectional Free" in software
    assert list(list_tools(cohort, ["software"]).index) == [
        "software Cross-Sectional FreeSurfer (4.3)",
        "software Cross-Sectional FreeSurfer (5.1)",
    ]


@pytest.mark.parametrize("name", ["ukb", "ukb-freesurfer"])
def test_ukb_visits_are_placed_by_their_dates(name: str, tmp_path: Path) -> None:
    dates = {"53-2.0": ["2015-03-02", "2016-01-05"], "53-3.0": ["2017-09-02", None]}
    born = {"34-0.0": [1955, 1951], "52-0.0": [3, 4]}
    TABLES[name][0].assign(**dates, **born).to_csv(tmp_path / "t.csv", index=False)
    cohort = load_cohort(tmp_path / "t.csv", profile=name, diagnosis="CN")
    # whole ages of 60 and 63 would say 36
    assert cohort.visits["months_from_baseline"].tolist() == pytest.approx([0, 30.1, 0], abs=0.1)
    assert not {*born, *dates} & {*cohort.participants}


def test_ukb_is_read_as_its_r_tables_name_it(tmp_path: Path) -> None:
    table = TABLES["ukb"][0].rename(columns=lambda name: "f." + name.replace("-", "."))
    table.to_csv(tmp_path / "t.csv", index=False)
    cohort = load_cohort(tmp_path / "t.csv", profile="ukb", diagnosis="CN")
    assert len(cohort.visits) == 3


def test_ukb_has_two_sets_of_volumes_and_each_profile_says_whose_it_reads(tmp_path: Path) -> None:
    both = TABLES["ukb"][0].assign(p26562_i2=[4100.5, 4200.5], p26593_i2=[4150.5, 4250.5])
    both.to_csv(tmp_path / "t.csv", index=False)
    for profile, tool, left in (
        ("ukb", "FSL FIRST", [3700.1, 3800.2]),
        ("ukb-freesurfer", "FreeSurfer 6", [4100.5, 4200.5]),
    ):
        cohort = load_cohort(tmp_path / "t.csv", profile=profile, diagnosis="CN")
        assert list(list_tools(cohort).index) == [tool]
        assert cohort.baseline()["left_hippocampus_mm3"].tolist() == left


def test_nacc_without_days_takes_the_dates_of_its_visits(tmp_path: Path) -> None:
    table, _, months, _ = TABLES["nacc"]
    dated = table.drop(columns="NACCFDYS").assign(VISITMO=[3, 2, 7], VISITDAY=[1, 4, 9])
    dated.to_csv(tmp_path / "t.csv", index=False)
    cohort = load_cohort(tmp_path / "t.csv", profile="nacc")
    assert cohort.visits["months_from_baseline"].to_numpy() == pytest.approx(months, abs=0.01)
    dated.assign(VISITMO=[3, 13, 7]).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(CohortError, match=r"row 3, .*got '2011-13-04', a date"):
        load_cohort(tmp_path / "t.csv", profile="nacc")


def test_aibl_without_ages_takes_the_years_of_birth_and_visit(tmp_path: Path) -> None:
    table, _, months, _ = TABLES["aibl"]
    born = table.drop(columns="AGE").assign(
        PTDOB=["/1935", "/1935", "/1944"], EXAMDATE=["11/02/2006", "05/06/2008", "01/02/2010"]
    )
    born.to_csv(tmp_path / "t.csv", index=False)
    cohort = load_cohort(tmp_path / "t.csv", profile="aibl")
    assert cohort.visits["months_from_baseline"].to_numpy() == pytest.approx(months)
    assert cohort.baseline()["age_years"].tolist() == [71, 66]
    # AIBL has no dates of many baseline visits
    born.assign(EXAMDATE=["-4", "05/06/2008", "01/02/2010"]).to_csv(tmp_path / "t.csv", index=False)
    cohort = load_cohort(tmp_path / "t.csv", profile="aibl")
    assert cohort.baseline()["age_years"].tolist() == [73 - 1.5, 66]
    assert "The ages of 1 visit follow from the same people's other visits." in cohort.notes
    born.assign(AGE=[71.5, 71.5, 65.2]).to_csv(tmp_path / "t.csv", index=False)
    cohort = load_cohort(tmp_path / "t.csv", profile="aibl")
    assert cohort.baseline()["age_years"].tolist() == [71.5, 65.2]


def test_a_profile_that_makes_a_date_of_two_columns_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('visit_date = ["YEAR", "MONTH"]\n')
    with pytest.raises(CohortError, match="visit_date: 3 columns are expected, got 2"):
        read_profile(tmp_path / "mine.toml")


def test_a_code_that_means_no_sex_is_told_once(tmp_path: Path) -> None:
    TABLES["nacc"][0].assign(SEX=[1, 1, 9]).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(CohortError) as caught:
        load_cohort(tmp_path / "t.csv", profile="nacc")
    assert len(caught.value.problems) == 1


def test_codes_of_one_column_are_values_in_others(tmp_path: Path) -> None:
    TABLES["nacc"][0].assign(weight=[88, 80, 70]).to_csv(tmp_path / "t.csv", index=False)
    cohort = load_cohort(tmp_path / "t.csv", profile="nacc")
    assert cohort.participants["weight"].tolist() == [88, 70]
    assert cohort.participants["mmse"].isna().tolist() == [False, True]
    assert cohort.baseline()["left_hippocampus_mm3"].dropna().tolist() == [3200]


def test_what_the_user_states_wins(tmp_path: Path) -> None:
    TABLES["aibl"][0].assign(DX2=[3, 3, 3]).to_csv(tmp_path / "t.csv", index=False)
    cohort = load_cohort(tmp_path / "t.csv", profile="aibl", column_map={"DX2": "diagnosis"})
    assert cohort.participants["diagnosis"].tolist() == ["AD", "AD"]


def test_profile_of_the_users_own(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(
        'missing = [-7]\nsex_coding = { w = "F" }\n[columns]\nwho = "participant_id"\n'
    )
    (tmp_path / "t.csv").write_text("who,sex,age,dx,score\na,w,70,CN,-7\nb,w,71,CN,3\n")
    cohort = load_cohort(tmp_path / "t.csv", profile=tmp_path / "mine.toml")
    assert cohort.participants["sex"].tolist() == ["F", "F"]
    assert cohort.participants["score"].isna().tolist() == [True, False]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("colums = {}", "has no key colums: it takes description, columns"),
        ("columns = 3", "columns: a dict is expected, got 3"),
        ("columns = ", "is not valid TOML"),
        ("[columns]\nAGE = 3", r"columns.AGE: a name is expected, got 3"),
        ("session_time = '('", "session_time: '\\(' is no regular expression"),
        ("session_time = 'd(.*)'", "session_time: a group days, months or years is expected"),
    ],
)
def test_bad_profile_gets_its_sentence(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(CohortError, match=words):
        read_profile(tmp_path / "mine.toml")


def test_what_chooses_among_files_is_told_of_a_table(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("subject,age,sex,dx\na,70,F,CN\n")
    notes = load_cohort(path, pipeline="synthseg").notes
    assert any("t.csv is a table, of which --pipeline" in note for note in notes)
    assert not any("--pipeline" in note for note in load_cohort(path).notes)


def test_unknown_profile_names_the_known_ones() -> None:
    with pytest.raises(CohortError, match=r"There is no profile adni: .*adnimerge"):
        read_profile("adni")


def test_same_problems_are_told_once_with_their_rows(tmp_path: Path) -> None:
    rows = "".join(f"s{i},F,70,Dementia\n" for i in range(86))
    (tmp_path / "t.csv").write_text("id,sex,age,dx\n" + rows)
    with pytest.raises(CohortError) as caught:
        load_cohort(tmp_path / "t.csv")
    assert len(caught.value.problems) == 1
    assert "(86 rows, first 2, 3, 4; 86 people, first s0)" in caught.value.problems[0]


def test_reading_says_what_each_column_is(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("PTID,sex,AGE,dx,HippVol\na,F,70,CN,7\n")
    told: list[pd.DataFrame] = []
    load_cohort(
        tmp_path / "t.csv", column_map={"HippVol": "hippocampus_ml"}, on_reading=told.append
    )
    read = told[0].set_index("column")
    assert read.loc["HippVol", ["read_as", "visit 1"]].tolist() == ["hippocampus_mm3", "7000"]
    assert read.loc["PTID", "read_as"] == "participant_id"


def test_two_columns_of_one_measurement_are_named(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,sex,dx,age_W1,age_W2,age\na,F,CN,70,72,71\n")
    with pytest.raises(CohortError, match="Several columns hold age of visit W1"):
        load_cohort(tmp_path / "t.csv")


def test_a_stated_name_wins_over_a_column_that_bears_it(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,sex,age,diagnosis,dx2\na,F,70,AD,CN\nb,M,71,AD,MCI\n")
    found = load_cohort(tmp_path / "t.csv", column_map={"dx2": "diagnosis"})
    assert found.participants["diagnosis"].tolist() == ["CN", "MCI"]
    assert "Left out beside the stated column: diagnosis." in found.notes


@pytest.mark.skipif(not CASES.is_dir(), reason="../shared/cases is not here")
def test_reported_adnimerge_goes_in_with_the_profile_alone() -> None:
    cohort = load_cohort(CASES / "30-T18-adnimerge" / "ADNIMERGE.csv", profile="adnimerge")
    assert (len(cohort.participants), len(cohort.visits)) == (8, 32)
    assert cohort.visits["months_from_baseline"].round().tolist() == [0, 6, 12, 24] * 8
