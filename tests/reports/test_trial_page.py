"""The page of a finished trial: the pre-specified answer first, nobody named."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from reports.page.file_formats import ReportFormat
from reports.page.privacy import Privacy
from reports.page.writing import write_report
from reports.store.study import Study


def make_tables(*, tips_at: float = -120.0) -> dict[str, pd.DataFrame]:
    rng = np.random.default_rng(20260101)
    effect = {
        "effect": "last visit", "estimate": 40.0, "se": 10.0, "df": 90.0, "lower": 20.1,
        "upper": 59.9, "p_value": 0.0001, "is_primary": False, "standard_error": "robust",
        "se_model": 10.5, "se_robust": 10.0, "n_control": 45, "n_treatment": 44, "unit": "mm3",
        "estimand": "difference in means",
    }  # fmt: skip
    n = 40
    twin = rng.normal(6000, 800, n)
    arm = np.where(np.arange(n) < 20, "control", "treatment")
    observed = twin + rng.normal(0, 60, n) + 40 * (arm == "treatment")
    people = pd.DataFrame(
        {
            "participant_id": [f"secret-{i:03d}" for i in range(n)],
            "arm": arm,
            "months": 24.0,
            "observed": observed,
            "twin": twin,
        }
    )
    treated = people[20:].drop(columns=["arm", "months"])
    difference = treated["observed"] - treated["twin"]
    curve = pd.DataFrame({"delta": [0.0, -100.0, -200.0], "estimate": [40.0, 25.0, 10.0]})
    curve = curve.assign(se=10.0, lower=curve["estimate"] - 20, upper=curve["estimate"] + 20)
    return {
        "trial_effects": pd.DataFrame(
            [
                {"estimator": "procova", **effect, "is_primary": True},
                {"estimator": "unadjusted", **effect, "lower": -5.0},
            ]
        ),
        "trial_visits": pd.DataFrame(
            {"arm": ["control", "treatment"], "months": 24.0, "n": 50, "n_seen": [45, 44],
             "share_seen": [0.9, 0.88]}
        ),
        "trial_baseline": pd.DataFrame(
            {"covariate": ["age_years"], "mean": 73.0, "sd": 7.0, "mean_control": 72.0,
             "mean_treatment": 74.0, "standardized_difference": 0.28}
        ),
        "trial_assumptions": pd.DataFrame(
            {"strategy": ["jump_to_reference"], "estimate": 30.0, "se": 9.0, "lower": 12.0,
             "upper": 48.0, "p_value": 0.001, "estimate_rubin": 30.0, "se_rubin": 11.0,
             "n_imputed_control": 5, "n_imputed_treatment": 6, "assumption": "the effect is lost"}
        ),
        "trial_tipping_point": curve.assign(p_value=[0.0001, 0.01, 0.3]),
        "trial_findings": pd.DataFrame(
            {"finding": ["tipping_point", "twin_gain", "effect_by_decline"],
             "value": [tips_at, 1.4, 0.3], "lower": [np.nan, 1.2, -0.1],
             "upper": [np.nan, 1.7, 0.7],
             "p_value": [np.nan, np.nan, 0.2]}
        ),
        "twin_outcomes": people,
        "individual_effects": treated.assign(
            difference=difference, lower=difference - 130, upper=difference + 130,
            says_something=np.abs(difference) > 130,
        ),
        "effects_by_decline": pd.DataFrame(
            {"predicted_decline": [100.0, 200.0], "effect": [30.0, 50.0], "lower": [5.0, 20.0],
             "upper": [55.0, 80.0]}
        ),
    }  # fmt: skip


def write(
    path: Path, tables: dict[str, pd.DataFrame], notes: list[str], *, alpha: float = 0.05
) -> str:
    config = {"endpoint": "hippocampus", "unit": "mm3", "visits_months": [0, 24], "notes": notes}
    config["alpha"] = alpha
    with Study.open(path / "study.duckdb") as study:
        with study.run(command="trialsim analyze trial.csv", config=config, seed=1) as run:
            for name, table in tables.items():
                run.write(name, table)
        report = path / "report.md"
        write_report(study, report, report_format=ReportFormat.MARKDOWN)
    return report.read_text(encoding="utf-8")


def test_the_page_answers_with_the_primary_analysis_and_names_nobody(tmp_path: Path) -> None:
    text = write(tmp_path, make_tables(), ["Late twins, made after outcomes had been seen."])
    assert "The trial shows a difference at month 24" in text
    assert "40.0 (95 % interval 20.1 to 59.9) mm³ by PROCOVA" in text
    assert "fared worse than those who stayed by 120 mm³ or more" in text
    assert "Whether fast and slow progressors gain alike is not known" in text
    # a warning stands in the answer, before the first part
    assert text.index("after outcomes had been seen") < text.index("## 1.")
    assert "leaves out repeated measures" in text
    everything = text + "".join(
        path.read_text(encoding="utf-8") for path in (tmp_path / "report_figures").glob("*.csv")
    )
    assert "secret" not in everything


@pytest.mark.usefixtures("_undrawn", "_unplotted")
@pytest.mark.parametrize(
    ("tips_at", "words"),
    [
        # an assumption about the missing it is, and errors of another kind than the primary ones
        (0.0, "Imputed at random missingness, with jackknife errors, the difference is not "
              "significant: p \\<0.001."),
        (-np.inf, "No assumption that was tried"),
        (120.0, "fared better than those who stayed by 120 mm³ or more"),
    ],
)  # fmt: skip
def test_the_tipping_point_is_told_in_words(tips_at: float, words: str, tmp_path: Path) -> None:
    text = write(tmp_path, make_tables(tips_at=tips_at), [])
    assert words in text
    assert "Without any assumption" not in text


@pytest.mark.usefixtures("_undrawn", "_unplotted")
def test_intervals_are_called_by_what_they_cover(tmp_path: Path) -> None:
    text = write(tmp_path, make_tables(), [], alpha=0.2)
    assert "40.0 (80 % interval 20.1 to 59.9) mm³ by PROCOVA" in text
    assert "The twin is worth 1.40 (80 % interval 1.20 to 1.70) times the people" in text
    assert "The intervals cover 80 % of treated people together" in text
    assert "95 %" not in text.split("## A.")[0]


@pytest.mark.usefixtures("_undrawn", "_unplotted")
def test_no_conclusion_falls_where_the_primary_analysis_has_none(tmp_path: Path) -> None:
    tables = make_tables()
    tables["trial_effects"]["lower"] = -1.0
    text = write(tmp_path, tables, [])
    assert "does not show a difference" in text
    assert "The conclusion would fall" not in text
    assert (
        "Imputed at random missingness, with jackknife errors, the difference is significant: "
        "p \\<0.001. It would not be if treated people who left had fared worse"
    ) in text


@pytest.mark.usefixtures("_undrawn", "_unplotted")
def test_limits_say_who_left_and_what_the_twin_is(tmp_path: Path) -> None:
    text = write(tmp_path, make_tables(), [])
    assert "a surrogate: that its loss is slowed" in text
    assert "A twin that is wrong costs precision" in text
    assert "leaving differs by arm" not in text
    tables = make_tables()
    tables["trial_visits"]["share_seen"] = [0.9, 0.6]
    (tmp_path / "differs").mkdir()
    text = write(tmp_path / "differs", tables, [])
    assert "90.0 % of control and 60.0 % of treated people were seen" in text.replace("\u00a0", " ")
    assert text.index("leaving differs by arm") < text.index("## 1.")


@pytest.mark.usefixtures("_undrawn")
def test_an_observed_scan_stands_beside_its_twin(tmp_path: Path) -> None:
    affine, rng = np.diag([8.0, 8.0, 8.0, 1.0]), np.random.default_rng(4)
    affine[:3, 3] = [-72, -104, -72]
    paths = {}
    for kind in ("observed", "decoded", "predicted", "uncertainty"):
        paths[kind] = str(tmp_path / f"{kind}.nii.gz")
        nib.save(nib.Nifti1Image(rng.uniform(0.1, 1, (18, 22, 18)), affine), paths[kind])
    who = {"participant_id": "secret-025", "months": 24.0}
    tables = make_tables()
    tables["observed_images"] = pd.DataFrame(
        [
            {**who, "session_id": "m24", "arm": "treatment", "kind": kind, "path": paths[kind]}
            for kind in ("observed", "decoded")
        ]
    )
    tables["prediction_images"] = pd.DataFrame(
        [
            {"participant_id": "secret-025", "model_id": "mini", "horizon_months": 24.0,
             "kind": kind, "path": paths[kind]}
            for kind in ("predicted", "uncertainty")
        ]
    )  # fmt: skip
    text = write(tmp_path, tables, [])
    assert "A treated person at month 24: observed scan and twin" in text
    assert "secret" not in text
    Path(paths["decoded"]).unlink()
    (tmp_path / "moved").mkdir()
    assert "no longer where it was" in write(tmp_path / "moved", tables, [])


@pytest.mark.usefixtures("_undrawn", "_unplotted")
def test_the_page_says_to_programs_when_it_was_written(tmp_path: Path) -> None:
    write(tmp_path, make_tables(), [])
    before, path = datetime.now(UTC), tmp_path / "report.json"
    with Study.open(tmp_path / "study.duckdb") as study:
        write_report(study, path, report_format=ReportFormat.JSON)
    written = json.loads(path.read_text(encoding="utf-8"))["written"]
    assert before <= datetime.fromisoformat(written) <= datetime.now(UTC)


def test_few_who_were_not_seen_follow_from_no_part_of_the_bundle(tmp_path: Path) -> None:
    """Three of 53 treated people were not seen, each number that tells it is hidden."""
    tables = make_tables()
    rng, n = np.random.default_rng(3), 50
    observed = pd.DataFrame(
        {
            "participant_id": [f"secret-{i:03d}" for i in range(n + 45)],
            "arm": ["treatment"] * n + ["control"] * 45,
            "months": 24.0,
            "observed": rng.normal(6000, 800, n + 45),
            "twin": rng.normal(6000, 800, n + 45),
        }
    )
    treated = observed[:n].drop(columns=["arm", "months"]).assign(difference=5.0)
    tables["individual_effects"] = treated.assign(lower=-9.0, upper=19.0, says_something=False)
    tables["twin_outcomes"] = observed
    tables["trial_visits"] = pd.DataFrame(
        {"arm": ["control", "treatment"], "months": 24.0, "n": [90, 53], "n_seen": [45, n],
         "share_seen": [0.5, n / 53]}
    )  # fmt: skip
    tables["trial_effects"] = tables["trial_effects"].assign(n_treatment=n, df=93.25)
    text = write(tmp_path, tables, []).replace("\u00a0", " ").replace("\\>", ">")
    with Study.open(tmp_path / "study.duckdb") as study:
        write_report(study, tmp_path / "report.json", report_format=ReportFormat.JSON)
    text += (tmp_path / "report.json").read_text(encoding="utf-8")
    assert "Of >48 treated people" in text
    assert "50.0 % of control and >90.6 % of treated people were seen" in text
    figures = tmp_path / "report_figures"
    told = text + "".join(one.read_text(encoding="utf-8") for one in figures.glob("*.csv"))
    assert not re.findall(r"(?<![\d.-])50(?![\d.]|,\d)|94\.3|93\.2", told)
    twins = pd.read_csv(figures / "twins.csv")
    own = pd.read_csv(figures / "individual_effects.csv")
    assert twins["arm"].value_counts().to_dict() == {"treatment": 48, "control": 45}
    # the same people, or both together would be all
    assert set(own["observed"]) == set(twins.loc[twins["arm"] == "treatment", "observed"])
    with Study.open(tmp_path / "study.duckdb") as study:
        whole, privacy = tmp_path / "whole.md", Privacy(identify=True)
        write_report(study, whole, report_format=ReportFormat.MARKDOWN, privacy=privacy)
    assert "Of 50 treated people" in whole.read_text(encoding="utf-8")


def test_few_controls_who_were_not_seen_are_hidden_beside_the_treated(tmp_path: Path) -> None:
    tables = make_tables()
    tables["trial_visits"] = pd.DataFrame(
        {"arm": ["control", "treatment"], "months": 24.0, "n": [1203, 1210], "n_seen": [1200, 1100],
         "share_seen": [1200 / 1203, 1100 / 1210]}
    )  # fmt: skip
    tables["trial_effects"] = tables["trial_effects"].assign(n_control=1200, n_treatment=1100)
    assert ">1,198 / 1,100" in write(tmp_path, tables, []).replace("\\>", ">")


def test_a_trial_without_twins_has_a_page(tmp_path: Path) -> None:
    tables = make_tables()
    for name in ("twin_outcomes", "individual_effects", "effects_by_decline"):
        del tables[name]
    page = write(tmp_path, tables, [])
    assert "analysed without twins" in page
    assert "baseline, covariates and twin" not in page
